//! What a template does when time does not run as planned: overlap, catch-up, jitter, bounds, failures.

use super::FieldError;
use chrono::{DateTime, Datelike as _, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest jitter: a day.
const MAX_JITTER_SECONDS: i64 = 86_400;
/// Longest catch-up window: thirty days.
const MAX_WINDOW_SECONDS: i64 = 30 * 86_400;
/// The years that a bound may lie in.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=9998;

/// What happens when an occurrence falls due while `max_concurrent` (default 1) earlier ones are still live.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OverlapPolicy {
    /// The later one is skipped, with a record that says so.
    #[default]
    Skip,
    /// One waits for its turn; what falls due while one waits is skipped.
    BufferOne,
    /// All wait for their turn, in order.
    BufferAll,
    /// The earliest one is called off, and the later one starts when it has ended. One that has not started yet is skipped.
    CancelOther,
    /// The same without a grace for the earlier one, where its kind of target has a grace; webhooks have none.
    TerminateOther,
    /// Both run.
    AllowAll,
}

impl OverlapPolicy {
    /// Every policy.
    pub const ALL: [Self; 6] =
        [Self::Skip, Self::BufferOne, Self::BufferAll, Self::CancelOther, Self::TerminateOther, Self::AllowAll];

    /// The name in the API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::BufferOne => "buffer_one",
            Self::BufferAll => "buffer_all",
            Self::CancelOther => "cancel_other",
            Self::TerminateOther => "terminate_other",
            Self::AllowAll => "allow_all",
        }
    }

    /// Reads the database's name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == text)
    }
}

/// Which missed occurrences are made up for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatchupPolicy {
    /// None.
    None,
    /// The latest one.
    #[default]
    Latest,
    /// All within the window, up to `catchup_max_runs`, the latest of them.
    All,
}

/// What becomes of a template whose schedule has ended, once its last job has, too.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AfterCompletion {
    /// It stays.
    #[default]
    None,
    /// It is deleted; its jobs and its ledger stay until their retention ends.
    Delete,
}

/// The policies of a template but `overlap`, as they are stored and shown. What is missing has its default.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TemplatePolicies {
    /// How many of its jobs may run at a time (default 1); beyond that the overlap policy decides.
    pub max_concurrent: Option<i64>,
    /// Which missed occurrences are made up for (default `latest`).
    pub catchup_policy: CatchupPolicy,
    /// How late an occurrence may be made up for, in seconds (default 3600).
    pub catchup_window_seconds: i64,
    /// How many are made up for after one downtime by `all` (default 100).
    pub catchup_max_runs: i64,
    /// Starts are spread over this many seconds after the nominal time, each occurrence by a fixed share (default 0).
    pub jitter_seconds: i64,
    /// No occurrence before this time.
    pub start_at: Option<DateTime<Utc>>,
    /// No occurrence after this time; one at this very time still is.
    pub end_at: Option<DateTime<Utc>>,
    /// The schedule ends after this many runs.
    pub max_runs: Option<i64>,
    /// What becomes of the template when its schedule has ended (default `none`).
    pub action_after_completion: AfterCompletion,
    /// The template pauses itself when this many of its jobs in a row became dead letters.
    pub pause_after_failures: Option<i64>,
}

impl Default for TemplatePolicies {
    fn default() -> Self {
        Self {
            max_concurrent: None,
            catchup_policy: CatchupPolicy::default(),
            catchup_window_seconds: 3600,
            catchup_max_runs: 100,
            jitter_seconds: 0,
            start_at: None,
            end_at: None,
            max_runs: None,
            action_after_completion: AfterCompletion::default(),
            pause_after_failures: None,
        }
    }
}

impl TemplatePolicies {
    /// Everything wrong with them, beside this overlap policy.
    pub fn validate(&self, overlap: OverlapPolicy) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut within = |value: Option<i64>, low: i64, high: i64, pointer: &str| {
            if value.is_some_and(|n| !(low..=high).contains(&n)) {
                errors.push(FieldError::new(pointer, format!("must be from {low} to {high}")));
            }
        };
        within(self.max_concurrent, 1, 1000, "/max_concurrent");
        within(Some(self.catchup_window_seconds), 0, MAX_WINDOW_SECONDS, "/catchup_window_seconds");
        within(Some(self.catchup_max_runs), 1, 10_000, "/catchup_max_runs");
        within(Some(self.jitter_seconds), 0, MAX_JITTER_SECONDS, "/jitter_seconds");
        within(self.max_runs, 1, 1_000_000_000, "/max_runs");
        within(self.pause_after_failures, 1, 1000, "/pause_after_failures");
        if overlap == OverlapPolicy::AllowAll && self.max_concurrent.is_some() {
            let why = "`allow_all` sets no limit; remove max_concurrent, or choose buffer_all or skip";
            errors.push(FieldError::new("/max_concurrent", why));
        }
        errors.extend(self.validate_bounds());
        errors
    }

    fn validate_bounds(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        for (at, pointer) in [(self.start_at, "/start_at"), (self.end_at, "/end_at")] {
            if at.is_some_and(|at| !YEARS.contains(&at.year())) {
                errors.push(FieldError::new(pointer, "the year must be from 1970 to 9998"));
            }
        }
        if let (Some(start), Some(end)) = (self.start_at, self.end_at)
            && end < start
        {
            errors.push(FieldError::new("/end_at", "lies before start_at: this never runs"));
        }
        errors
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    fn policies(value: Value) -> TemplatePolicies {
        serde_json::from_value(value).unwrap()
    }

    fn pointers(value: Value, overlap: OverlapPolicy) -> Vec<String> {
        policies(value).validate(overlap).into_iter().map(|error| error.pointer).collect()
    }

    #[test]
    fn what_is_missing_has_its_default_and_the_stored_form_reads_back() {
        assert_eq!(policies(json!({})), TemplatePolicies::default());
        let all = TemplatePolicies {
            max_concurrent: Some(3),
            catchup_policy: CatchupPolicy::All,
            start_at: Some("2027-01-01T00:00:00Z".parse().unwrap()),
            action_after_completion: AfterCompletion::Delete,
            ..TemplatePolicies::default()
        };
        assert_eq!(policies(serde_json::to_value(&all).unwrap()), all);
        assert!(serde_json::from_value::<TemplatePolicies>(json!({"invented_later": 1})).is_err());
    }

    #[test]
    fn bounds_are_told_with_a_pointer() {
        let wrong = json!({
            "max_concurrent": 0, "catchup_window_seconds": -1, "catchup_max_runs": 0, "jitter_seconds": 86_401,
            "max_runs": 0, "pause_after_failures": 0
        });
        let expected = [
            "/max_concurrent",
            "/catchup_window_seconds",
            "/catchup_max_runs",
            "/jitter_seconds",
            "/max_runs",
            "/pause_after_failures",
        ];
        assert_eq!(pointers(wrong, OverlapPolicy::Skip), expected);
        let reversed = json!({"start_at": "2027-01-02T00:00:00Z", "end_at": "2027-01-01T00:00:00Z"});
        assert_eq!(pointers(reversed, OverlapPolicy::Skip), ["/end_at"]);
        assert_eq!(pointers(json!({"max_concurrent": 1}), OverlapPolicy::AllowAll), ["/max_concurrent"]);
        assert_eq!(pointers(json!({"max_concurrent": 1001}), OverlapPolicy::Skip), ["/max_concurrent"]);
        assert_eq!(pointers(json!({"max_concurrent": 3}), OverlapPolicy::BufferAll), Vec::<String>::new());
        assert_eq!(pointers(json!({"max_concurrent": 1}), OverlapPolicy::Skip), Vec::<String>::new());
    }

    #[test]
    fn overlap_policies_keep_their_names() {
        for policy in OverlapPolicy::ALL {
            assert_eq!(OverlapPolicy::parse(policy.as_str()), Some(policy));
            assert_eq!(serde_json::to_value(policy).unwrap(), policy.as_str());
        }
    }
}
