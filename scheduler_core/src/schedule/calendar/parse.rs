//! The JSON form of a calendar.

use chrono::{NaiveDate, SecondsFormat};
use serde_json::{Map, Value, json};

use super::super::ScheduleError;
use super::super::civil::{DAY, day_number};
use super::super::object::{Members, type_name};
use super::super::once::instant;
use super::super::words::{nearest, quoted};
use super::days::{Calendar, DaySet, merged};

const DAY_MEMBERS: [&str; 4] = ["dates", "yearly", "ranges", "weekdays"];
const MEMBERS: [&str; 6] = ["dates", "yearly", "ranges", "weekdays", "except", "windows"];

/// The most entries of one list.
const MAX_ENTRIES: usize = 5_000;

pub(super) const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Calendar {
    /// Reads a calendar from its JSON form, for example
    /// `{"dates":["2026-12-24"],"yearly":["12-25"],"ranges":[{"from":"2026-08-01","to":"2026-08-14"}],
    /// "weekdays":["SAT","SUN"],"except":{"dates":["2026-08-08"]},"windows":[{"from":…,"to":…}]}`.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with a pointer relative to the calendar and a sentence.
    pub fn parse(value: &Value) -> Result<Calendar, Vec<ScheduleError>> {
        let Some(object) = value.as_object() else {
            let example = "{\"dates\":[\"2026-12-25\"]}";
            let found = type_name(value);
            return Err(vec![ScheduleError::whole(format!(
                "a calendar is an object such as {example}; found {found}"
            ))]);
        };
        let mut members = Members::plain(object, &MEMBERS);
        let mut calendar = Calendar { days: day_set(&mut members), ..Calendar::default() };
        match members.get("except") {
            Some(Value::Object(except)) => calendar.except = excepted(except, &mut members),
            Some(other) => members.refuse("except", format!("`except` must be an object, found {}", type_name(other))),
            None => {}
        }
        calendar.spans = merged(members.list("windows", MAX_ENTRIES, span));
        members.finish(Some(calendar))
    }

    /// The calendar in the form that [`Calendar::parse`] reads, with ranges joined and in order.
    pub fn to_value(&self) -> Value {
        let mut value = self.days.to_value();
        if self.except != DaySet::default() {
            value.insert("except".to_owned(), Value::Object(self.except.to_value()));
        }
        if !self.spans.is_empty() {
            let spans = self.spans.iter().map(|(from, to)| json!({"from": time(*from), "to": time(*to)}));
            value.insert("windows".to_owned(), spans.collect());
        }
        Value::Object(value)
    }
}

impl DaySet {
    fn to_value(&self) -> Map<String, Value> {
        let mut value = Map::new();
        let mut put = |name: &str, list: Vec<Value>| {
            if !list.is_empty() {
                value.insert(name.to_owned(), Value::Array(list));
            }
        };
        let (single, ranges): (Vec<_>, Vec<_>) = self.ranges.iter().partition(|(from, to)| to - from == 1);
        put("dates", single.into_iter().map(|(from, _)| json!(day(from))).collect());
        put("ranges", ranges.into_iter().map(|(from, to)| json!({"from": day(from), "to": day(to - 1)})).collect());
        let yearly = (1..=12).flat_map(|month| (1..=31).map(move |day| (month, day)));
        let yearly = yearly.filter(|(month, day)| self.yearly[*month] >> day & 1 == 1);
        put("yearly", yearly.map(|(month, day)| json!(format!("{month:02}-{day:02}"))).collect());
        let weekdays = WEEKDAYS.iter().enumerate().filter(|(index, _)| self.weekdays >> index & 1 == 1);
        put("weekdays", weekdays.map(|(_, name)| json!(name)).collect());
        value
    }
}

fn excepted(object: &Map<String, Value>, outer: &mut Members<'_>) -> DaySet {
    let mut members = Members::plain(object, &DAY_MEMBERS);
    let days = day_set(&mut members);
    match members.finish(Some(days)) {
        Ok(days) => days,
        Err(errors) => {
            errors.into_iter().for_each(|error| outer.record(error.under("/except")));
            DaySet::default()
        }
    }
}

fn day_set(members: &mut Members<'_>) -> DaySet {
    let mut ranges: Vec<(i64, i64)> = members.list("dates", MAX_ENTRIES, |value| date(value).map(|day| (day, day + 1)));
    ranges.extend(members.list("ranges", MAX_ENTRIES, range));
    let mut set = DaySet { ranges: merged(ranges), ..DaySet::default() };
    for (month, day) in members.list("yearly", MAX_ENTRIES, yearly) {
        set.yearly[month] |= 1 << day;
    }
    for weekday in members.list("weekdays", 7, weekday) {
        set.weekdays |= 1 << weekday;
    }
    set
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("must be a string, found {}", type_name(value)))
}

fn date(value: &Value) -> Result<i64, String> {
    let text = text(value)?;
    let parsed = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| text.len() == 10);
    parsed.map(day_number).ok_or_else(|| format!("{} is not a date such as \"2026-12-25\"", quoted(text)))
}

fn yearly(value: &Value) -> Result<(usize, u32), String> {
    let text = text(value)?;
    // A leap year, so that 02-29 is a date: it holds in the years that have it.
    let parsed = NaiveDate::parse_from_str(&format!("2000-{text}"), "%Y-%m-%d").ok().filter(|_| text.len() == 5);
    let parsed = parsed.map(|date| (chrono::Datelike::month0(&date) as usize + 1, chrono::Datelike::day(&date)));
    parsed.ok_or_else(|| format!("{} is not a day of the year such as \"12-25\"", quoted(text)))
}

fn weekday(value: &Value) -> Result<u32, String> {
    weekday_index(text(value)?)
}

/// The index of a weekday's name, 0 is Sunday.
pub(in super::super) fn weekday_index(text: &str) -> Result<u32, String> {
    let upper = text.to_ascii_uppercase();
    let found = (0..).zip(WEEKDAYS).find(|(_, name)| *name == upper).map(|(index, _)| index);
    found.ok_or_else(|| {
        let meant = WEEKDAYS.into_iter().find(|name| upper.starts_with(name)).or_else(|| nearest(&upper, WEEKDAYS));
        let hint = meant.map(|name| format!("did you mean {name}? ")).unwrap_or_default();
        format!("{} is not a weekday: {hint}allowed are {}", quoted(text), WEEKDAYS.join(", "))
    })
}

/// The members `from` and `to` of an entry.
fn ends(value: &Value) -> Result<(&Value, &Value), String> {
    let object = value.as_object().ok_or_else(|| format!("must be an object, found {}", type_name(value)))?;
    if let Some(name) = object.keys().find(|name| !["from", "to"].contains(&name.as_str())) {
        return Err(format!("unknown field {}: allowed are from, to", quoted(name)));
    }
    let get = |name: &str| object.get(name).ok_or_else(|| format!("`{name}` is missing"));
    Ok((get("from")?, get("to")?))
}

fn range(value: &Value) -> Result<(i64, i64), String> {
    let (from, to) = ends(value)?;
    let (from, to) = (date(from)?, date(to)?);
    if to < from { Err("`to` lies before `from`".to_owned()) } else { Ok((from, to + 1)) }
}

fn span(value: &Value) -> Result<(i64, i64), String> {
    let (from, to) = ends(value)?;
    let (from, to) = (instant(text(from)?)?.timestamp(), instant(text(to)?)?.timestamp());
    if to <= from { Err("`to` is not after `from`".to_owned()) } else { Ok((from, to)) }
}

fn day(number: i64) -> String {
    super::super::civil::date(number).map(|date| date.to_string()).unwrap_or_default()
}

fn time(at: i64) -> String {
    debug_assert!(at.abs() < DAY * 4_000_000);
    chrono::DateTime::from_timestamp(at, 0).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Secs, true)
}
