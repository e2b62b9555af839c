//! `.dev/env`: what a running `make dev` tells the command line.

use std::path::{Path, PathBuf};

/// The variables of the nearest `.dev/env`.
#[derive(Debug, Default)]
pub struct DevEnv {
    variables: Vec<(String, String)>,
}

impl DevEnv {
    /// Looks in this folder and its parents; empty when there is none.
    pub fn find() -> Self {
        let here = std::env::current_dir().unwrap_or_default();
        here.ancestors().map(|folder| folder.join(".dev/env")).find_map(|file| Self::read(&file)).unwrap_or_default()
    }

    /// Reads one file; `None` when it is not there.
    pub fn read(file: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(file).ok()?;
        let variable = |line: &str| {
            let (name, value) = line.trim().strip_prefix("export ").unwrap_or(line.trim()).split_once('=')?;
            let value = value.trim_matches(['"', '\'']);
            (!name.starts_with('#')).then(|| (name.to_owned(), value.to_owned()))
        };
        Some(Self { variables: text.lines().filter_map(variable).collect() })
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All variables.
    pub fn iter(&self) -> impl Iterator<Item = &(String, String)> {
        self.variables.iter()
    }

    /// Writes the file so that a reader sees the old or the new one, and only its owner sees it at all.
    pub fn write(folder: &Path, variables: &[(&str, &str)]) -> std::io::Result<PathBuf> {
        use std::io::Write as _;
        use std::os::unix::fs::OpenOptionsExt as _;
        std::fs::create_dir_all(folder)?;
        let (file, draft) = (folder.join("env"), folder.join("env.new"));
        let mut out = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        for (name, value) in variables {
            writeln!(out, "{name}={value}")?;
        }
        out.sync_all()?;
        std::fs::rename(&draft, &file)?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = std::env::temp_dir().join(format!("dev-env-{}", std::process::id()));
        let file = DevEnv::write(&folder, &[("SCHEDULER_URL", "http://127.0.0.1:1"), ("SCHEDULER_API_KEY", "sk_a_b=")])
            .unwrap();
        let env = DevEnv::read(&file).unwrap();
        assert_eq!(env.get("SCHEDULER_API_KEY"), Some("sk_a_b="));
        assert_eq!(env.get("OTHER"), None);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
