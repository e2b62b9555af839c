//! Logging: structured events on stderr, for people in a terminal and for machines elsewhere.

use std::io::IsTerminal;

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

use crate::config::LogSettings;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Compact when stderr is a terminal, JSON otherwise.
    #[default]
    Auto,
    /// One short coloured line an event, with the seconds since the start.
    Compact,
    /// Several lines an event, with source locations.
    Pretty,
    /// One JSON object a line, with RFC 3339 times.
    Json,
}

impl LogFormat {
    fn resolve(self, terminal: bool) -> Self {
        match (self, terminal) {
            (LogFormat::Auto, true) => LogFormat::Compact,
            (LogFormat::Auto, false) => LogFormat::Json,
            (chosen, _) => chosen,
        }
    }
}

/// Starts logging for the whole process. Returns whether this call did it: `false` when a
/// subscriber is already there (a second call, a test harness), which then stays in charge.
///
/// Parts of the filter that cannot be read are left out and reported as the first log line.
pub fn init_logging(settings: &LogSettings) -> bool {
    let terminal = std::io::stderr().is_terminal();
    let (filter, bad) = parse_filter(&settings.filter);
    let base = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()));
    let done = match settings.format.resolve(terminal) {
        LogFormat::Json => base
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_timer(SystemTime)
            .try_init(),
        LogFormat::Pretty => base.pretty().with_timer(SystemTime).try_init(),
        LogFormat::Compact | LogFormat::Auto => base.compact().with_timer(SystemTime).try_init(),
    }
    .is_ok();
    if done && !bad.is_empty() {
        tracing::warn!(parts = bad.join(", "), "parts of log.filter cannot be read and are ignored");
    }
    done
}

/// Reads a filter such as `info,scheduler_core::store=debug`, part by part: one bad part must
/// not silence the others. Returns the bad parts too.
fn parse_filter(text: &str) -> (EnvFilter, Vec<String>) {
    let mut filter = EnvFilter::new("off");
    let mut bad = Vec::new();
    let mut any = false;
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match part.parse() {
            Ok(directive) => {
                filter = filter.add_directive(directive);
                any = true;
            }
            Err(_) => bad.push(part.to_owned()),
        }
    }
    if any { (filter, bad) } else { (EnvFilter::new("info"), bad) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_terminal_decides_unless_the_setting_does() {
        assert_eq!(LogFormat::Auto.resolve(true), LogFormat::Compact);
        assert_eq!(LogFormat::Auto.resolve(false), LogFormat::Json);
        assert_eq!(LogFormat::Pretty.resolve(false), LogFormat::Pretty);
    }

    #[test]
    fn a_bad_part_of_the_filter_does_not_silence_the_rest() {
        let (filter, bad) = parse_filter("info, task_executor=debug, sqlx==, ");
        assert_eq!(bad, ["sqlx=="]);
        let shown = filter.to_string();
        assert!(shown.contains("info") && shown.contains("task_executor=debug"), "{shown}");
    }

    #[test]
    fn an_empty_filter_means_info() {
        assert_eq!(parse_filter(" ").0.to_string(), "info");
        assert_eq!(parse_filter("===").0.to_string(), "info");
    }

    #[test]
    fn can_be_called_twice() {
        let mut settings = crate::config::Settings::defaults().log;
        settings.filter = "off".to_owned(); // the other tests stay quiet
        init_logging(&settings);
        assert!(!init_logging(&settings));
    }
}
