//! The JSON form of a schedule as a documented type, for the API document and for clients.
//!
//! Requests are not read through this type: [`Schedule::parse`](super::Schedule::parse) answers every mistake with
//! a pointer and a sentence, which derived deserialisation cannot.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::policy::{DstFold, DstGap};

/// When a template runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ScheduleSpec {
    /// Local times by a cron expression.
    Cron {
        /// Five fields (minute, hour, day-of-month, month, day-of-week); six put the second first; seven also put
        /// the year last; or an alias from `@hourly` to `@yearly`.
        #[schema(example = "0 9 * * 1-5")]
        expression: String,
        /// IANA time zone; `UTC` when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(example = "America/New_York")]
        timezone: Option<String>,
        /// Local times that do not exist; left out: `next_valid`, or `skip` if minute or hour start with `*`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dst_gap: Option<DstGap>,
        /// Local times that come twice; left out: `first`, or `both` if minute or hour start with `*`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dst_fold: Option<DstFold>,
    },
    /// Every n seconds of real time, counted from an anchor.
    Interval {
        /// Seconds between two runs, at least 1.
        #[schema(example = 90, minimum = 1)]
        every_seconds: u64,
        /// An RFC 3339 time, `epoch` or `start` (when the template was created); `epoch` when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(example = "epoch")]
        anchor: Option<String>,
        /// IANA time zone for display; `UTC` when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timezone: Option<String>,
    },
    /// One single time.
    Once {
        /// An RFC 3339 time with its offset.
        #[schema(example = "2026-12-24T18:00:00+01:00")]
        at: String,
        /// IANA time zone for display; `UTC` when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timezone: Option<String>,
    },
}
