//! What can be wrong with the settings. All mistakes are reported at once.

use std::fmt;
use std::path::PathBuf;

/// One mistake in the settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read or is not TOML.
    #[error("cannot read the settings file {}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such setting.
    #[error("unknown setting {name} ({origin}){}", hint(suggestion))]
    Unknown {
        /// The name, spelled as it was given.
        name: String,
        /// Where it was given.
        origin: String,
        /// The nearest name that exists, spelled in the same way.
        suggestion: Option<String>,
    },
    /// The value is not allowed.
    #[error("{name} cannot be {given} ({origin}): expected {allowed}")]
    Invalid {
        /// The setting.
        name: String,
        /// Where the value was given.
        origin: String,
        /// The value, or `***` when it may be a secret.
        given: String,
        /// What is allowed.
        allowed: String,
    },
    /// A flag that is not `name=value`.
    #[error("--set {0}: expected name=value")]
    Flag(String),
    /// Settings that are fine alone but not together.
    #[error("{0}")]
    Inconsistent(String),
}

fn hint(suggestion: &Option<String>) -> String {
    match suggestion {
        Some(name) => format!("; did you mean {name}?"),
        None => String::new(),
    }
}

/// Every mistake that was found, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [error] => write!(f, "{error}"),
            errors => {
                write!(f, "{} mistakes in the settings:", errors.len())?;
                errors.iter().try_for_each(|error| write!(f, "\n  {error}"))
            }
        }
    }
}

impl std::error::Error for ConfigErrors {}
