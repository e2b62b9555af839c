//! The reference of all metrics, generated from their table.

use super::metrics::{ALL, Metric, WITH_RUNBOOK};

const HEAD: &str = "\
# Metrics

<!-- Generated from scheduler_core/src/telemetry/metrics.rs. Do not edit:
     UPDATE_DOCS=1 cargo test -p scheduler_core --lib -->

Every daemon serves these at `/metrics` as Prometheus text, the API on its own port and the others
on their admin port. A process shows only what it has recorded. Labels have few values: no ids, no
merchants, nothing that a merchant chooses freely. Histograms in seconds have buckets from 100 µs to
60 s.

| metric | kind | labels | meaning |
|---|---|---|---|
";

/// The text of `docs/metrics.md`.
pub fn reference_markdown() -> String {
    ALL.iter().fold(HEAD.to_owned(), |text, metric| text + &row(metric))
}

fn row(metric: &Metric) -> String {
    let kind = format!("{:?}", metric.kind).to_lowercase();
    let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    let Metric { name, description, .. } = metric;
    let runbook = match WITH_RUNBOOK.contains(name) {
        true => format!(" [What to do](runbooks/{name}.md)."),
        false => String::new(),
    };
    format!("| `{name}` | {kind} | {} | {description}{runbook} |\n", labels.join(", "))
}

#[cfg(test)]
mod tests {
    use super::WITH_RUNBOOK;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn each_runbook_is_about_a_metric_that_exists_and_is_whole() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/runbooks");
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        let pages: BTreeSet<String> = std::fs::read_dir(&folder)
            .expect("docs/runbooks is there")
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".md").map(str::to_owned))
            .filter(|name| name != "README")
            .collect();
        let wanted: BTreeSet<String> = WITH_RUNBOOK.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(pages, wanted, "a page for each of these metrics, and none for another");
        let index = read("README.md");
        for name in &wanted {
            assert!(super::ALL.iter().any(|metric| metric.name == name), "there is no metric {name}");
            assert!(index.contains(&format!("]({name}.md)")), "docs/runbooks/README.md does not link {name}");
            let page = read(&format!("{name}.md"));
            assert!(page.starts_with(&format!("# {name}\n")), "{name}");
            for section in ["## What it means", "## How to look", "```sh", "## What to do"] {
                assert!(page.contains(section), "{name}.md has no {section}");
            }
        }
    }

    #[test]
    fn metrics_that_runbooks_speak_of_exist() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/runbooks");
        let known = |word: &str| super::ALL.iter().any(|m| word.starts_with(m.name));
        for entry in std::fs::read_dir(folder).expect("docs/runbooks is there").filter_map(Result::ok) {
            let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            for word in words.filter(|word| word.ends_with("_total")) {
                assert!(known(word), "{:?} speaks of {word}, which is no metric", entry.file_name());
            }
        }
    }

    #[test]
    fn the_reference_in_the_docs_is_the_generated_one() {
        crate::generated::assert_current("docs/metrics.md", &super::reference_markdown());
    }
}
