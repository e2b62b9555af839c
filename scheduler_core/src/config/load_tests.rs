//! Tests of loading: layers, names, values, origins.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::TimeUnit;
use std::time::Duration;

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Loads from a file text, an environment and flags, without touching the disk.
fn load(toml: &str, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Loaded, ConfigErrors> {
    let mut loader = Loader::default();
    loader.defaults();
    loader.toml(Path::new("test.toml"), toml);
    loader.environment(&pairs(env));
    loader.flags(&pairs(flags));
    loader.finish()
}

fn message(toml: &str, env: &[(&str, &str)], flags: &[(&str, &str)]) -> String {
    load(toml, env, flags).unwrap_err().to_string()
}

#[test]
fn each_layer_wins_over_the_one_before() {
    let toml = "[executor]\nconcurrency = 2\nclaim_batch = 3\nresult_batch = 4";
    let env = [("SCHEDULER_EXECUTOR_CLAIM_BATCH", "30"), ("SCHEDULER_EXECUTOR_RESULT_BATCH", "40")];
    let loaded = load(toml, &env, &[("executor.result_batch", "400")]).unwrap();
    let executor = &loaded.settings.executor;
    assert_eq!(executor.claim_loops, 2);
    assert_eq!(executor.concurrency, 2);
    assert_eq!(executor.claim_batch, 30);
    assert_eq!(executor.result_batch, 400);
    let origin = |name: &str| loaded.resolved.iter().find(|resolved| resolved.name == name).unwrap().origin.clone();
    assert_eq!(origin("executor.claim_loops"), "default");
    assert_eq!(origin("executor.concurrency"), "file test.toml");
    assert_eq!(origin("executor.claim_batch"), "environment variable SCHEDULER_EXECUTOR_CLAIM_BATCH");
    assert_eq!(origin("executor.result_batch"), "flag --set");
}

#[test]
fn sections_and_dotted_names_mean_the_same() {
    for toml in ["session.renew_seconds = 1.5", "[session]\nrenew_seconds = 1.5", "session = { renew_seconds = 1.5 }"] {
        let session = load(toml, &[], &[]).unwrap().settings.session;
        assert_eq!(session.renew, Duration::from_millis(1500), "{toml}");
    }
}

#[test]
fn lists_are_arrays_or_have_commas() {
    let from_file = load(r#"executor.lanes = ["default", "slow=32"]"#, &[], &[]).unwrap();
    let from_env = load("", &[("SCHEDULER_EXECUTOR_LANES", "default, slow=32")], &[]).unwrap();
    assert_eq!(from_file.settings, from_env.settings);
    assert_eq!(from_file.settings.executor.lanes.to_string(), "default,slow=32");
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest() {
    assert_eq!(
        message("[executor]\nconcurency = 2", &[], &[]),
        "unknown setting executor.concurency (file test.toml); did you mean executor.concurrency?"
    );
    assert_eq!(
        message("", &[("SCHEDULER_DATABSE_URL", "x")], &[]),
        "unknown setting SCHEDULER_DATABSE_URL (environment variable); \
         did you mean SCHEDULER_DATABASE_URL?"
    );
    assert_eq!(
        message("", &[], &[("executor.lane", "x")]),
        "unknown setting executor.lane (flag --set); did you mean executor.lanes?"
    );
    assert_eq!(
        message("[exector]\nconcurrency = 2", &[], &[]),
        "unknown setting exector.concurrency (file test.toml); did you mean executor.concurrency?"
    );
    assert_eq!(message("zebra = 2", &[], &[]), "unknown setting zebra (file test.toml)");
}

#[test]
fn empty_sections_are_fine_when_they_exist() {
    assert!(load("[executor]\n[api]", &[], &[]).is_ok());
    assert!(message("[exekutor]", &[], &[]).starts_with("unknown setting exekutor"));
}

#[test]
fn a_value_that_is_not_allowed_names_setting_origin_and_limits() {
    assert_eq!(
        message("[executor]\nconcurrency = 0", &[], &[]),
        "executor.concurrency cannot be 0 (file test.toml): \
         expected a whole number from 1 to 100000"
    );
    assert_eq!(
        message("", &[("SCHEDULER_SESSION_RENEW_SECONDS", "soon")], &[]),
        "session.renew_seconds cannot be \"soon\" (environment variable \
         SCHEDULER_SESSION_RENEW_SECONDS): expected a number of seconds from 0.05 to 60"
    );
    assert_eq!(
        message("[executor]\nallow_private_addresses = 1", &[], &[]),
        "executor.allow_private_addresses cannot be 1 (file test.toml): expected true or false"
    );
    assert!(message("executor = 5", &[], &[]).starts_with("unknown setting executor "));
    assert!(message("executor.concurrency.a = 5", &[], &[]).contains("executor.concurrency.a"));
    assert!(message("[executor.concurrency]", &[], &[]).contains("cannot be a table"));
}

#[test]
fn secrets_show_neither_in_errors_nor_in_values() {
    let bad = message("", &[("SCHEDULER_DATABASE_URL", "pg://u:hunter2@db/x")], &[]);
    assert!(!bad.contains("hunter2") && bad.contains("cannot be ***"), "{bad}");
    let env = [
        ("SCHEDULER_DATABASE_URL", "postgres://u:hunter2@db/x"),
        ("SCHEDULER_WATCHER_ALERT_SECRET", "hunter2"),
        ("SCHEDULER_WATCHER_ALERT_URL", "https://alerts.example/hunter2"),
    ];
    let loaded = load("", &env, &[]).unwrap();
    for shown in [format!("{loaded:?}"), loaded.to_toml()] {
        assert!(!shown.contains("hunter2") && shown.contains("***"), "{shown}");
    }
    assert_eq!(loaded.settings.database.url.expose(), "postgres://u:hunter2@db/x");
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let errors = load("zebra = 1\nlog.format = \"xml\"", &[("SCHEDULER_NOPE", "1")], &[]).unwrap_err();
    assert_eq!(errors.0.len(), 3, "{errors}");
    assert!(errors.to_string().starts_with("3 mistakes in the settings:\n  "));
}

#[test]
fn settings_must_fit_each_other() {
    assert!(message("session.lost_seconds = 5", &[], &[]).starts_with("session.lost_seconds must"));
    assert!(message("api.payload_limit_bytes = \"16MiB\"", &[], &[]).starts_with("api.payload_limit"));
}

#[test]
fn a_file_that_is_missing_or_broken_is_named() {
    let options = LoadOptions { file: Some("/nonexistent/s.toml".into()), ..Default::default() };
    let error = Settings::load(options).unwrap_err().to_string();
    assert!(error.starts_with("cannot read the settings file /nonexistent/s.toml: "), "{error}");
    let broken = message("[executor", &[], &[]);
    assert!(broken.starts_with("cannot read the settings file test.toml: TOML"), "{broken}");
}

#[test]
fn an_optional_setting_is_none_until_it_is_set() {
    assert_eq!(Settings::defaults().watcher.alert_url, None);
    let env = [("SCHEDULER_WATCHER_ALERT_URL", "https://alerts.example/x")];
    let url = load("", &env, &[]).unwrap().settings.watcher.alert_url.unwrap();
    assert_eq!(url.expose(), "https://alerts.example/x");
    assert_eq!(load("watcher.alert_url = \"\"", &[], &[]).unwrap().settings.watcher.alert_url, None);
}

/// A value that is allowed and differs from the default.
fn another(setting: &Setting) -> String {
    match setting.kind {
        Kind::Integer { min, max } | Kind::Bytes { min, max } => {
            let default = setting.kind.check(&Value::new(None, setting.default), false);
            let Some(Checked::Integer(default)) = default else { unreachable!() };
            (if default == min { max } else { min }).to_string()
        }
        Kind::Decimal { min, max } | Kind::Duration { min, max, .. } => {
            let default: f64 = setting.default.parse().unwrap();
            (if default == min { max } else { min }).to_string()
        }
        Kind::Bool => (setting.default != "true").to_string(),
        Kind::Text | Kind::Name | Kind::Secret => "another".to_owned(),
        Kind::Choice(words) => words.iter().find(|word| **word != setting.default).unwrap().to_string(),
        Kind::Url(schemes) => format!("{}://elsewhere", schemes[0]),
        Kind::Address(_) => "127.0.0.1:1".to_owned(),
        Kind::Lanes => "another=7".to_owned(),
    }
}

#[test]
fn every_setting_reaches_the_struct() {
    let defaults = Settings::defaults();
    for setting in SETTINGS {
        let value = Value::new(None, another(setting));
        let checked = setting.kind.check(&value, setting.optional()).unwrap();
        let mut values = BTreeMap::new();
        for each in SETTINGS {
            let default = Value::new(None, each.default);
            values.insert(each.name, each.kind.check(&default, each.optional()).unwrap());
        }
        values.insert(setting.name, checked);
        let changed = Settings::from_values(&CheckedValues(values));
        assert_ne!(changed, defaults, "{} reaches nothing", setting.name);
    }
}

#[test]
fn names_tell_their_units_and_sections() {
    for setting in SETTINGS {
        let (section, _) = setting.name.split_once('.').unwrap();
        assert!(SECTIONS.iter().any(|known| known.name == section), "{}", setting.name);
        let unit = match setting.kind {
            Kind::Duration { unit, .. } => unit.suffix(),
            Kind::Bytes { .. } => "_bytes",
            _ => "",
        };
        assert!(setting.name.ends_with(unit), "{} should end with {unit}", setting.name);
        let timed = [TimeUnit::Seconds, TimeUnit::Milliseconds, TimeUnit::Hours]
            .iter()
            .any(|unit| setting.name.ends_with(unit.suffix()));
        assert_eq!(timed, matches!(setting.kind, Kind::Duration { .. }), "{}", setting.name);
    }
}
