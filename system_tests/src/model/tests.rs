//! The protocol keeps its promises, its wrong variants do not, and the page says so.

use super::act::ACTS;
use super::*;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

#[test]
fn every_action_happens_somewhere() {
    let mut seen = std::collections::HashSet::new();
    let mut states = std::collections::HashSet::from([State::start(1).canonical()]);
    let mut open: Vec<State> = states.iter().copied().collect();
    while let Some(state) = open.pop() {
        for (act, next) in Steps::after(&state, None) {
            seen.insert(act);
            if states.insert(next) {
                open.push(next);
            }
        }
    }
    let missing: Vec<&str> = ACTS.iter().filter(|info| !seen.contains(&info.act)).map(|info| info.name).collect();
    assert!(missing.is_empty(), "never taken: {missing:?}");
}

#[test]
fn the_functions_that_the_actions_name_exist() {
    for code in ACTS.iter().filter_map(|info| info.code) {
        let (file, function) = code.split_once("::").unwrap();
        let text = std::fs::read_to_string(root().join(file)).unwrap_or_else(|_| panic!("{file} does not exist"));
        assert!(text.contains(&format!("fn {function}(")), "{file} has no function {function}");
    }
}

#[test]
fn the_protocol_keeps_its_promises_and_every_mistake_is_found() {
    let right = explore(&Model::right());
    assert!(right.violation.is_none(), "{right}");
    assert!(right.states > 100_000, "{right}");
    let page = page(&right);
    assert!(!page.contains("**none**"), "a mistake that the model does not find:\n{page}");
    let path = root().join("docs/model.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(stored, page, "docs/model.md is not what the model says; run with UPDATE_DOCS=1");
}
