//! A cron schedule in words.

use uuid::Uuid;

use super::super::civil::{MONTHS, WEEKDAYS};
use super::super::times::{ALL_HOURS, ALL_SIXTY};
use super::super::words::{self, and_list, ordinal, runs};
use super::CronSchedule;
use super::days::{DayOfMonth, DayOfWeek, ones};
use super::pattern::Pattern;

/// Every day of the month.
const ALL_DAYS: u32 = !1;

/// Every weekday, every month.
const ALL_WEEKDAYS: u32 = 0b111_1111;
const ALL_MONTHS: u64 = 0b1_1111_1111_1110;

/// Up to so many times of day are listed one by one.
const LISTED_TIMES: usize = 6;

impl CronSchedule {
    pub(in super::super) fn describe(&self) -> String {
        match self.hashed {
            None => self.describe_pattern(&self.pattern),
            Some(_) => {
                let (expression, zone) = (self.expression.trim_ascii(), self.wall.timeline.zone());
                format!("As `{expression}`, each H a fixed value that the template's id decides ({zone})")
            }
        }
    }

    /// With the values that each `H` has for a template.
    pub(in super::super) fn describe_for(&self, template: Uuid) -> String {
        match &self.hashed {
            None => self.describe_pattern(&self.pattern),
            Some(hashed) => self.describe_pattern(&hashed.pattern(template, &self.pattern)),
        }
    }

    fn describe_pattern(&self, pattern: &Pattern) -> String {
        let mut parts = vec![times(pattern)];
        parts.extend(days(pattern));
        parts.extend(months(pattern.months));
        parts.extend(years(pattern));
        format!("{} ({})", parts.join(", "), self.wall.timeline.zone())
    }
}

/// The times of day: listed when they are few, otherwise field by field.
fn times(pattern: &Pattern) -> String {
    let (hours, minutes, seconds) =
        (values(pattern.times.hours), values(pattern.times.minutes), values(pattern.times.seconds));
    if hours.len() * minutes.len() * seconds.len() > LISTED_TIMES {
        return capitalised(&rhythm(pattern));
    }
    let mut listed = Vec::new();
    for hour in &hours {
        for minute in &minutes {
            listed.extend(seconds.iter().map(|second| match pattern.times.seconds {
                1 => format!("{hour:02}:{minute:02}"),
                _ => format!("{hour:02}:{minute:02}:{second:02}"),
            }));
        }
    }
    format!("At {}", and_list(&listed))
}

fn rhythm(pattern: &Pattern) -> String {
    let mut parts = Vec::new();
    let mut hours = (pattern.times.hours != ALL_HOURS).then(|| hours(pattern.times.hours));
    if pattern.times.seconds != 1 {
        parts.push(within("second", pattern.times.seconds, pattern.times.minutes == ALL_SIXTY));
    }
    match even_step(pattern.times.hours, 24) {
        _ if pattern.times.seconds != 1 && pattern.times.minutes == ALL_SIXTY => {}
        Some(1) if pattern.times.minutes == 1 && parts.is_empty() => parts.push("every hour".to_owned()),
        Some(step) if pattern.times.minutes == 1 && parts.is_empty() => {
            parts.push(format!("every {step} hours"));
            hours = None;
        }
        _ => parts.push(within("minute", pattern.times.minutes, pattern.times.hours == ALL_HOURS)),
    }
    parts.extend(hours);
    parts.join(", ")
}

/// Seconds or minutes: `every minute`, `every 5 minutes`, `at minute 15 of every hour`, `at minutes 5 and 20`.
fn within(unit: &str, bits: u64, all_rounds: bool) -> String {
    let values = values(bits);
    let round = match (unit, all_rounds) {
        ("second", true) => " of every minute",
        ("minute", true) => " of every hour",
        _ => "",
    };
    match (even_step(bits, 60), values.as_slice()) {
        (Some(1), _) => format!("every {unit}"),
        (Some(step), [_, _, ..]) => format!("every {step} {unit}s"),
        (_, [single]) => format!("at {unit} {single}{round}"),
        _ => format!("at {unit}s {}{round}", runs(&values, |value| value.to_string())),
    }
}

fn hours(bits: u64) -> String {
    let values = values(bits);
    match (even_step(bits, 24), values.as_slice()) {
        (Some(step), [_, _, ..]) => format!("every {step} hours"),
        (_, [first, .., last]) if (last - first) as usize + 1 == values.len() => {
            format!("between {first:02}:00 and {last:02}:59")
        }
        (_, [single]) => format!("between {single:02}:00 and {single:02}:59"),
        _ => format!("in the hours {}", runs(&values, |value| format!("{value:02}"))),
    }
}

/// The days, `None` when every day matches.
fn days(pattern: &Pattern) -> Option<String> {
    let (dates, weekdays) = (day_of_month(&pattern.days.month), day_of_week(&pattern.days.week));
    match (dates, weekdays, pattern.days.both) {
        (None, None, _) => None,
        (Some(dates), Some(weekdays), true) => Some(format!("on {dates} if it is {weekdays}")),
        (Some(dates), Some(weekdays), false) => Some(format!("on {dates} or on {weekdays}")),
        (Some(dates), None, true) => Some(format!("on {dates}")),
        (None, Some(weekdays), true) => Some(weekdays),
        // One side names every day and either is enough.
        (_, _, false) => None,
    }
}

fn day_of_month(rule: &DayOfMonth) -> Option<String> {
    if rule.days == ALL_DAYS {
        return None;
    }
    let days = values(u64::from(rule.days));
    let mut parts = Vec::new();
    match days.as_slice() {
        [] => {}
        [first, second, _, .., last] if stepped(&days) && *last + (second - first) > 31 && second - first > 1 => {
            parts.push(format!("every {} day of the month from the {}", ordinal(second - first), ordinal(*first)));
        }
        _ => parts.push(format!("the {} of the month", runs(&days, ordinal))),
    }
    for before in ones(rule.before_last) {
        parts.push(match before {
            0 => "the last day of the month".to_owned(),
            1 => "the day before the last of the month".to_owned(),
            _ => format!("the day {before} days before the last of the month"),
        });
    }
    parts.extend(ones(rule.nearest).map(|day| format!("the weekday nearest the {}", ordinal(day))));
    parts.extend(rule.last_weekday.then(|| "the last weekday of the month".to_owned()));
    Some(and_list(&parts))
}

fn day_of_week(rule: &DayOfWeek) -> Option<String> {
    const NTH: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];
    if rule.days == ALL_WEEKDAYS {
        return None;
    }
    let mut parts = Vec::new();
    if rule.days != 0 {
        parts.push(words::weekdays(rule.days));
    }
    for (name, days) in NTH.into_iter().zip(rule.nth) {
        let days = monday_first(days).into_iter();
        parts.extend(days.map(|day| format!("the {name} {} of the month", WEEKDAYS[day as usize % 7])));
    }
    let last = monday_first(rule.last).into_iter();
    parts.extend(last.map(|day| format!("the last {} of the month", WEEKDAYS[day as usize % 7])));
    Some(and_list(&parts))
}

fn months(bits: u64) -> Option<String> {
    let name = |month: u32| MONTHS[month as usize - 1].to_owned();
    (bits != ALL_MONTHS).then(|| format!("in {}", runs(&values(bits), name)))
}

fn years(pattern: &Pattern) -> Option<String> {
    let years: Vec<u32> = pattern.years.as_ref()?.iter().filter_map(|year| u32::try_from(year).ok()).collect();
    Some(format!("in {}", runs(&years, |year| year.to_string())))
}

/// The step of a set that goes evenly round and round: 0, n, 2n … with n dividing `count`.
fn even_step(bits: u64, count: u32) -> Option<u32> {
    let values = values(bits);
    let step = count.checked_div(u32::try_from(values.len()).ok()?)?;
    let even = step * u32::try_from(values.len()).ok()? == count;
    (even && values.iter().zip(0..).all(|(value, index)| *value == index * step)).then_some(step)
}

fn stepped(values: &[u32]) -> bool {
    values.windows(3).all(|three| three[1] - three[0] == three[2] - three[1])
}

fn values(bits: u64) -> Vec<u32> {
    (0..64).filter(|value| bits >> value & 1 == 1).collect()
}

/// The weekdays of a set, 1 is Monday and 7 Sunday.
fn monday_first(days: u32) -> Vec<u32> {
    (1..=7).filter(|day| days >> (day % 7) & 1 == 1).collect()
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_ascii_uppercase().to_string() + chars.as_str()).unwrap_or_default()
}
