//! How long to wait before the next attempt, and whether there is one.

use super::FieldError;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// How the wait grows from attempt to attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackoffKind {
    /// `initial × factor^(n−1)` before the retry after the n-th failure.
    #[default]
    Exponential,
    /// `initial × n`.
    Linear,
    /// `initial`.
    Fixed,
}

/// How chance spreads the waits of jobs that failed together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// Uniform between zero and the computed wait ("full jitter"): the least load on a target that comes back.
    #[default]
    Full,
    /// Exactly the computed wait.
    None,
}

/// Retry policy of a job.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Backoff {
    /// How the wait grows.
    pub kind: BackoffKind,
    /// The first wait, in seconds (default 1).
    pub initial_seconds: f64,
    /// Growth per failure of the exponential kind (default 2).
    pub factor: f64,
    /// The longest wait, in seconds (default 3600).
    pub max_seconds: f64,
    /// Spread.
    pub jitter: Jitter,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            kind: BackoffKind::Exponential,
            initial_seconds: 1.0,
            factor: 2.0,
            max_seconds: 3600.0,
            jitter: Jitter::Full,
        }
    }
}

/// Thirty days: the longest wait that can be asked for, in seconds.
const LONGEST_WAIT: f64 = 30.0 * 86_400.0;

impl Backoff {
    /// Everything wrong with the policy; pointers are relative to it.
    pub fn validate(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut check = |ok: bool, pointer: &str, detail: &str| {
            if !ok {
                errors.push(FieldError::new(pointer, detail));
            }
        };
        check(
            (0.0..=LONGEST_WAIT).contains(&self.initial_seconds),
            "/initial_seconds",
            "must be from 0 to 2592000 (30 days)",
        );
        check((1.0..=100.0).contains(&self.factor), "/factor", "must be from 1 to 100");
        check((0.0..=LONGEST_WAIT).contains(&self.max_seconds), "/max_seconds", "must be from 0 to 2592000 (30 days)");
        check(self.max_seconds >= self.initial_seconds, "/max_seconds", "must not be less than initial_seconds");
        errors
    }

    /// The wait after the `failures`-th failure (from 1). `chance` is uniform in 0..1 and decides the jitter.
    pub fn delay(&self, failures: u32, chance: f64) -> Duration {
        let n = f64::from(failures.max(1));
        let grown = match self.kind {
            BackoffKind::Exponential => self.initial_seconds * self.factor.powf(n - 1.0),
            BackoffKind::Linear => self.initial_seconds * n,
            BackoffKind::Fixed => self.initial_seconds,
        };
        // `min` also turns an overflow to infinity into the cap.
        let capped = grown.min(self.max_seconds).clamp(0.0, LONGEST_WAIT);
        let spread = match self.jitter {
            Jitter::Full => capped * chance.clamp(0.0, 1.0),
            Jitter::None => capped,
        };
        Duration::from_secs_f64(spread)
    }
}

/// What follows a failed attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Another attempt, this long after the failure.
    Retry(Duration),
    /// None: the attempts are used up.
    Exhausted,
    /// None: this kind of failure is not repeated.
    NotRetryable,
}

impl Verdict {
    /// The `reason` of the dead letter, if it is one.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Retry(_) => None,
            Self::Exhausted => Some("exhausted"),
            Self::NotRetryable => Some("not_retryable"),
        }
    }
}

/// Decides what follows the `failures`-th counted failure of a job.
///
/// `asked_wait` is what the target asked for with `Retry-After`; the wait is never shorter than that.
pub fn judge(
    backoff: &Backoff,
    failures: u32,
    max_attempts: u32,
    retryable: bool,
    asked_wait: Option<Duration>,
    chance: f64,
) -> Verdict {
    if !retryable {
        return Verdict::NotRetryable;
    }
    if failures >= max_attempts {
        return Verdict::Exhausted;
    }
    Verdict::Retry(backoff.delay(failures, chance).max(asked_wait.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steady(kind: BackoffKind) -> Backoff {
        Backoff { kind, initial_seconds: 2.0, factor: 3.0, max_seconds: 50.0, jitter: Jitter::None }
    }

    #[test]
    fn waits_grow_by_kind_and_stop_at_the_cap() {
        let waits = |kind| (1..=5).map(|n| steady(kind).delay(n, 0.5).as_secs()).collect::<Vec<_>>();
        assert_eq!(waits(BackoffKind::Exponential), [2, 6, 18, 50, 50]);
        assert_eq!(waits(BackoffKind::Linear), [2, 4, 6, 8, 10]);
        assert_eq!(waits(BackoffKind::Fixed), [2, 2, 2, 2, 2]);
    }

    #[test]
    fn huge_exponents_do_not_overflow() {
        assert_eq!(steady(BackoffKind::Exponential).delay(u32::MAX, 1.0), Duration::from_secs(50));
    }

    #[test]
    fn full_jitter_spreads_from_zero_to_the_wait() {
        let policy = Backoff { jitter: Jitter::Full, ..steady(BackoffKind::Fixed) };
        assert_eq!(policy.delay(1, 0.0), Duration::ZERO);
        assert_eq!(policy.delay(1, 0.25), Duration::from_millis(500));
        assert_eq!(policy.delay(1, 1.0), Duration::from_secs(2));
    }

    #[test]
    fn verdicts() {
        let policy = steady(BackoffKind::Fixed);
        assert_eq!(judge(&policy, 1, 3, false, None, 0.0), Verdict::NotRetryable);
        assert_eq!(judge(&policy, 3, 3, true, None, 0.0), Verdict::Exhausted);
        assert_eq!(judge(&policy, 2, 3, true, None, 0.0), Verdict::Retry(Duration::from_secs(2)));
        let asked = Some(Duration::from_secs(9));
        assert_eq!(judge(&policy, 2, 3, true, asked, 0.0), Verdict::Retry(Duration::from_secs(9)));
    }
}
