//! `windows`: "every 15 minutes between 10:00 and 14:30, Sunday to Thursday".
//!
//! A window opens and closes by the clock on the wall; between the two, its ticks are counted in real time from the
//! opening. So a day whose clocks change has more or fewer ticks, and never a doubled or a missing one.

mod warnings;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value};

use super::calendar::weekday_index;
use super::civil::DAY;
use super::interval::duration;
use super::object::{Members, type_name};
use super::occurrence::earliest;
use super::timeline::Timeline;
use super::words::{quoted, weekdays};
use super::{Occurrence, OccurrenceNote, ScheduleError};

/// The last two are refused with a sentence of their own.
const MEMBERS: [&str; 4] = ["windows", "timezone", "dst_gap", "dst_fold"];
const WINDOW_MEMBERS: [&str; 4] = ["days", "start", "end", "every_seconds"];

/// The most windows of one schedule.
const MAX_WINDOWS: usize = 32;

/// Every weekday.
const ALL_DAYS: u8 = 0b111_1111;

/// Ticks within windows of the day.
#[derive(Clone, Debug)]
pub struct WindowsSchedule {
    windows: Vec<Window>,
    timeline: Arc<Timeline>,
}

/// One window. It belongs to the day on which it opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    /// Bit 0 is Sunday.
    days: u8,
    /// Second of the day at which it opens.
    start: i64,
    /// Second, counted from the same midnight, up to which it is open; more than a day if it passes midnight.
    end: i64,
    /// Seconds from one tick to the next.
    every: i64,
}

impl WindowsSchedule {
    pub(super) fn timezone(&self) -> Tz {
        self.timeline.zone()
    }

    pub(super) fn next_after(&self, after: DateTime<Utc>) -> Option<Occurrence> {
        let at = after.timestamp();
        self.windows.iter().fold(None, |best, window| earliest(best, window.next_after(at, &self.timeline)))
    }

    /// The last instant of a window that is open at `at`.
    pub(super) fn open_until(&self, at: i64) -> Option<i64> {
        self.windows.iter().filter_map(|window| window.open_until(at, &self.timeline)).max()
    }

    pub(super) fn describe(&self) -> String {
        let windows: Vec<String> = self.windows.iter().map(Window::describe).collect();
        format!("{} ({})", windows.join("; "), self.timezone())
    }
}

impl Window {
    fn next_after(&self, after: i64, timeline: &Timeline) -> Option<Occurrence> {
        let today = timeline.local(after).div_euclid(DAY);
        // One that passes midnight may still be open from yesterday; a weekday comes again within seven days, or eight
        // where a day is missing.
        (today - 1..today + 9).filter(|day| self.opens_on(*day)).find_map(|day| {
            let (open, close) = self.hours_of(day, timeline);
            let passed = if after < open { 0 } else { (after - open) / self.every + 1 };
            let tick = open + passed * self.every;
            (tick <= close).then(|| self.occurrence(tick, day * DAY + self.start, timeline)).flatten()
        })
    }

    fn occurrence(&self, tick: i64, opening: i64, timeline: &Timeline) -> Option<Occurrence> {
        let at = DateTime::from_timestamp(tick, 0)?;
        let moved = tick == timeline.instant(opening) && timeline.local(tick) != opening;
        let note = if moved {
            Some(OccurrenceNote::DstGap)
        } else {
            timeline.comes_twice(tick).then_some(OccurrenceNote::DstFold)
        };
        Some(Occurrence { note, ..Occurrence::plain(at) })
    }

    fn open_until(&self, at: i64, timeline: &Timeline) -> Option<i64> {
        let today = timeline.local(at).div_euclid(DAY);
        let hours = (today - 1..=today).filter(|day| self.opens_on(*day)).map(|day| self.hours_of(day, timeline));
        hours.filter(|(open, close)| (open..=close).contains(&&at)).map(|(_, close)| close).max()
    }

    fn opens_on(&self, day: i64) -> bool {
        self.days >> (day + 4).rem_euclid(7) & 1 == 1
    }

    /// First and last instant of the window that opens on a day.
    fn hours_of(&self, day: i64, timeline: &Timeline) -> (i64, i64) {
        (timeline.instant(day * DAY + self.start), timeline.instant(day * DAY + self.end))
    }

    fn describe(&self) -> String {
        let every = duration(self.every.unsigned_abs());
        let days = if self.days == ALL_DAYS { String::new() } else { format!(", {}", weekdays(self.days.into())) };
        format!("Every {every} {}{days}", self.span())
    }

    /// `from 10:00 to 14:30`.
    fn span(&self) -> String {
        let (start, end) =
            (clock(self.start), if self.end == DAY { "24:00".to_owned() } else { clock(self.end % DAY) });
        let next_day = if self.end > DAY { " of the next day" } else { "" };
        format!("from {start} to {end}{next_day}")
    }
}

fn clock(second: i64) -> String {
    match second % 60 {
        0 => format!("{:02}:{:02}", second / 3_600, second / 60 % 60),
        rest => format!("{:02}:{:02}:{rest:02}", second / 3_600, second / 60 % 60),
    }
}

/// Reads a schedule of windows from its JSON object.
pub(super) fn parse(object: &Map<String, Value>) -> Result<WindowsSchedule, Vec<ScheduleError>> {
    const EXAMPLE: &str = "[{\"days\":\"SUN-THU\",\"start\":\"10:00\",\"end\":\"14:30\",\"every_seconds\":900}]";
    let mut members = Members::new(object, &MEMBERS);
    let zone = members.timezone();
    for name in ["dst_gap", "dst_fold"] {
        if members.get(name).is_some() {
            members.refuse(name, "windows open and close by the clock and count real time in between: leave it out");
        }
    }
    let mut windows = Vec::new();
    match members.required("windows", EXAMPLE) {
        Some(Value::Array(list)) if (1..=MAX_WINDOWS).contains(&list.len()) => {
            for (index, value) in list.iter().enumerate() {
                match window(value) {
                    Ok(window) => windows.push(window),
                    Err(errors) => {
                        let under = format!("/windows/{index}");
                        errors.into_iter().for_each(|error| members.record(error.under(&under)));
                    }
                }
            }
        }
        Some(Value::Array(list)) => {
            members.refuse("windows", format!("`windows` has {} entries; allowed are 1 to {MAX_WINDOWS}", list.len()));
        }
        Some(other) => members.refuse("windows", format!("`windows` must be a list, found {}", type_name(other))),
        None => {}
    }
    members.finish(Some(WindowsSchedule { windows, timeline: Timeline::of(zone) }))
}

fn window(value: &Value) -> Result<Window, Vec<ScheduleError>> {
    let Some(object) = value.as_object() else {
        return Err(vec![ScheduleError::whole(format!("a window is an object, found {}", type_name(value)))]);
    };
    let mut members = Members::plain(object, &WINDOW_MEMBERS);
    let days = members.get("days").map_or(Ok(ALL_DAYS), days);
    let days = days.map_err(|problem| members.refuse("days", problem)).unwrap_or(ALL_DAYS);
    let start = time(&mut members, "start", "\"10:00\"", DAY - 1);
    let end = time(&mut members, "end", "\"14:30\"", DAY);
    let every = super::interval::every_seconds(&mut members).and_then(|seconds| i64::try_from(seconds).ok());
    let end = start.zip(end).map(|(start, end)| {
        if start == end {
            members.refuse("end", "a window of no length; a whole day is \"00:00\" to \"24:00\"");
        }
        if end < start { end + DAY } else { end }
    });
    let built = start.zip(end).zip(every);
    members.finish(built.map(|((start, end), every)| Window { days, start, end, every }))
}

/// `"SUN-THU"`, `"MON,WED"` or a list of such texts.
fn days(value: &Value) -> Result<u8, String> {
    let texts: Vec<&Value> = match value {
        Value::Array(list) if list.is_empty() => return Err("no day is given; leave it out for every day".to_owned()),
        Value::Array(list) => list.iter().take(100).collect(),
        other => vec![other],
    };
    let mut days = 0;
    for text in texts {
        let Some(text) = text.as_str() else {
            return Err(format!("days are texts such as \"MON-FRI\", found {}", type_name(text)));
        };
        for item in text.split(',').take(100) {
            let (first, last) = item.split_once('-').unwrap_or((item, item));
            let (first, last) = (weekday_index(first.trim())?, weekday_index(last.trim())?);
            // FRI-MON goes round the end of the week.
            let count = (last + 7 - first) % 7;
            days |= (0..=count).fold(0, |days, n| days | 1 << ((first + n) % 7));
        }
    }
    Ok(days)
}

/// A time of day in seconds, `HH:MM` or `HH:MM:SS`.
fn time(members: &mut Members<'_>, name: &str, example: &str, largest: i64) -> Option<i64> {
    let text = members.required(name, example).and_then(|value| members.text(name, value))?;
    let parts: Vec<Option<i64>> = text
        .split(':')
        .take(4)
        .map(|part| (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse().ok())?)
        .collect();
    let seconds = match parts[..] {
        [Some(hour), Some(minute)] if minute < 60 => Some(hour * 3_600 + minute * 60),
        [Some(hour), Some(minute), Some(second)] if minute < 60 && second < 60 => {
            Some(hour * 3_600 + minute * 60 + second)
        }
        _ => None,
    };
    let seconds = seconds.filter(|seconds| *seconds <= largest);
    if seconds.is_none() {
        let allowed = if largest == DAY { "00:01 to 24:00" } else { "00:00 to 23:59" };
        members
            .refuse(name, format!("{} is not a time of day; allowed are {allowed}, such as {example}", quoted(text)));
    }
    seconds
}
