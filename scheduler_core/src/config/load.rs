//! Loading: four layers become one checked [`Settings`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::{Config, File, FileFormat, Map, Source, Value, ValueKind};

use super::check::Checked;
use super::environment::{env_name, is_ours, setting_of};
use super::error::{ConfigError, ConfigErrors};
use super::kind::{Kind, Setting};
use super::section::Values;
use super::settings::{SECTIONS, SETTINGS, Settings};
use super::types::SecretUrl;

/// Where settings come from, as values, so that tests bring their own.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The settings file, if there is one. It must exist.
    pub file: Option<PathBuf>,
    /// The environment. Variables without our prefix are ignored.
    pub env: Vec<(String, String)>,
    /// Flags: names and values, the later winning over the earlier.
    pub overrides: Vec<(String, String)>,
}

impl LoadOptions {
    /// No file, no flags, and the environment of this process.
    pub fn from_process_env() -> Self {
        // A variable that is not text cannot be one of ours in a useful way; lossy names its place.
        let env = std::env::vars_os().map(|(name, value)| (lossy(&name), lossy(&value))).collect();
        Self { env, ..Self::default() }
    }
}

fn lossy(text: &std::ffi::OsStr) -> String {
    text.to_string_lossy().into_owned()
}

/// Settings together with where each value came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Every setting in the order of the table.
    pub resolved: Vec<Resolved>,
}

/// One setting as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Its name.
    pub name: &'static str,
    /// Its value as text that may be shown.
    pub shown: String,
    /// Where it came from.
    pub origin: String,
}

impl Settings {
    /// The defaults alone.
    pub fn defaults() -> Self {
        match Self::load(LoadOptions::default()) {
            Ok(settings) => settings,
            Err(errors) => unreachable!("a default is not allowed: {errors}"),
        }
    }

    /// Loads the settings: defaults < file < environment < flags.
    ///
    /// # Errors
    /// Every mistake that was found in any layer.
    pub fn load(options: LoadOptions) -> Result<Self, ConfigErrors> {
        Self::load_with_origins(options).map(|loaded| loaded.settings)
    }

    /// Like [`Settings::load`], and says where each value came from.
    ///
    /// # Errors
    /// Every mistake that was found in any layer.
    pub fn load_with_origins(options: LoadOptions) -> Result<Loaded, ConfigErrors> {
        let mut loader = Loader::default();
        loader.defaults();
        if let Some(path) = &options.file {
            loader.file(path);
        }
        loader.environment(&options.env);
        loader.flags(&options.overrides);
        loader.finish()
    }
}

/// Settings of one layer by name, with their origins.
#[derive(Clone, Debug)]
struct Layer(Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.0.clone())
    }
}

#[derive(Default)]
struct Loader {
    layers: Vec<Layer>,
    errors: Vec<ConfigError>,
}

impl Loader {
    fn defaults(&mut self) {
        let origin = "default".to_owned();
        let layer =
            SETTINGS.iter().map(|setting| (setting.name.to_owned(), Value::new(Some(&origin), setting.default)));
        self.layers.push(Layer(layer.collect()));
    }

    fn file(&mut self, path: &Path) {
        match std::fs::read_to_string(path) {
            Ok(text) => self.toml(path, &text),
            Err(error) => self.file_error(path, error.to_string()),
        }
    }

    fn toml(&mut self, path: &Path, text: &str) {
        let tables = match File::from_str(text, FileFormat::Toml).collect() {
            Ok(tables) => tables,
            Err(error) => return self.file_error(path, error.to_string()),
        };
        let origin = format!("file {}", path.display());
        let mut leaves = BTreeMap::new();
        flatten("", tables, &mut leaves);
        let mut layer = Map::new();
        for (name, kind) in leaves {
            match (setting_named(&name), &kind) {
                (Some(setting), ValueKind::Table(_)) => {
                    self.errors.push(invalid(setting, &kind, origin.clone()));
                }
                (Some(_), _) => drop(layer.insert(name, Value::new(Some(&origin), kind))),
                (None, _) if is_empty_section(&name, &kind) => {}
                (None, _) => self.unknown(&name, &origin, suggest(&name)),
            }
        }
        self.layers.push(Layer(layer));
    }

    fn file_error(&mut self, path: &Path, reason: String) {
        self.errors.push(ConfigError::File { path: path.to_owned(), reason });
    }

    fn environment(&mut self, env: &[(String, String)]) {
        let mut layer = Map::new();
        for (variable, value) in env.iter().filter(|(variable, value)| is_ours(variable, value)) {
            match setting_of(variable) {
                Some(setting) => {
                    let origin = format!("environment variable {variable}");
                    layer.insert(setting.name.to_owned(), Value::new(Some(&origin), value.as_str()));
                }
                None => {
                    let nearest = suggest_variable(variable);
                    self.unknown(variable, "environment variable", nearest);
                }
            }
        }
        self.layers.push(Layer(layer));
    }

    fn flags(&mut self, overrides: &[(String, String)]) {
        let origin = "flag --set".to_owned();
        let mut layer = Map::new();
        for (name, value) in overrides {
            if setting_named(name).is_some() {
                layer.insert(name.clone(), Value::new(Some(&origin), value.as_str()));
            } else {
                self.unknown(name, &origin, suggest(name));
            }
        }
        self.layers.push(Layer(layer));
    }

    fn unknown(&mut self, name: &str, origin: &str, suggestion: Option<String>) {
        let (name, origin) = (name.to_owned(), origin.to_owned());
        self.errors.push(ConfigError::Unknown { name, origin, suggestion });
    }

    fn finish(mut self) -> Result<Loaded, ConfigErrors> {
        let merged = merge(std::mem::take(&mut self.layers));
        let mut checked = BTreeMap::new();
        let mut resolved = Vec::with_capacity(SETTINGS.len());
        for setting in SETTINGS {
            let Some(value) = merged.get(setting.name) else {
                unreachable!("{} has a default", setting.name);
            };
            let origin = value.origin().unwrap_or_default().to_owned();
            match setting.kind.check(value, setting.optional()) {
                Some(good) => {
                    let shown = shown(setting.kind, &value.kind);
                    resolved.push(Resolved { name: setting.name, shown, origin });
                    checked.insert(setting.name, good);
                }
                None => self.errors.push(invalid(setting, &value.kind, origin)),
            }
        }
        if !self.errors.is_empty() {
            return Err(ConfigErrors(self.errors));
        }
        let settings = Settings::from_values(&CheckedValues(checked));
        match inconsistencies(&settings) {
            errors if errors.is_empty() => Ok(Loaded { settings, resolved }),
            errors => Err(ConfigErrors(errors)),
        }
    }
}

struct CheckedValues(BTreeMap<&'static str, Checked>);

impl Values for CheckedValues {
    fn value(&self, name: &'static str) -> &Checked {
        &self.0[name]
    }
}

/// Puts the layers on top of each other; the later wins. Names are checked before, so that the
/// result holds exactly the settings of the table.
fn merge(layers: Vec<Layer>) -> BTreeMap<String, Value> {
    let mut builder = Config::builder();
    for layer in layers {
        builder = builder.add_source(layer);
    }
    let merged = builder.build().and_then(|config| config.collect());
    let mut leaves = BTreeMap::new();
    collect_values("", merged.expect("layers in memory cannot fail"), &mut leaves);
    leaves
}

fn collect_values(prefix: &str, table: Map<String, Value>, leaves: &mut BTreeMap<String, Value>) {
    for (key, value) in table {
        let name = join(prefix, &key);
        match value.kind {
            ValueKind::Table(inner) => collect_values(&name, inner, leaves),
            _ => drop(leaves.insert(name, value)),
        }
    }
}

/// Tables become dotted names. An empty table stays, so that a misspelled empty section shows.
fn flatten(prefix: &str, table: Map<String, Value>, leaves: &mut BTreeMap<String, ValueKind>) {
    for (key, value) in table {
        let name = join(prefix, &key);
        match value.kind {
            ValueKind::Table(inner) if !inner.is_empty() => flatten(&name, inner, leaves),
            kind => drop(leaves.insert(name, kind)),
        }
    }
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

fn setting_named(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

fn is_empty_section(name: &str, kind: &ValueKind) -> bool {
    matches!(kind, ValueKind::Table(_)) && SECTIONS.iter().any(|section| section.name == name)
}

/// The nearest name of a setting, if it is near enough to be what was meant.
fn suggest(name: &str) -> Option<String> {
    nearest(name, SETTINGS.iter().map(|setting| setting.name.to_owned()))
}

fn suggest_variable(variable: &str) -> Option<String> {
    nearest(variable, SETTINGS.iter().map(|setting| env_name(setting.name)))
}

fn nearest(given: &str, known: impl Iterator<Item = String>) -> Option<String> {
    const NEAR_ENOUGH: f64 = 0.85;
    known
        .map(|name| (strsim::jaro_winkler(given, &name), name))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(score, _)| *score >= NEAR_ENOUGH)
        .map(|(_, name)| name)
}

fn invalid(setting: &Setting, given: &ValueKind, origin: String) -> ConfigError {
    let given = match given {
        _ if setting.kind.is_secret() => "***".to_owned(),
        ValueKind::String(text) => format!("{text:?}"),
        ValueKind::Array(_) => "this list".to_owned(),
        ValueKind::Table(_) => "a table".to_owned(),
        other => other.to_string(),
    };
    let allowed = setting.kind.allowed();
    ConfigError::Invalid { name: setting.name.to_owned(), origin, given, allowed }
}

/// A value as text that may be shown.
fn shown(kind: Kind, value: &ValueKind) -> String {
    let text = match value {
        ValueKind::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| item.kind.to_string()).collect();
            items.join(",")
        }
        other => other.to_string(),
    };
    match kind {
        _ if text.is_empty() => text,
        Kind::Secret => "***".to_owned(),
        Kind::Url(_) => SecretUrl::new(text).to_string(),
        _ => text,
    }
}

/// What the table cannot say: settings that must fit each other.
fn inconsistencies(settings: &Settings) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    let mut require = |holds: bool, sentence: &str| {
        if !holds {
            errors.push(ConfigError::Inconsistent(sentence.to_owned()));
        }
    };
    let Settings { session, populator, api, .. } = settings;
    require(
        session.lost >= session.renew * 3,
        "session.lost_seconds must be at least three times session.renew_seconds, \
         or a living session is lost to one slow renewal",
    );
    require(
        populator.lookahead >= populator.sweep * 2,
        "populator.lookahead_seconds must be at least twice populator.sweep_seconds, \
         or jobs fall due between two sweeps unseen",
    );
    require(
        populator.lane_lease >= populator.sweep * 3,
        "populator.lane_lease_seconds must be at least three times populator.sweep_seconds, \
         or a populator loses its lanes while it works",
    );
    require(
        api.payload_limit_bytes <= api.body_limit_bytes,
        "api.payload_limit_bytes must not exceed api.body_limit_bytes, \
         or no payload of that size can be sent",
    );
    errors
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
