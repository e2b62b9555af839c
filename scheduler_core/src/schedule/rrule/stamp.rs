//! Dates and times as iCalendar writes them: `20260101`, `20260101T090000`, `20260101T090000Z`.

use chrono::{NaiveDate, NaiveDateTime};

use super::super::civil::DAY;
use super::super::words::quoted;

/// A date or time as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Stamp {
    /// Seconds as if local time were UTC; midnight of a date.
    pub(in super::super) local: i64,
    pub(in super::super) form: Form,
}

/// What a [`Stamp`] says about its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Form {
    /// A whole day.
    Date,
    /// A time on the clocks of a zone that is named elsewhere.
    Local,
    /// A time in UTC.
    Utc,
}

impl Stamp {
    /// Reads one date or time; the error is the middle of a sentence.
    pub(in super::super) fn parse(text: &str) -> Result<Stamp, String> {
        const EXAMPLES: &str = "20260131T090000, 20260131T090000Z or 20260131";
        let refused = || {
            let hint = if text.contains('-') { " (without hyphens and colons)" } else { "" };
            format!("{} is not a date or time; allowed are forms such as {EXAMPLES}{hint}", quoted(text))
        };
        if !text.is_ascii() || text.len() > 16 {
            return Err(refused());
        }
        let (digits, form) = match text.strip_suffix('Z') {
            Some(digits) => (digits, Form::Utc),
            None => (text, if text.len() == 8 { Form::Date } else { Form::Local }),
        };
        let parsed = match digits.len() {
            8 if form == Form::Date => NaiveDate::parse_from_str(digits, "%Y%m%d").ok().map(NaiveDateTime::from),
            15 => NaiveDateTime::parse_from_str(digits, "%Y%m%dT%H%M%S").ok(),
            _ => None,
        };
        let all_digits = digits.bytes().enumerate().all(|(at, byte)| byte.is_ascii_digit() || at == 8);
        let parsed = parsed.filter(|_| all_digits).ok_or_else(refused)?;
        let local = parsed.and_utc().timestamp();
        // The years that iCalendar files come with; 1601 is where some programs begin to count.
        let years = -11_644_473_600..253_402_300_800;
        if !years.contains(&local) {
            return Err(format!("{} is out of range; allowed are the years 1601 to 9999", quoted(text)));
        }
        Ok(Stamp { local, form })
    }

    /// The day, counted from 1970-01-01.
    pub(in super::super) fn day(self) -> i64 {
        self.local.div_euclid(DAY)
    }
}
