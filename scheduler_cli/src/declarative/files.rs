//! Reading the files: YAML or JSON, one or several documents a file.

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// What files say that there is to be.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Names that begin so belong to the files; only these are ever pruned.
    pub prefixes: Vec<String>,
    /// Calendars by name, in the order of the files.
    pub calendars: Vec<Entry>,
    /// Templates by name, in the order of the files.
    pub templates: Vec<Entry>,
}

/// One calendar or template.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// The body of its creation, the name included.
    pub body: Map<String, Value>,
    /// Where it stands.
    pub file: String,
}

/// One document.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    prefix: Option<String>,
    #[serde(default)]
    calendars: Vec<Map<String, Value>>,
    #[serde(default)]
    templates: Vec<Map<String, Value>>,
}

/// Reads files, the files of folders (`.yaml`, `.yml`, `.json`), or `-` for standard input.
pub fn read(paths: &[PathBuf]) -> anyhow::Result<Wanted> {
    let mut wanted = Wanted::default();
    for path in paths {
        for (file, text) in texts(path)? {
            add(&mut wanted, &file, &text)?;
        }
    }
    refuse_doubles("calendar", &wanted.calendars)?;
    refuse_doubles("template", &wanted.templates)?;
    Ok(wanted)
}

fn texts(path: &Path) -> anyhow::Result<Vec<(String, String)>> {
    if path == Path::new("-") {
        let text = std::io::read_to_string(std::io::stdin()).context("cannot read standard input")?;
        return Ok(vec![("standard input".to_owned(), text)]);
    }
    let read = |path: &Path| -> anyhow::Result<(String, String)> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok((path.display().to_string(), text))
    };
    if !path.is_dir() {
        return Ok(vec![read(path)?]);
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut files: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known)));
    if files.is_empty() {
        bail!("{} has no .yaml, .yml or .json files", path.display());
    }
    files.sort();
    files.iter().map(|file| read(file)).collect()
}

fn add(wanted: &mut Wanted, file: &str, text: &str) -> anyhow::Result<()> {
    for document in documents(text).with_context(|| format!("{file} cannot be read"))? {
        let prefix = document.prefix.filter(|prefix| !prefix.is_empty());
        for (list, entries, what) in [
            (&mut wanted.calendars, document.calendars, "calendar"),
            (&mut wanted.templates, document.templates, "template"),
        ] {
            for body in entries {
                list.push(entry(body, file, what, prefix.as_deref())?);
            }
        }
        wanted.prefixes.extend(prefix);
    }
    Ok(())
}

fn documents(text: &str) -> anyhow::Result<Vec<Document>> {
    // `yes` and `on` are words, as YAML 1.2 says, and no booleans.
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        let said = error.to_string();
        let quote = ["anchor", "alias", "indicator", "cannot start"].iter().any(|word| said.contains(word));
        let hint =
            if quote { "\n(text that begins with * @ & ! % or ` needs quotes, such as cron expressions)" } else { "" };
        anyhow::anyhow!("{said}{hint}")
    })
}

fn entry(body: Map<String, Value>, file: &str, what: &str, prefix: Option<&str>) -> anyhow::Result<Entry> {
    let name = match body.get("name") {
        Some(Value::String(name)) => name.clone(),
        Some(other) => bail!("{file}: the name of a {what} is {other}; it has to be text (put it in quotes)"),
        None => bail!("{file}: a {what} has no `name`"),
    };
    match prefix {
        Some(prefix) if !name.starts_with(prefix) => {
            bail!("{file}: the {what} `{name}` does not begin with the prefix `{prefix}` that the file says is its own")
        }
        _ => Ok(Entry { name, body, file: file.to_owned() }),
    }
}

fn refuse_doubles(what: &str, entries: &[Entry]) -> anyhow::Result<()> {
    let mut seen: HashMap<&str, &str> = HashMap::new();
    for entry in entries {
        if let Some(first) = seen.insert(&entry.name, &entry.file) {
            bail!("the {what} `{}` is in {first} and again in {}", entry.name, entry.file);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read_text(text: &str) -> anyhow::Result<Wanted> {
        let mut wanted = Wanted::default();
        add(&mut wanted, "f.yaml", text)?;
        refuse_doubles("template", &wanted.templates)?;
        Ok(wanted)
    }

    #[test]
    fn documents_are_gathered_in_order() {
        let wanted = read_text(
            "prefix: a/\ntemplates:\n- name: a/one\n  schedule: {kind: cron, expression: '* * * * *'}\n  job: {on: yes}\n---\n\
             calendars:\n- {name: days, definition: {dates: [2026-12-24]}}\ntemplates:\n- name: b\n",
        )
        .unwrap();
        assert_eq!(wanted.prefixes, ["a/"]);
        assert_eq!(wanted.templates.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["a/one", "b"]);
        assert_eq!(wanted.templates[0].body["job"], serde_json::json!({"on": "yes"}));
        assert_eq!(wanted.calendars[0].body["definition"], serde_json::json!({"dates": ["2026-12-24"]}));
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, said) in [
            ("templates:\n- name: a\n  schedule: {expression: */5 * * * *}\n", "needs quotes"),
            ("templates:\n- name: a\n  x: @daily\n", "line 3"),
            ("templates:\n- name: a\n- name: a\n", "again in f.yaml"),
            ("templates:\n- schedule: {}\n", "has no `name`"),
            ("templates:\n- name: 5\n", "in quotes"),
            ("prefix: a/\ntemplates:\n- name: b\n", "does not begin with the prefix `a/`"),
            ("template:\n- name: a\n", "template"),
            ("templates:\n- name: a\n  name: b\n", "duplicate"),
            ("templates: [", "line 1"),
        ] {
            let error = format!("{:#}", read_text(text).unwrap_err());
            assert!(error.contains(said), "{text:?}: {error}");
        }
    }
}
