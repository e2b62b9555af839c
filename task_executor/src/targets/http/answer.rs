//! What an answer means for the job.

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use scheduler_core::domain::{ExecutionResult, HttpTarget};
use std::time::Duration;

/// The longest wait that a receiver can ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Turns status and headers into a result without body.
pub(super) fn classify(
    spec: &HttpTarget,
    status: StatusCode,
    headers: &HeaderMap,
    now: DateTime<Utc>,
) -> ExecutionResult {
    let response_status = Some(i32::from(status.as_u16()));
    if status.is_success() {
        return ExecutionResult { response_status, ..ExecutionResult::success() };
    }
    let passing = matches!(status.as_u16(), 408 | 425 | 429) || status.is_server_error();
    let retryable = passing || (status.is_client_error() && spec.retry_client_errors);
    let retry_after = retryable.then(|| retry_after(headers, now)).flatten();
    let sentence = format!("answered {}", status_text(status));
    ExecutionResult { response_status, retry_after, ..ExecutionResult::failure(sentence, retryable) }
}

/// `503 Service Unavailable`
pub(super) fn status_text(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

/// Reads `Retry-After`, in seconds or as a date; nonsense is no wish.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than fit are a wish for ever.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let until = DateTime::parse_from_rfc2822(text).ok()?;
        (until.to_utc() - now).to_std().unwrap_or_default()
    };
    Some(wait.min(LONGEST_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use chrono::TimeZone;
    use scheduler_core::domain::Outcome;

    fn answer(status: u16, retry_client_errors: bool, after: Option<&str>) -> ExecutionResult {
        let spec = HttpTarget {
            method: "POST".to_owned(),
            url: "http://a.test/".to_owned(),
            headers: Default::default(),
            retry_client_errors,
        };
        let mut headers = HeaderMap::new();
        if let Some(after) = after {
            headers.insert(RETRY_AFTER, after.parse().unwrap());
        }
        let now = Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap();
        classify(&spec, StatusCode::from_u16(status).unwrap(), &headers, now)
    }

    #[test]
    fn answers_are_successes_passing_or_final_failures() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(answer(status, false, None).outcome, Outcome::Succeeded, "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504, 599] {
            assert!(answer(status, false, None).retryable, "{status}");
        }
        for status in [300, 302, 304, 400, 401, 403, 404, 409, 410, 422, 451] {
            let result = answer(status, false, None);
            assert_eq!((result.outcome, result.retryable), (Outcome::Failed, false), "{status}");
        }
    }

    #[test]
    fn client_errors_are_retried_for_those_who_ask() {
        assert!(answer(404, true, None).retryable);
        assert!(!answer(302, true, None).retryable);
    }

    #[test]
    fn the_sentence_names_the_answer() {
        assert_eq!(answer(503, false, None).error.unwrap(), "answered 503 Service Unavailable");
        assert_eq!(answer(599, false, None).error.unwrap(), "answered 599");
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_date_and_bounded() {
        let wish = |text| answer(503, false, Some(text)).retry_after.map(|d| d.as_secs());
        assert_eq!(wish("0"), Some(0));
        assert_eq!(wish(" 17 "), Some(17));
        assert_eq!(wish("99999999999999999999999"), Some(86_400));
        assert_eq!(wish("Sun, 01 Mar 2026 12:02:00 GMT"), Some(120));
        assert_eq!(wish("Sun, 01 Mar 2026 11:00:00 GMT"), Some(0));
        assert_eq!(wish("Thu, 01 Jan 2099 00:00:00 GMT"), Some(86_400));
        for nonsense in ["", "soon", "-5", "1.5", "12:00"] {
            assert_eq!(wish(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_final_failure_has_no_wish() {
        assert_eq!(answer(404, false, Some("5")).retry_after, None);
    }
}
