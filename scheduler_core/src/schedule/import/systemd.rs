//! systemd timers: `OnCalendar=` of a unit file, or bare calendar expressions, one a line.

use serde_json::{Value, json};

use super::super::words::quoted;
use super::{Draft, Import};

/// What a calendar expression says, field by field, in our grammar.
#[derive(Debug, PartialEq, Eq)]
struct Calendar {
    weekdays: Option<String>,
    year: String,
    month: String,
    day: String,
    hour: String,
    minute: String,
    second: String,
    zone: Option<String>,
}

const SHORTHANDS: [(&str, &str); 9] = [
    ("minutely", "*-*-* *:*:00"),
    ("hourly", "*-*-* *:00:00"),
    ("daily", "*-*-* 00:00:00"),
    ("monthly", "*-*-01 00:00:00"),
    ("weekly", "Mon *-*-* 00:00:00"),
    ("yearly", "*-01-01 00:00:00"),
    ("annually", "*-01-01 00:00:00"),
    ("quarterly", "*-01,04,07,10-01 00:00:00"),
    ("semiannually", "*-01,07-01 00:00:00"),
];

/// Reads a timer unit, or expressions one a line. `zone` is the one that the machine is set to.
pub fn systemd(text: &str, name: &str, zone: &str) -> Import {
    let mut import = Import::default();
    let is_unit = text.lines().any(|line| line.trim().starts_with('['));
    let (mut schedules, mut draft) = (Vec::new(), Draft::new("the timer", name, Value::Null));
    let mut persistent = false;
    for (line, number) in text.lines().zip(1..) {
        let (line, place) = (line.trim(), format!("line {number}"));
        if line.is_empty() || line.starts_with(['#', ';', '[']) {
            continue;
        }
        let (key, value) = match line.split_once('=') {
            Some((key, value)) if is_unit || key.trim() == "OnCalendar" => (key.trim(), value.trim()),
            _ => ("OnCalendar", line),
        };
        match key {
            "OnCalendar" if value.is_empty() => schedules.clear(),
            "OnCalendar" => match schedule(value, zone) {
                Ok(found) if is_unit => schedules.push(found),
                Ok(found) => single(place, &format!("{name}-{number}"), found).finish(&mut import),
                Err(detail) => import.problem(place, detail),
            },
            "Persistent" => persistent = ["yes", "true", "on", "1"].contains(&value.to_ascii_lowercase().as_str()),
            "RandomizedDelaySec" => match seconds(value) {
                Some(seconds) => drop(draft.policies.insert("jitter_seconds".to_owned(), json!(seconds))),
                None => import.problem(place, format!("{} is no length of time", quoted(value))),
            },
            "OnActiveSec" | "OnBootSec" | "OnStartupSec" | "OnUnitActiveSec" | "OnUnitInactiveSec" => {
                let detail = format!("{key} counts from an event of the machine; see the kind `interval`");
                import.problem(place, detail);
            }
            _ => {}
        }
    }
    if !schedules.is_empty() {
        draft.schedule = match schedules.len() {
            1 => schedules.remove(0),
            _ => json!({"kind": "union", "schedules": schedules}),
        };
        draft.policies.insert("catchup_policy".to_owned(), json!(if persistent { "latest" } else { "none" }));
        warn(&mut draft);
        draft.finish(&mut import);
    }
    import
}

fn single(place: String, name: &str, schedule: Value) -> Draft {
    let mut draft = Draft::new(place, name, schedule);
    warn(&mut draft);
    draft
}

fn warn(draft: &mut Draft) {
    let zoned = draft.schedule["timezone"].as_str().is_some_and(|zone| zone != "UTC");
    if zoned && super::is_touched_by_clock_changes(&draft.schedule) {
        draft.schedule["dst_gap"] = json!("skip");
        let detail = "like systemd, it leaves out times that a clock change removes: without dst_gap, it would run at the \
                      first instant after the gap";
        draft.warnings.push(detail.to_owned());
    }
}

/// One calendar expression as a schedule of ours. The error is a sentence.
fn schedule(expression: &str, zone: &str) -> Result<Value, String> {
    let calendar = parse(expression)?;
    let zone = calendar.zone.as_deref().unwrap_or(zone);
    let Calendar { year, month, day, hour, minute, second, .. } = &calendar;
    let week = calendar.weekdays.as_deref();
    if let Some(week) = week.filter(|_| day != "*") {
        // Both have to match, which cron's rule for the two day fields is not.
        return both_days(&calendar, week, zone);
    }
    let mut fields = vec![minute.as_str(), hour, day, month, week.unwrap_or("*")];
    if second != "0" || year != "*" {
        fields.insert(0, second);
    }
    if year != "*" {
        fields.push(year);
    }
    Ok(super::cron(&fields.join(" "), zone))
}

/// A date that is also a weekday, as a recurrence rule.
fn both_days(calendar: &Calendar, week: &str, zone: &str) -> Result<Value, String> {
    let refused = |what: &str| format!("{what} beside a weekday and a day of the month cannot be expressed here");
    if calendar.year != "*" {
        return Err(refused("years"));
    }
    let mut rule = "FREQ=DAILY".to_owned();
    let lists = [
        ("BYMONTH", &calendar.month, 1, 12),
        ("BYMONTHDAY", &calendar.day, 1, 31),
        ("BYHOUR", &calendar.hour, 0, 23),
        ("BYMINUTE", &calendar.minute, 0, 59),
        ("BYSECOND", &calendar.second, 0, 59),
    ];
    for (part, field, first, last) in lists {
        if field == "*" && first == 1 {
            continue;
        }
        let values = values(field, first, last).ok_or_else(|| refused(&format!("the form {}", quoted(field))))?;
        let values: Vec<String> = values.iter().map(ToString::to_string).collect();
        rule += &format!(";{part}={}", values.join(","));
    }
    let days: Vec<String> = weekday_names(week).iter().map(|name| name[..2].to_owned()).collect();
    rule += &format!(";BYDAY={}", days.join(","));
    Ok(json!({"kind": "rrule", "expression": format!("DTSTART;TZID={zone}:20000101T000000\nRRULE:{rule}")}))
}

/// The values of a field of ours, lists, ranges and steps written out; from the end (`L-2`) as negative numbers.
fn values(field: &str, first: i32, last: i32) -> Option<Vec<i32>> {
    let mut values = Vec::new();
    for item in field.split(',') {
        if let Some(back) = item.strip_prefix('L') {
            let back = if back.is_empty() { 0 } else { back.strip_prefix('-')?.parse::<i32>().ok()? };
            values.push(-1 - back);
            continue;
        }
        let (range, step) = item.split_once('/').map_or((item, None), |(range, step)| (range, Some(step)));
        let (low, high) = match (range, range.split_once('-'), step) {
            ("*", _, _) => (first, last),
            (_, Some((low, high)), _) => (low.parse().ok()?, high.parse().ok()?),
            (_, None, Some(_)) => (range.parse().ok()?, last),
            (_, None, None) => (range.parse().ok()?, range.parse().ok()?),
        };
        let step = step.map_or(Some(1), |step| step.parse::<usize>().ok()).filter(|step| *step > 0)?;
        values.extend((low..=high).step_by(step));
    }
    Some(values)
}

const WEEK: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// The weekdays of a list such as `MON-FRI,SUN`.
fn weekday_names(list: &str) -> Vec<&'static str> {
    let index = |name: &str| WEEK.iter().position(|known| *known == name).unwrap_or(0);
    let mut names = Vec::new();
    for item in list.split(',') {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let count = (index(last) + 7 - index(first)) % 7;
        names.extend((0..=count).map(|n| WEEK[(index(first) + n) % 7]));
    }
    names
}

/// `Mon..Fri *-*-01/2 08..18:00/15:30 Europe/Berlin`, any part of which may be missing.
fn parse(expression: &str) -> Result<Calendar, String> {
    let lower = expression.trim().to_ascii_lowercase();
    let mut words: Vec<&str> = expression.split_ascii_whitespace().collect();
    let zone = zone(&mut words);
    let known = SHORTHANDS.iter().find(|(name, _)| words.len() == 1 && lower.starts_with(name));
    if let Some((_, long)) = known {
        words = long.split(' ').collect();
    }
    let mut weekdays = None;
    if words.first().is_some_and(|word| word.starts_with(|char: char| char.is_ascii_alphabetic())) {
        weekdays = Some(weekday_list(words.remove(0))?);
    }
    let (mut date, mut time) = ("*-*-*", if words.is_empty() { "00:00:00" } else { "" });
    for word in words {
        let place = if word.contains(':') { &mut time } else { &mut date };
        *place = word;
    }
    let time = if time.is_empty() { "00:00:00" } else { time };
    let (year, month, day) = date_fields(date)?;
    let (hour, minute, second) = time_fields(time)?;
    Ok(Calendar { weekdays, year, month, day, hour, minute, second, zone })
}

/// Takes a zone off the end.
fn zone(words: &mut Vec<&str>) -> Option<String> {
    let last = *words.last()?;
    let is_zone = last.eq_ignore_ascii_case("utc") || last.contains('/') && last.starts_with(char::is_alphabetic);
    if !is_zone || words.len() < 2 {
        return None;
    }
    words.pop();
    Some(if last.eq_ignore_ascii_case("utc") { "UTC".to_owned() } else { last.to_owned() })
}

fn weekday_list(text: &str) -> Result<String, String> {
    let day = |name: &str| {
        let short = name.get(..3).unwrap_or(name).to_ascii_uppercase();
        let full = ["SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY"];
        let known =
            WEEK.contains(&short.as_str()) && full.iter().any(|full| full.starts_with(&name.to_ascii_uppercase()));
        if known { Ok(short) } else { Err(format!("{} is not a weekday", quoted(name))) }
    };
    let item = |item: &str| match item.split_once("..").or_else(|| item.split_once('-')) {
        Some((first, last)) => Ok(format!("{}-{}", day(first)?, day(last)?)),
        None => day(item),
    };
    let items: Result<Vec<_>, String> = text.trim_end_matches(',').split(',').map(item).collect();
    Ok(items?.join(","))
}

fn date_fields(text: &str) -> Result<(String, String, String), String> {
    let refused = || format!("{} is not a date such as *-*-01 or 2026-12-24", quoted(text));
    if let Some((front, back)) = text.split_once('~') {
        let (year, month) = front.split_once('-').unwrap_or(("*", front));
        return Ok((field(year)?, field(month)?, from_the_end(back)?));
    }
    let parts: Vec<&str> = text.split('-').collect();
    match parts[..] {
        [year, month, day] => Ok((field(year)?, field(month)?, field(day)?)),
        [month, day] => Ok(("*".to_owned(), field(month)?, field(day)?)),
        _ => Err(refused()),
    }
}

/// `03` is the third last day; `07/1` are the last seven.
fn from_the_end(text: &str) -> Result<String, String> {
    let refused = || format!("{} is not a number of days from the end of the month", quoted(text));
    let (from, step) = text.split_once('/').map_or((text, None), |(from, step)| (from, Some(step)));
    let from = from.parse::<u32>().ok().filter(|day| (1..=31).contains(day)).ok_or_else(refused)?;
    let last = |day: u32| if day == 1 { "L".to_owned() } else { format!("L-{}", day - 1) };
    match step {
        None => Ok(last(from)),
        Some(step) => {
            let step = step.parse::<usize>().ok().filter(|step| *step > 0).ok_or_else(refused)?;
            Ok((1..=from).rev().step_by(step).map(last).collect::<Vec<_>>().join(","))
        }
    }
}

fn time_fields(text: &str) -> Result<(String, String, String), String> {
    let parts: Vec<&str> = text.split(':').collect();
    match parts[..] {
        [hour, minute] => Ok((field(hour)?, field(minute)?, "0".to_owned())),
        [hour, minute, second] if second.contains('.') && !second.contains("..") => {
            Err(format!("{}: fractions of a second cannot be expressed here (at {}:{})", quoted(second), hour, minute))
        }
        [hour, minute, second] => Ok((field(hour)?, field(minute)?, field(second)?)),
        _ => Err(format!("{} is not a time such as 08:30", quoted(text))),
    }
}

/// One field: `..` becomes `-`, leading zeros go.
fn field(text: &str) -> Result<String, String> {
    let number = |text: &str| match text {
        "*" => Ok("*".to_owned()),
        _ if !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            let short = text.trim_start_matches('0');
            Ok(if short.is_empty() { "0" } else { short }.to_owned())
        }
        _ => Err(format!("{} is not a number", quoted(text))),
    };
    let item = |item: &str| {
        let (range, step) = item.split_once('/').map_or((item, None), |(range, step)| (range, Some(step)));
        let range = match range.split_once("..") {
            Some((first, last)) => format!("{}-{}", number(first)?, number(last)?),
            None => number(range)?,
        };
        match step {
            Some(step) => Ok(format!("{range}/{}", number(step)?)),
            None => Ok(range),
        }
    };
    Ok(text.split(',').map(item).collect::<Result<Vec<_>, String>>()?.join(","))
}

/// `90`, `5min`, `1h 30min` in seconds.
fn seconds(text: &str) -> Option<u64> {
    let mut total = 0_u64;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|char: char| !char.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "" | "s" | "sec" | "second" | "seconds" => 1,
            "m" | "min" | "minute" | "minutes" => 60,
            "h" | "hr" | "hour" | "hours" => 3_600,
            "d" | "day" | "days" => 86_400,
            "w" | "week" | "weeks" => 604_800,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = rest[letters..].trim_start();
    }
    Some(total)
}
