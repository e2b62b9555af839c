//! The reference of all metrics, generated from their table.

use super::metrics::{ALL, Metric};

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
    format!("| `{name}` | {kind} | {} | {description} |\n", labels.join(", "))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_reference_in_the_docs_is_the_generated_one() {
        crate::generated::assert_current("docs/metrics.md", &super::reference_markdown());
    }
}
