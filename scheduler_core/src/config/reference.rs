//! The reference of all settings, generated from the table.

use super::environment::{FOREIGN_VARIABLES, env_name};
use super::kind::{Kind, Setting};
use super::section::{Section, Service};
use super::settings::{SECTIONS, SETTINGS};

const HEAD: &str = "\
# Configuration

<!-- Generated from scheduler_core/src/config/settings.rs. Do not edit:
     UPDATE_DOCS=1 cargo test -p scheduler_core --lib -->

Settings come from four places; the later wins: defaults, the file (`--config FILE` or
`SCHEDULER_CONFIG`, TOML), the environment, flags (`--set name=value`, as often as needed).

The same setting in each of them:

```
executor.concurrency = 64                 # file, or [executor] and concurrency = 64
SCHEDULER_EXECUTOR_CONCURRENCY=64         # environment
--set executor.concurrency=64             # flag
```

A name that does not exist and a value that is not allowed stop the program at the start, with all
mistakes in one message. `--print-settings` shows every setting with its value and where it came
from; secrets are hidden. Lists are arrays in the file and have commas elsewhere. Times are numbers
in the unit that the name ends with; fractions are allowed.
";

/// The text of `docs/configuration.md`.
pub fn reference_markdown() -> String {
    let mut text = HEAD.to_owned();
    text.push_str(&format!(
        "\nThese variables have the same prefix but belong to the command line: {}.\n",
        FOREIGN_VARIABLES.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    ));
    for section in SECTIONS {
        section_markdown(section, &mut text);
    }
    text
}

fn section_markdown(section: &Section, text: &mut String) {
    text.push_str(&format!("\n## {}\n\n{}\n", section.name, one_line(section.doc)));
    text.push_str(&format!("Read by {}.\n\n", readers(section.services)));
    text.push_str("| setting | default | allowed | meaning |\n|---|---|---|---|\n");
    let prefix = format!("{}.", section.name);
    for setting in SETTINGS.iter().filter(|setting| setting.name.starts_with(&prefix)) {
        text.push_str(&row(setting));
    }
}

fn row(setting: &Setting) -> String {
    let default = match setting.default {
        "" => "not set".to_owned(),
        default => format!("`{default}`"),
    };
    let allowed = match setting.kind {
        Kind::Integer { min, max } => format!("{min} to {max}"),
        Kind::Decimal { min, max } | Kind::Duration { min, max, .. } => format!("{min} to {max}"),
        other => other.allowed(),
    };
    format!(
        "| `{}`<br>`{}` | {default} | {allowed} | {} |\n",
        setting.name,
        env_name(setting.name),
        one_line(setting.doc)
    )
}

fn readers(services: &[Service]) -> String {
    if services == Service::ALL {
        return "every program".to_owned();
    }
    if services == Service::DAEMONS {
        return "every daemon".to_owned();
    }
    let names: Vec<String> = services.iter().map(|s| format!("`{}`", s.program())).collect();
    names.join(", ")
}

/// Documentation comments are wrapped; a table cell is one line.
fn one_line(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_in_the_docs_is_the_generated_one() {
        crate::generated::assert_current("docs/configuration.md", &reference_markdown());
    }

    #[test]
    fn every_setting_has_its_row() {
        let text = reference_markdown();
        for setting in SETTINGS {
            assert!(text.contains(&format!("| `{}`<br>", setting.name)), "{}", setting.name);
            assert!(setting.doc.trim_end().ends_with('.'), "{}: {}", setting.name, setting.doc);
        }
    }
}
