//! The flags that every program has for its settings.

use std::path::PathBuf;

use super::error::{ConfigError, ConfigErrors};
use super::kind::Kind;
use super::load::{LoadOptions, Loaded, Resolved};
use super::settings::{SETTINGS, Settings};

/// Flags about settings, to be flattened into the flags of a program.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ConfigArgs {
    /// Settings file (TOML)
    #[arg(long, value_name = "FILE", env = "SCHEDULER_CONFIG", global = true)]
    pub config: Option<PathBuf>,

    /// Set one setting, such as executor.concurrency=64; wins over file and environment
    #[arg(long = "set", value_name = "NAME=VALUE", global = true)]
    pub overrides: Vec<String>,
}

impl ConfigArgs {
    /// Where the settings come from: these flags and the environment of this process.
    ///
    /// # Errors
    /// When a `--set` is not `name=value`.
    pub fn load_options(&self) -> Result<LoadOptions, ConfigErrors> {
        let mut options = LoadOptions::from_process_env();
        options.file = self.config.clone().filter(|path| !path.as_os_str().is_empty());
        options.overrides = self.parse_overrides()?;
        Ok(options)
    }

    /// Loads the settings from these flags, the file and the environment of this process.
    ///
    /// # Errors
    /// Every mistake that was found.
    pub fn load(&self) -> Result<Loaded, ConfigErrors> {
        Settings::load_with_origins(self.load_options()?)
    }

    fn parse_overrides(&self) -> Result<Vec<(String, String)>, ConfigErrors> {
        let (mut pairs, mut errors) = (Vec::new(), Vec::new());
        for flag in &self.overrides {
            match flag.split_once('=') {
                Some((name, value)) => pairs.push((name.trim().to_owned(), value.to_owned())),
                None => errors.push(ConfigError::Flag(flag.clone())),
            }
        }
        if errors.is_empty() { Ok(pairs) } else { Err(ConfigErrors(errors)) }
    }
}

impl Settings {
    /// Loads the settings of this process: flags, file and environment.
    ///
    /// # Errors
    /// Every mistake that was found.
    pub fn load_from_process(args: &ConfigArgs) -> Result<Self, ConfigErrors> {
        args.load().map(|loaded| loaded.settings)
    }
}

impl Loaded {
    /// Every setting with its value and origin, as a TOML file that could be loaded again (except
    /// for what is hidden).
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        let mut section = "";
        for setting in &self.resolved {
            let (first, key) = setting.name.split_once('.').unwrap_or(("", setting.name));
            if first != section {
                let gap = if section.is_empty() { "" } else { "\n" };
                text.push_str(&format!("{gap}[{first}]\n"));
                section = first;
            }
            let quoted = format!("{:?}", setting.shown);
            let value = if is_bare(setting) { &setting.shown } else { &quoted };
            text.push_str(&format!("{key} = {value}  # {}\n", setting.origin));
        }
        text
    }
}

/// Whether TOML writes the value without quotes: a number, true or false.
fn is_bare(setting: &Resolved) -> bool {
    let kind = SETTINGS.iter().find(|known| known.name == setting.name).map(|known| known.kind);
    let word = setting.shown.as_str();
    match kind {
        Some(Kind::Integer { .. } | Kind::Decimal { .. } | Kind::Duration { .. }) => {
            word.parse::<f64>().is_ok_and(|number| number.to_string() == word)
        }
        Some(Kind::Bool) => matches!(word, "true" | "false"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        config: ConfigArgs,
    }

    fn parse(flags: &[&str]) -> ConfigArgs {
        Program::parse_from([&["program"], flags].concat()).config
    }

    #[test]
    fn flags_become_overrides_in_order() {
        let args = parse(&["--set", "log.filter=a=b", "--set", "api.listen=127.0.0.1:1"]);
        let pairs = args.parse_overrides().unwrap();
        assert_eq!(pairs[0], ("log.filter".into(), "a=b".into()));
        assert_eq!(pairs[1].0, "api.listen");
    }

    #[test]
    fn a_flag_without_a_value_is_refused() {
        let errors = parse(&["--set", "concurrency"]).parse_overrides().unwrap_err();
        assert_eq!(errors.to_string(), "--set concurrency: expected name=value");
    }

    #[test]
    fn the_printed_settings_can_be_loaded_again() {
        let env = vec![("SCHEDULER_EXECUTOR_LANES".to_owned(), "default,slow=3".to_owned())];
        let options = LoadOptions { env, ..LoadOptions::default() };
        let loaded = Settings::load_with_origins(options).unwrap();
        let text = loaded.to_toml();
        assert!(text.contains("lanes = \"default,slow=3\"  # environment variable SCHEDULER_EXECUTOR_LANES"));
        assert!(text.contains("claim_batch = 500  # default"));
        let path = std::env::temp_dir().join(format!("settings-{}.toml", std::process::id()));
        std::fs::write(&path, text).unwrap();
        let again = Settings::load(LoadOptions { file: Some(path.clone()), ..Default::default() });
        std::fs::remove_file(path).unwrap();
        assert_eq!(again.unwrap(), loaded.settings);
    }
}
