//! What a producer asks for: the body of `POST /v1/jobs`, and the `job` of a template.

use super::{Backoff, FieldError, Target, variables};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

/// Attempts when the job does not say.
pub const DEFAULT_MAX_ATTEMPTS: i32 = 5;
/// Seconds an attempt may take when the job does not say.
pub const DEFAULT_TIMEOUT_SECONDS: f64 = 30.0;
/// Priority when the job does not say; 0 goes first, 9 last.
pub const DEFAULT_PRIORITY: i16 = 5;
/// Jobs that one job may wait for.
pub const MAX_PARENTS: usize = 100;
/// The furthest time that can be asked for: the database and every client can still write it.
const LAST_YEAR: i32 = 9998;

/// When a job with parents may run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunIf {
    /// All of them succeeded; otherwise the job is skipped.
    #[default]
    AllSucceeded,
    /// All of them ended, however.
    AllFinished,
}

impl RunIf {
    /// The name in the API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllSucceeded => "all_succeeded",
            Self::AllFinished => "all_finished",
        }
    }
}

/// One job to be run.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobSpec {
    /// The merchant's queue (default `default`).
    #[serde(default = "default_queue")]
    pub queue: String,
    /// 0 goes first, 9 last (default 5).
    #[serde(default = "default_priority")]
    pub priority: i16,
    /// When to run: an RFC 3339 time. Absent: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_at: Option<DateTime<Utc>>,
    /// Seconds from now, instead of `run_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_seconds: Option<f64>,
    /// What to do.
    pub target: Target,
    /// Any JSON; the body of the webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub payload: Option<Box<RawValue>>,
    /// Attempts in all, the first included (default 5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<i32>,
    /// Waits between attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    /// Seconds that one attempt may take (default 30).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
    /// Seconds after `run_at` by which an attempt must have started; later the job is `expired`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_deadline_seconds: Option<f64>,
    /// At most one live job per queue and key; a second create is answered 409 with the first one's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedupe_key: Option<String>,
    /// Jobs of the queue with the same key run one at a time, or so many at once as the queue's
    /// `concurrency_key_limit` says; the others wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_key: Option<String>,
    /// Jobs that must have ended first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Uuid>,
    /// How they must have ended (default `all_succeeded`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_if: Option<RunIf>,
    /// Names and values of the producer's own, for filters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
    /// The producer's own id; need not be unique.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

fn default_queue() -> String {
    "default".to_owned()
}

fn default_priority() -> i16 {
    DEFAULT_PRIORITY
}

impl JobSpec {
    /// Everything wrong with the job, beyond its JSON types.
    pub fn validate(&self) -> Vec<FieldError> {
        self.validate_for(&self.target)
    }

    /// Unknown names between double braces, where the job of a template may have variables.
    pub fn validate_variables(&self) -> Vec<FieldError> {
        let payload = self.payload.as_ref().map(|raw| variables::check(raw.get())).unwrap_or_default();
        let target = serde_json::to_string(&self.target).map(|text| variables::check(&text)).unwrap_or_default();
        let at_target = target.into_iter().map(|error| error.under("/target"));
        payload.into_iter().map(|error| error.under("/payload")).chain(at_target).collect()
    }

    /// [`JobSpec::validate`] with this target in the place of the job's.
    fn validate_for(&self, target: &Target) -> Vec<FieldError> {
        let mut errors = self.validate_shape(target);
        errors.extend(self.validate_times());
        errors.extend(self.validate_keys());
        if self.depends_on.len() > MAX_PARENTS {
            errors.push(FieldError::new(
                "/depends_on",
                format!("more than {MAX_PARENTS} parents; chain the jobs instead"),
            ));
        }
        if self.run_if.is_some() && self.depends_on.is_empty() {
            errors
                .push(FieldError::new("/run_if", "has a meaning only with depends_on; remove it or name the parents"));
        }
        errors
    }

    /// Everything wrong with the job of a template: its schedule says when, so the job may not.
    pub fn validate_in_template(&self) -> Vec<FieldError> {
        let mut errors = self.validate_for(&variables::with_examples(&self.target));
        let mut refuse = |present: bool, pointer: &str, why: &str| {
            if present {
                errors.push(FieldError::new(pointer, why));
            }
        };
        refuse(self.run_at.is_some(), "/run_at", "the schedule says when the job runs; remove it");
        refuse(self.delay_seconds.is_some(), "/delay_seconds", "the schedule says when the job runs; remove it");
        refuse(!self.depends_on.is_empty(), "/depends_on", "jobs of a template cannot wait for others; remove it");
        refuse(self.dedupe_key.is_some(), "/dedupe_key", "each occurrence is one job already; use the overlap policy");
        errors
    }

    /// When the job is to run, seen from `now`.
    pub fn resolve_run_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        match (self.run_at, self.delay_seconds) {
            (Some(at), _) => at,
            (None, Some(delay)) => now + seconds(delay),
            (None, None) => now,
        }
    }

    /// The last moment at which a first attempt may start, for a job planned at `run_at`.
    pub fn start_deadline_at(&self, run_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.start_deadline_seconds.map(|n| run_at + seconds(n))
    }

    /// Time limit of one attempt, in milliseconds.
    pub fn timeout_ms(&self) -> i32 {
        // The cast saturates; validation has bounded the value far below.
        (self.timeout_seconds.unwrap_or(DEFAULT_TIMEOUT_SECONDS) * 1000.0) as i32
    }

    fn validate_shape(&self, target: &Target) -> Vec<FieldError> {
        let mut errors = Vec::new();
        errors.extend(validate_name(&self.queue).map(|why| FieldError::new("/queue", why)));
        if !(0..=9).contains(&self.priority) {
            errors.push(FieldError::new("/priority", "must be from 0 (first) to 9 (last)"));
        }
        errors.extend(target.validate().into_iter().map(|e| e.under("/target")));
        if self.max_attempts.is_some_and(|n| !(1..=1000).contains(&n)) {
            errors.push(FieldError::new("/max_attempts", "must be from 1 to 1000"));
        }
        errors.extend(self.backoff.iter().flat_map(Backoff::validate).map(|e| e.under("/backoff")));
        if self.payload.as_ref().is_some_and(|raw| has_nul_escape(raw.get())) {
            errors.push(FieldError::new("/payload", NUL));
        }
        if let Some(metadata) = &self.metadata {
            let text = serde_json::to_string(metadata).unwrap_or_default();
            if has_nul_escape(&text) {
                errors.push(FieldError::new("/metadata", NUL));
            }
            if text.len() > 16 * 1024 {
                errors.push(FieldError::new("/metadata", "larger than 16 KiB; move data into the payload"));
            }
        }
        errors
    }

    fn validate_times(&self) -> Vec<FieldError> {
        use chrono::Datelike as _;
        let mut errors = Vec::new();
        if self.run_at.is_some() && self.delay_seconds.is_some() {
            errors.push(FieldError::new("/delay_seconds", "give run_at or delay_seconds, not both"));
        }
        if self.run_at.is_some_and(|at| !(1970..=LAST_YEAR).contains(&at.year())) {
            errors.push(FieldError::new("/run_at", format!("the year must be from 1970 to {LAST_YEAR}")));
        }
        let mut within = |value: Option<f64>, low: f64, high: f64, pointer: &str| {
            if value.is_some_and(|n| !(low..=high).contains(&n)) {
                errors.push(FieldError::new(pointer, format!("must be from {low} to {high} seconds")));
            }
        };
        within(self.delay_seconds, 0.0, 10.0 * 366.0 * 86_400.0, "/delay_seconds");
        within(self.timeout_seconds, 0.001, 86_400.0, "/timeout_seconds");
        within(self.start_deadline_seconds, 0.001, 366.0 * 86_400.0, "/start_deadline_seconds");
        errors
    }

    fn validate_keys(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut check = |value: &Option<String>, pointer: &str| {
            if let Some(why) = value.as_deref().and_then(validate_key) {
                errors.push(FieldError::new(pointer, why));
            }
        };
        check(&self.dedupe_key, "/dedupe_key");
        check(&self.concurrency_key, "/concurrency_key");
        check(&self.external_id, "/external_id");
        errors
    }
}

const NUL: &str = "contains the character U+0000 (\\u0000), which cannot be stored; remove it";

/// Whether JSON text has the escape of U+0000 in it; `\\u0000` (an escaped backslash) is not one.
pub fn has_nul_escape(json: &str) -> bool {
    json.match_indices("\\u0000").any(|(at, _)| {
        let backslashes = json[..at].bytes().rev().take_while(|b| *b == b'\\').count();
        backslashes % 2 == 0
    })
}

/// What is wrong with a queue's or a template's name, if anything.
pub fn validate_name(name: &str) -> Option<&'static str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-:/".contains(&b);
    if name.is_empty() || name.len() > 128 {
        Some("must have 1 to 128 characters")
    } else if !name.bytes().all(plain) {
        Some("may have letters, digits and . _ - : / only")
    } else {
        None
    }
}

/// What is wrong with the name of a lane, if anything.
pub fn validate_lane(name: &str) -> Option<&'static str> {
    match validate_name(name) {
        None if name.len() > 64 => Some("must have 1 to 64 characters"),
        wrong => wrong,
    }
}

/// What is wrong with a key or id that the producer chose, if anything.
pub fn validate_key(key: &str) -> Option<&'static str> {
    if key.is_empty() || key.len() > 256 {
        Some("must have 1 to 256 bytes")
    } else if key.chars().any(char::is_control) {
        Some("must not have control characters")
    } else {
        None
    }
}

/// Seconds as a span of time; the caller has bounded the value.
fn seconds(n: f64) -> TimeDelta {
    TimeDelta::microseconds((n * 1e6) as i64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn spec(extra: &str) -> JobSpec {
        serde_json::from_str(&format!(r#"{{"target":{{"kind":"noop"}}{extra}}}"#)).unwrap()
    }

    fn pointers(spec: &JobSpec) -> Vec<String> {
        spec.validate().into_iter().map(|e| e.pointer).collect()
    }

    #[test]
    fn the_least_job_is_valid_and_due_now() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let spec = spec("");
        assert_eq!(pointers(&spec), Vec::<String>::new());
        assert_eq!(spec.resolve_run_at(now), now);
        assert_eq!((spec.queue.as_str(), spec.priority, spec.timeout_ms()), ("default", 5, 30_000));
    }

    #[test]
    fn each_bad_field_is_pointed_at() {
        let cases = [
            (r#","priority":10"#, "/priority"),
            (r#","queue":"a b""#, "/queue"),
            (r#","queue":"""#, "/queue"),
            (r#","max_attempts":0"#, "/max_attempts"),
            (r#","delay_seconds":-1"#, "/delay_seconds"),
            (r#","delay_seconds":1,"run_at":"2030-01-01T00:00:00Z""#, "/delay_seconds"),
            (r#","timeout_seconds":0"#, "/timeout_seconds"),
            (r#","backoff":{"factor":0.5}"#, "/backoff/factor"),
            (r#","payload":"a\u0000b""#, "/payload"),
            (r#","metadata":{"a":"\u0000"}"#, "/metadata"),
            (r#","dedupe_key":"""#, "/dedupe_key"),
            (r#","concurrency_key":"a\u0007""#, "/concurrency_key"),
            (r#","run_if":"all_finished""#, "/run_if"),
        ];
        for (extra, pointer) in cases {
            assert_eq!(pointers(&spec(extra)), [pointer], "{extra}");
        }
    }

    #[test]
    fn a_template_may_not_say_when() {
        let found: Vec<_> = spec(r#","delay_seconds":1,"dedupe_key":"k""#).validate_in_template();
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn an_escaped_backslash_before_u0000_is_no_nul() {
        assert!(has_nul_escape(r#""\u0000""#));
        assert!(!has_nul_escape(r#""\\u0000""#));
        assert!(has_nul_escape(r#""\\\u0000""#));
    }
}
