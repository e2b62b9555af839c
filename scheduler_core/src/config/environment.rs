//! Settings in the environment: names, and which variables are not ours to judge.

use super::kind::Setting;
use super::settings::SETTINGS;

/// The first part of the name of every variable.
pub const PREFIX: &str = "SCHEDULER_";

/// Variables with our prefix that are not settings: the command line owns them.
pub const FOREIGN_VARIABLES: &[&str] = &["SCHEDULER_URL", "SCHEDULER_API_KEY", "SCHEDULER_CONFIG", "SCHEDULER_OUTPUT"];

/// The variable of a setting: `database.url` is `SCHEDULER_DATABASE_URL`.
pub fn env_name(setting: &str) -> String {
    format!("{PREFIX}{}", setting.replace('.', "_").to_ascii_uppercase())
}

/// Whether a variable of the environment must be a setting.
pub fn is_ours(variable: &str, value: &str) -> bool {
    variable.starts_with(PREFIX) && !FOREIGN_VARIABLES.contains(&variable) && !is_service_link(variable, value)
}

/// The setting of a variable.
pub fn setting_of(variable: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| env_name(setting.name) == variable)
}

/// Whether Kubernetes made the variable: for a service called `scheduler-api` it gives every
/// container variables such as `SCHEDULER_API_PORT=tcp://10.0.0.1:8080`.
fn is_service_link(variable: &str, value: &str) -> bool {
    let link = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let port = |name: &str| {
        ["_TCP", "_UDP", "_SCTP"].iter().any(|protocol| {
            name.contains(protocol)
                && name.split(protocol).next().is_some_and(|before| {
                    before
                        .rsplit_once("_PORT_")
                        .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
                })
        })
    };
    variable.ends_with("_SERVICE_HOST")
        || variable.ends_with("_SERVICE_PORT")
        || variable.contains("_SERVICE_PORT_")
        || (variable.ends_with("_PORT") && link)
        || port(variable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_derived_and_never_clash() {
        assert_eq!(env_name("session.renew_seconds"), "SCHEDULER_SESSION_RENEW_SECONDS");
        let names: std::collections::BTreeSet<_> = SETTINGS.iter().map(|setting| env_name(setting.name)).collect();
        assert_eq!(names.len(), SETTINGS.len());
        for foreign in FOREIGN_VARIABLES {
            assert!(!names.contains(*foreign), "{foreign} would be a setting");
        }
    }

    #[test]
    fn variables_of_others_are_left_alone() {
        for (variable, value) in [
            ("PATH", "/bin"),
            ("SCHEDULER_URL", "http://127.0.0.1:8080"),
            ("SCHEDULER_API_SERVICE_HOST", "10.0.0.1"),
            ("SCHEDULER_API_SERVICE_PORT_HTTP", "8080"),
            ("SCHEDULER_API_PORT", "tcp://10.0.0.1:8080"),
            ("SCHEDULER_API_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("SCHEDULER_API_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ] {
            assert!(!is_ours(variable, value), "{variable}");
        }
        for variable in ["SCHEDULER_DATABASE_URL", "SCHEDULER_DATABSE_URL", "SCHEDULER_API_PORT"] {
            assert!(is_ours(variable, "8080"), "{variable}");
        }
    }
}
