//! The JSON form of a schedule as a documented type, for the API document and for clients.
//!
//! Requests are not read through this type: [`Schedule::parse`](super::Schedule::parse) answers every mistake with
//! a pointer and a sentence, which derived deserialisation cannot.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::CalendarUse;
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
        /// Calendars that exclude its days, or outside of whose days nothing runs.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calendars: Vec<CalendarUse>,
    },
    /// Every n seconds of real time, counted from an anchor.
    Interval {
        /// Seconds between two runs, at least 1.
        #[schema(example = 90, minimum = 1)]
        every_seconds: u64,
        /// An RFC 3339 time, `epoch`, `start` (when the template was created) or `completion` (of the last run); `epoch`
        /// when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(example = "epoch")]
        anchor: Option<String>,
        /// IANA time zone for display; `UTC` when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timezone: Option<String>,
        /// Calendars that exclude its days, or outside of whose days nothing runs.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calendars: Vec<CalendarUse>,
    },
    /// One single time.
    Once {
        /// An RFC 3339 time with its offset.
        #[schema(example = "2026-12-24T18:00:00+01:00")]
        at: String,
        /// IANA time zone for display; `UTC` when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timezone: Option<String>,
        /// Calendars that exclude its days, or outside of whose days nothing runs.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calendars: Vec<CalendarUse>,
    },
    /// A recurrence set of RFC 5545.
    Rrule {
        /// The lines DTSTART, RRULE, RDATE and EXDATE.
        #[schema(example = "DTSTART;TZID=America/New_York:20260105T090000\nRRULE:FREQ=WEEKLY;BYDAY=MO,FR")]
        expression: String,
        /// IANA time zone, if DTSTART names none; `UTC` when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timezone: Option<String>,
        /// Local times that do not exist; left out: `next_valid`. RFC 5545 itself means `shift`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dst_gap: Option<DstGap>,
        /// Local times that come twice; left out: `first`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dst_fold: Option<DstFold>,
        /// Calendars that exclude its days, or outside of whose days nothing runs.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calendars: Vec<CalendarUse>,
    },
    /// Ticks within windows of the day.
    Windows {
        /// The windows, at most 32.
        windows: Vec<WindowSpec>,
        /// IANA time zone; `UTC` when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timezone: Option<String>,
        /// Calendars that exclude its days, or outside of whose days nothing runs.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calendars: Vec<CalendarUse>,
    },
    /// Several schedules as one, minus exclusions.
    Union {
        /// The schedules.
        #[schema(no_recursion)]
        schedules: Vec<ScheduleSpec>,
        /// What is taken out: the times of schedules (of windows, all the time that they are open), or spans such as
        /// `{"from":"2026-12-24T00:00:00Z","to":"2026-12-27T00:00:00Z"}`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        except: Vec<serde_json::Value>,
        /// IANA time zone for display and calendars; that of the first schedule when left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timezone: Option<String>,
        /// Calendars that exclude its days, or outside of whose days nothing runs.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calendars: Vec<CalendarUse>,
    },
}

/// A window of the day in which something runs again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WindowSpec {
    /// Weekdays on which it opens, such as `MON-FRI` or `SAT,SUN`; every day when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "SUN-THU")]
    pub days: Option<String>,
    /// When it opens, `HH:MM`.
    #[schema(example = "10:00")]
    pub start: String,
    /// Up to when it is open, inclusive, `HH:MM`, at most `24:00`; earlier than `start` means the next day.
    #[schema(example = "14:30")]
    pub end: String,
    /// Seconds between two runs, counted from the opening.
    #[schema(example = 900, minimum = 1)]
    pub every_seconds: u64,
}
