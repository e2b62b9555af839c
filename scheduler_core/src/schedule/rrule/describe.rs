//! A recurrence set in words.

use chrono::DateTime;

use super::super::civil::{DAY, MONTHS, WEEKDAYS};
use super::super::words::{self, and_list, ordinal};
use super::parts::{Freq, Parts};
use super::{RecurrenceSet, RruleSchedule, Rule, shown};

/// Up to so many times of day are listed.
const LISTED_TIMES: usize = 6;

impl RruleSchedule {
    pub(in super::super) fn describe(&self) -> String {
        format!("{} ({})", self.set.describe(), self.timezone())
    }

    /// What its owner may want to know, besides clock changes.
    pub(in super::super) fn warnings(&self, from: DateTime<chrono::Utc>) -> Vec<String> {
        let mut warnings = self.set.unsynchronised();
        if self.next_after(from).is_none() {
            warnings.push(format!("no run is left after {}", shown(from.timestamp())));
        }
        for rule in self.set.rules.iter().filter_map(|rule| rule.calendar.as_ref()).take(2) {
            warnings.extend(self.set.wall.warnings(rule, from));
        }
        warnings
    }
}

impl RecurrenceSet {
    fn describe(&self) -> String {
        let mut parts: Vec<String> = self.rules.iter().map(|rule| rule.describe(self.start)).collect();
        match (self.rules.is_empty(), self.dates.len() + self.instants.len()) {
            (_, 0) => {}
            (true, 1) => parts.push(format!("Once, on {}", local(self.start))),
            (true, count) => parts.push(format!("On {count} given dates")),
            (false, count) => parts.push(format!("on {count} further date{}", if count == 1 { "" } else { "s" })),
        }
        let mut text = parts.join("; also ");
        if !self.rules.is_empty() {
            text += &format!(", from {}", local(self.start));
        }
        match self.excluded.len() + self.excluded_days.len() {
            0 => text,
            1 => text + ", except on one date",
            count => text + &format!(", except on {count} dates"),
        }
    }

    /// DTSTART is no occurrence by itself.
    fn unsynchronised(&self) -> Vec<String> {
        let start = self.wall.instants(self.start).first().copied();
        let Some(start) = start.filter(|_| !self.rules.is_empty()) else { return Vec::new() };
        let before = DateTime::from_timestamp(start - 1, 0).unwrap_or_default();
        match self.next_included(before) {
            Some(first) if first.at.timestamp() == start => Vec::new(),
            _ => vec![format!("DTSTART ({}) does not match the rule and does not run itself", local(self.start))],
        }
    }
}

impl Rule {
    fn describe(&self, start: i64) -> String {
        let parts = &self.parts;
        let mut text = rhythm(parts.freq, parts.interval);
        for part in [days(parts, start), times(parts, start), positions(parts)].into_iter().flatten() {
            text += &format!(", {part}");
        }
        match (parts.count, self.until) {
            (Some(1), _) => text += ", once",
            (Some(count), _) => text += &format!(", {count} times"),
            (None, Some(until)) => text += &format!(", until {}", shown(until)),
            (None, None) => {}
        }
        text
    }
}

fn rhythm(freq: Freq, interval: u32) -> String {
    let unit = match freq {
        Freq::Yearly => "year",
        Freq::Monthly => "month",
        Freq::Weekly => "week",
        Freq::Daily => "day",
        Freq::Hourly => "hour",
        Freq::Minutely => "minute",
        Freq::Secondly => "second",
    };
    match interval {
        1 => format!("Every {unit}"),
        n => format!("Every {n} {unit}s"),
    }
}

fn days(parts: &Parts, start: i64) -> Option<String> {
    let day = start.div_euclid(DAY);
    let date = super::super::civil::date(day).unwrap_or_default();
    let (month, month_day) = (chrono::Datelike::month0(&date) as usize, chrono::Datelike::day(&date));
    let mut said = Vec::new();
    if !parts.by_day.is_empty() {
        said.push(weekdays(parts));
    }
    if !parts.by_month_day.is_empty() {
        said.push(format!("on {} of the month", and_list(&counted("day", &parts.by_month_day))));
    }
    if !parts.by_year_day.is_empty() {
        said.push(format!("on {} of the year", and_list(&counted("day", &parts.by_year_day))));
    }
    if said.is_empty() {
        said.extend(match parts.freq {
            Freq::Weekly => Some(format!("on {}", WEEKDAYS[(day + 4).rem_euclid(7) as usize])),
            Freq::Yearly if !parts.by_week_no.is_empty() => {
                Some(format!("on {}", WEEKDAYS[(day + 4).rem_euclid(7) as usize]))
            }
            Freq::Yearly if parts.by_month.is_empty() => Some(format!("on {} {month_day}", MONTHS[month])),
            Freq::Monthly | Freq::Yearly => Some(format!("on the {} of the month", ordinal(month_day))),
            _ => None,
        });
    }
    if !parts.by_week_no.is_empty() {
        said.push(format!("in {} of the year", and_list(&counted("week", &parts.by_week_no))));
    }
    if !parts.by_month.is_empty() {
        let names: Vec<_> = parts.by_month.iter().map(|month| MONTHS[*month as usize - 1]).collect();
        said.push(format!("in {}", and_list(&names)));
    }
    (!said.is_empty()).then(|| said.join(", "))
}

fn weekdays(parts: &Parts) -> String {
    let plain = parts.by_day.iter().filter(|(nth, _)| *nth == 0).fold(0, |bits, (_, day)| bits | 1 << day);
    let mut days: Vec<_> = parts.by_day.iter().filter(|(nth, _)| *nth != 0).copied().collect();
    // Monday first, as people list them.
    days.sort_unstable_by_key(|(nth, day)| (*nth, (day + 6) % 7));
    let whole = if parts.freq == Freq::Yearly && parts.by_month.is_empty() { "year" } else { "month" };
    let name = |(nth, day): &(i32, u32)| match nth {
        -1 => format!("the last {} of the {whole}", WEEKDAYS[*day as usize]),
        n if *n > 0 => format!("the {} {} of the {whole}", ordinal(n.unsigned_abs()), WEEKDAYS[*day as usize]),
        n => format!("the {} last {} of the {whole}", ordinal(n.unsigned_abs()), WEEKDAYS[*day as usize]),
    };
    let plain = (plain != 0).then(|| words::weekdays(plain));
    let said: Vec<String> = plain.into_iter().chain(days.iter().map(name)).collect();
    // "Monday to Friday" needs no "on".
    let on = if said.len() == 1 && said[0].contains(" to ") { "" } else { "on " };
    format!("{on}{}", and_list(&said))
}

/// `the 1st day`, `the last day`, `the 2nd last week`.
fn counted(what: &str, numbers: &[i32]) -> Vec<String> {
    let name = |number: &i32| match number {
        -1 => format!("the last {what}"),
        n if *n > 0 => format!("the {} {what}", ordinal(n.unsigned_abs())),
        n => format!("the {} last {what}", ordinal(n.unsigned_abs())),
    };
    numbers.iter().map(name).collect()
}

fn times(parts: &Parts, start: i64) -> Option<String> {
    let clock = i32::try_from(start.rem_euclid(DAY)).unwrap_or_default();
    if parts.freq < Freq::Daily {
        let lists = [("hours", &parts.by_hour), ("minutes", &parts.by_minute), ("seconds", &parts.by_second)];
        let said = lists.into_iter().filter(|(_, list)| !list.is_empty());
        let said: Vec<_> = said.map(|(name, list)| format!("in the {name} {}", and_list(&texts(list)))).collect();
        return (!said.is_empty()).then(|| said.join(", "));
    }
    let or_start = |list: &[i32], own: i32| if list.is_empty() { vec![own] } else { list.to_vec() };
    let hours = or_start(&parts.by_hour, clock / 3_600);
    let minutes = or_start(&parts.by_minute, clock / 60 % 60);
    let seconds = or_start(&parts.by_second, clock % 60);
    let count = hours.len() * minutes.len() * seconds.len();
    if count > LISTED_TIMES {
        return Some(format!("at {count} times of the day"));
    }
    let mut times = Vec::new();
    for (hour, minute) in hours.iter().flat_map(|hour| minutes.iter().map(move |minute| (hour, minute))) {
        times.extend(seconds.iter().map(|second| match second {
            0 => format!("{hour:02}:{minute:02}"),
            second => format!("{hour:02}:{minute:02}:{second:02}"),
        }));
    }
    Some(format!("at {}", and_list(&times)))
}

fn positions(parts: &Parts) -> Option<String> {
    let period = rhythm(parts.freq, 1).replace("Every ", "");
    let which = counted("of these times", &parts.by_set_pos);
    let which: Vec<_> = which.iter().map(|text| text.replace(" of these times", "")).collect();
    (!which.is_empty()).then(|| format!("only {} of these times of the {period}", and_list(&which)))
}

fn texts(list: &[i32]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

fn local(time: i64) -> String {
    let seconds = if time % 60 == 0 { "" } else { ":%S" };
    DateTime::from_timestamp(time, 0).unwrap_or_default().format(&format!("%Y-%m-%d %H:%M{seconds}")).to_string()
}
