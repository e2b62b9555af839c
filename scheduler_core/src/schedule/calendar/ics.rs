//! Calendars from iCalendar files (RFC 5545): what calendar programs and providers of holidays export.

use chrono::DateTime;

use super::super::ScheduleError;
use super::super::civil::{DAY, date};
use super::super::policy::{DstFold, DstGap};
use super::super::rrule::{Form, Line, Stamp, property, set_of_lines, unfolded};
use super::super::words::quoted;
use super::days::{Calendar, DaySet, merged};

/// Longest file, in bytes.
const MAX_LENGTH: usize = 1_048_576;

/// The most dates of one recurring event: an endless rule is taken that far.
const MAX_DATES: usize = 5_000;

/// The most days and spans of one calendar.
const MAX_ENTRIES: usize = 50_000;

/// What the properties of an event say that matter here.
#[derive(Default)]
struct Event {
    lines: Vec<Line>,
    cancelled: bool,
}

/// When an event begins, and how long it takes.
struct Extent {
    /// Unix seconds; of a whole day, its midnight in UTC.
    begins: Vec<i64>,
    length: i64,
    whole_days: bool,
}

impl Calendar {
    /// Reads the events of an iCalendar file: events of whole days become days, others become spans of time. Recurring
    /// events are written out, up to 5,000 dates each; those that simply come every year stay yearly. Cancelled events
    /// are passed over.
    ///
    /// # Errors
    /// What is wrong with the file, with the number of the line.
    pub fn from_ics(text: &str) -> Result<Calendar, Vec<ScheduleError>> {
        if text.len() > MAX_LENGTH {
            let detail = format!("the file has {} bytes; allowed are {MAX_LENGTH}", text.len());
            return Err(vec![ScheduleError::whole(detail)]);
        }
        let events = events(text).map_err(|detail| vec![ScheduleError::whole(detail)])?;
        let mut days = DaySet::default();
        let (mut spans, mut errors) = (Vec::new(), Vec::new());
        for event in events.iter().filter(|event| !event.cancelled) {
            if let Err(problems) = event.add_to(&mut days, &mut spans) {
                errors.extend(problems.into_iter().map(ScheduleError::whole));
            }
            if days.ranges.len() + spans.len() > MAX_ENTRIES {
                errors.push(ScheduleError::whole(format!("more than {MAX_ENTRIES} days and times")));
                break;
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        days.ranges = merged(days.ranges);
        Ok(Calendar { days, except: DaySet::default(), spans: merged(spans) })
    }
}

/// The events of a file. The error is a sentence.
fn events(text: &str) -> Result<Vec<Event>, String> {
    let text = unfolded(text);
    let (mut events, mut open): (Vec<Event>, Option<Event>) = (Vec::new(), None);
    let mut is_calendar = false;
    for (text, number) in text.lines().zip(1..).filter(|(text, _)| !text.trim().is_empty()) {
        let text = text.trim_end();
        let Some(line) = property(text, number) else {
            return Err(format!("line {number}: {} is no property of a calendar", quoted(text)));
        };
        match (line.name.as_str(), line.value.to_ascii_uppercase().as_str()) {
            ("BEGIN", "VCALENDAR") => is_calendar = true,
            ("BEGIN", "VEVENT") => open = Some(Event::default()),
            ("END", "VEVENT") => events.extend(open.take()),
            ("STATUS", "CANCELLED") => open.iter_mut().for_each(|event| event.cancelled = true),
            ("DTSTART" | "DTEND" | "DURATION" | "RRULE" | "RDATE" | "EXDATE", _) => {
                if let Some(event) = &mut open {
                    event.lines.push(line);
                }
            }
            _ => {}
        }
    }
    match (is_calendar, open) {
        (false, _) => Err("this is no iCalendar file: BEGIN:VCALENDAR is missing".to_owned()),
        (true, Some(_)) => Err("the file ends within an event: END:VEVENT is missing".to_owned()),
        (true, None) => Ok(events),
    }
}

impl Event {
    fn add_to(&self, days: &mut DaySet, spans: &mut Vec<(i64, i64)>) -> Result<(), Vec<String>> {
        let extent = self.extent()?;
        if !extent.whole_days {
            // An event without a length keeps nothing free.
            let all = extent.begins.iter().map(|begin| (*begin, begin + extent.length));
            spans.extend(all.filter(|(begin, end)| begin < end));
            return Ok(());
        }
        let length = (extent.length / DAY).max(1);
        let yearly =
            self.lines.iter().all(|line| line.name != "RRULE" || is_yearly(&line.value)) && self.recurs_only_by_rule();
        for begin in &extent.begins {
            let day = begin.div_euclid(DAY);
            match date(day).filter(|_| yearly && length == 1) {
                Some(date) => days.yearly[chrono::Datelike::month(&date) as usize] |= 1 << chrono::Datelike::day(&date),
                None => days.ranges.push((day, day + length)),
            }
        }
        Ok(())
    }

    /// Whether it has a rule, and neither further dates nor exceptions.
    fn recurs_only_by_rule(&self) -> bool {
        let has = |name: &str| self.lines.iter().any(|line| line.name == name);
        has("RRULE") && !has("RDATE") && !has("EXDATE")
    }

    fn extent(&self) -> Result<Extent, Vec<String>> {
        let one = |problem: String| vec![problem];
        let set = set_of_lines(&self.lines, None, DstGap::NextValid, DstFold::First)?;
        let (whole_days, begin) = set.beginning();
        let end = self.lines.iter().find(|line| line.name == "DTEND");
        let duration = self.lines.iter().find(|line| line.name == "DURATION");
        let length = match (end, duration) {
            (Some(line), _) => {
                let end = Stamp::parse(&line.value).map_err(|detail| one(line.problem_at(0, &detail)))?;
                let ends = set.instant_of(line, end).map_err(one)?;
                if whole_days != (end.form == Form::Date) {
                    return Err(one(line.problem("one of DTSTART and DTEND is a date, the other a time")));
                }
                ends - begin
            }
            (None, Some(line)) => duration_of(&line.value).ok_or_else(|| {
                one(line.problem(&format!("{} is no duration such as P1D or PT2H", quoted(&line.value))))
            })?,
            (None, None) => 0,
        };
        let before = DateTime::from_timestamp(begin - 3 * DAY, 0).unwrap_or_default();
        let first = set.next_after(before);
        let all = std::iter::successors(first, |last| set.next_after(last.at));
        Ok(Extent { begins: all.take(MAX_DATES).map(|it| it.at.timestamp()).collect(), length, whole_days })
    }
}

/// Whether a rule says no more than "every year", so that it can stay that way.
fn is_yearly(rule: &str) -> bool {
    rule.split(';').all(|part| {
        let upper = part.to_ascii_uppercase();
        ["FREQ=YEARLY", "INTERVAL=1"].contains(&upper.as_str()) || upper.starts_with("WKST=")
    })
}

/// `P1D`, `P2W`, `PT1H30M` in seconds.
fn duration_of(text: &str) -> Option<i64> {
    let mut seconds: i64 = 0;
    let mut digits = String::new();
    for char in text.strip_prefix('P')?.chars() {
        let unit = match char {
            '0'..='9' => {
                digits.push(char);
                continue;
            }
            'T' if digits.is_empty() => continue,
            'W' => 7 * DAY,
            'D' => DAY,
            'H' => 3_600,
            'M' => 60,
            'S' => 1,
            _ => return None,
        };
        seconds = seconds.checked_add(digits.parse::<i64>().ok()?.checked_mul(unit)?)?;
        digits.clear();
    }
    digits.is_empty().then_some(seconds)
}
