//! Generated documents, held to their source by tests (only compiled for tests).

/// Compares a document in the repository, named from its top, with what the code generates. With
/// `UPDATE_DOCS` in the environment it writes the document instead.
pub(crate) fn assert_current(document: &str, generated: &str) {
    let top = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let path = top.join(document);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, generated).expect("the document can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == generated, "{document} is out of date; run: UPDATE_DOCS=1 cargo test -p scheduler_core --lib");
}
