//! The code holds to its architecture: import fences, headers, file sizes, generated documents.

use scheduler_core::domain::transitions::{TRANSITIONS, diagram};
use std::path::{Path, PathBuf};

const SERVICES: [&str; 5] =
    ["task_scheduler_api", "task_recurrence_manager", "queue_populator", "task_executor", "task_failure_watcher"];
/// A file is one idea; beyond this it is several.
const MOST_LINES: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every Rust file of the workspace below `folder`, with its path from the root.
fn rust_files(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                open.push(path);
            } else if name.ends_with(".rs") {
                let shown = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                found.push((shown, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "no Rust files below {folder:?}");
    found
}

/// Lines of code: comments and strings in comments do not count as imports.
fn code_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim_start).filter(|line| !line.starts_with("//"))
}

fn assert_absent(files: &[(String, String)], words: &[&str], why: &str) {
    let hits: Vec<String> = files
        .iter()
        .flat_map(|(path, text)| code_lines(text).map(move |line| (path, line)))
        .filter(|(_, line)| words.iter().any(|word| line.contains(word)))
        .map(|(path, line)| format!("{path}: {line}"))
        .collect();
    assert!(hits.is_empty(), "{why}:\n{}", hits.join("\n"));
}

/// Whether it is a file of a module's tests.
fn is_test(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part.ends_with("tests.rs"))
}

#[test]
fn only_the_core_speaks_sql_or_redis() {
    for crate_ in SERVICES.iter().chain(&["scheduler_cli"]) {
        assert_absent(
            &rust_files(&format!("{crate_}/src")),
            &["sqlx::", "fred::"],
            "SQL or Redis outside scheduler_core",
        );
    }
}

#[test]
fn services_never_import_each_other() {
    for service in SERVICES {
        let manifest = std::fs::read_to_string(root().join(service).join("Cargo.toml")).unwrap();
        for other in SERVICES.iter().filter(|other| **other != service) {
            assert!(!manifest.contains(&format!("{other}.workspace")), "{service} depends on {other}");
            assert!(!manifest.contains(&format!("{other} =")), "{service} depends on {other}");
        }
    }
}

#[test]
fn domain_and_schedule_are_pure() {
    let impure = ["sqlx", "fred::", "tokio", "Utc::now", "SystemTime", "Instant", "std::fs", "std::net", "async fn"];
    for folder in ["scheduler_core/src/domain", "scheduler_core/src/schedule"] {
        // Their tests may time a call: that it is quick is part of what they promise.
        let (tests, code): (Vec<_>, Vec<_>) = rust_files(folder).into_iter().partition(|(path, _)| is_test(path));
        assert_absent(&code, &impure, "I/O, async or a clock in a pure module");
        let impure: Vec<&str> = impure.into_iter().filter(|word| *word != "Instant").collect();
        assert_absent(&tests, &impure, "I/O, async or the time of day in a test of a pure module");
    }
}

#[test]
fn store_and_queue_do_not_know_each_other() {
    assert_absent(&rust_files("scheduler_core/src/store"), &["crate::queue"], "the store uses the queue");
    assert_absent(&rust_files("scheduler_core/src/queue"), &["crate::store"], "the queue uses the store");
}

#[test]
fn every_edge_has_its_function() {
    for edge in TRANSITIONS {
        let (file, function) = edge.function.split_once("::").unwrap();
        // A module is a file, or a folder with a file for each of its functions.
        let module = format!("scheduler_core/src/store/transitions/{file}");
        let text = std::fs::read_to_string(root().join(format!("{module}.rs")))
            .or_else(|_| std::fs::read_to_string(root().join(format!("{module}/{function}.rs"))))
            .unwrap_or_else(|_| panic!("{edge:?} names {module}, which is missing"));
        assert!(text.contains(&format!("fn {function}(")), "{module} has no fn {function}, which {edge:?} names");
    }
}

#[test]
fn every_service_says_what_it_is() {
    for service in SERVICES {
        let text = std::fs::read_to_string(root().join(service).join("src/lib.rs")).unwrap();
        for word in ["Reads", "Writes", "Wakes on", "Edges it owns", "If it dies"] {
            let said = text.lines().any(|line| line.starts_with("//!") && line.contains(word));
            assert!(said, "{service}/src/lib.rs does not say: {word}");
        }
    }
}

#[test]
fn files_are_one_idea() {
    for (path, text) in rust_files("") {
        let lines = text.lines().count();
        assert!(lines <= MOST_LINES, "{path} has {lines} lines; more than {MOST_LINES} is more than one idea");
        assert!(path.contains("/tests/") || text.starts_with("//!"), "{path} does not say what it is (//!)");
    }
}

#[test]
fn nothing_is_left_for_later_in_the_code() {
    let marks =
        [concat!("to", "do!("), concat!("unimpl", "emented!("), concat!("FIX", "ME"), concat!("TO", "DO"), "#[ignore"];
    let files: Vec<_> = rust_files("").into_iter().filter(|(path, _)| !path.ends_with("tidy.rs")).collect();
    assert_absent(&files, &marks, "unfinished");
}

#[test]
fn the_state_diagram_is_the_table() {
    let mut text = String::from(
        "# States of a job\n\nGenerated from `scheduler_core/src/domain/transitions.rs`; \
         `UPDATE_DOCS=1 cargo test -p system_tests tidy` writes it anew.\n\n",
    );
    text.push_str(&diagram());
    text.push_str("\n| from | event | to | owner | statement |\n|---|---|---|---|---|\n");
    for edge in TRANSITIONS {
        text.push_str(&format!(
            "| {} | {:?} | {} | {:?} | `{}` |\n",
            edge.from, edge.event, edge.to, edge.owner, edge.function
        ));
    }
    let path = root().join("docs/states.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(stored, text, "docs/states.md is not what the table says; run with UPDATE_DOCS=1");
}

#[test]
fn the_architecture_page_names_only_what_exists() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut checked = 0;
    for name in text.split('`').skip(1).step_by(2) {
        let is_path = name.contains('/') && !name.contains(['{', '<', ' ', '*', ':']) && !name.starts_with('/');
        if is_path {
            assert!(root().join(name).exists(), "ARCHITECTURE.md names {name}, which does not exist");
            checked += 1;
        }
    }
    assert!(checked > 20, "only {checked} paths found: is the code map still there?");
}
