//! The parts of one RRULE: `FREQ=WEEKLY;BYDAY=MO,FR;COUNT=10`.

use super::super::words::{nearest, quoted};
use super::stamp::Stamp;

/// How often a rule comes round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Freq {
    Secondly,
    Minutely,
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// All parts of a rule, checked. Sets of numbers that a part does not give are empty.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) freq: Freq,
    pub(super) interval: u32,
    pub(super) count: Option<u32>,
    pub(super) until: Option<Stamp>,
    pub(super) by_second: Vec<i32>,
    pub(super) by_minute: Vec<i32>,
    pub(super) by_hour: Vec<i32>,
    /// The ordinal (0: every one) and the weekday, 0 is Sunday.
    pub(super) by_day: Vec<(i32, u32)>,
    pub(super) by_month_day: Vec<i32>,
    pub(super) by_year_day: Vec<i32>,
    pub(super) by_week_no: Vec<i32>,
    pub(super) by_month: Vec<i32>,
    pub(super) by_set_pos: Vec<i32>,
    /// The first day of a week, 0 is Sunday.
    pub(super) week_start: u32,
}

/// What is wrong, and at which byte of the value.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) detail: String,
}

pub(super) const WEEKDAYS: [&str; 7] = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];

const FREQS: [(&str, Freq); 7] = [
    ("YEARLY", Freq::Yearly),
    ("MONTHLY", Freq::Monthly),
    ("WEEKLY", Freq::Weekly),
    ("DAILY", Freq::Daily),
    ("HOURLY", Freq::Hourly),
    ("MINUTELY", Freq::Minutely),
    ("SECONDLY", Freq::Secondly),
];

const KEYS: [&str; 14] = [
    "FREQ",
    "INTERVAL",
    "COUNT",
    "UNTIL",
    "BYSECOND",
    "BYMINUTE",
    "BYHOUR",
    "BYDAY",
    "BYMONTHDAY",
    "BYYEARDAY",
    "BYWEEKNO",
    "BYMONTH",
    "BYSETPOS",
    "WKST",
];

/// The largest INTERVAL: in seconds more than 30 years.
const MAX_INTERVAL: u32 = 1_000_000_000;

/// One part with the place of its value.
struct Part<'a> {
    key: String,
    value: &'a str,
    at: usize,
}

impl Parts {
    /// Reads the value of an RRULE property. All faults are found, at most one per part.
    pub(super) fn parse(text: &str) -> Result<Parts, Vec<Fault>> {
        let mut parts = Parts::empty();
        let (mut faults, mut seen) = (Vec::new(), Vec::new());
        let mut at = 0;
        for piece in text.split(';') {
            let result = split(piece, at, &mut seen).and_then(|part| parts.set(&part));
            faults.extend(result.err());
            at += piece.len() + 1;
        }
        if !seen.contains(&"FREQ".to_owned()) && faults.is_empty() {
            faults.push(Fault { at: 0, detail: "FREQ is missing; an example: FREQ=DAILY".to_owned() });
        }
        if faults.is_empty() {
            faults.extend(parts.contradiction().map(|detail| Fault { at: 0, detail }));
        }
        if faults.is_empty() { Ok(parts) } else { Err(faults) }
    }

    fn empty() -> Parts {
        Parts {
            freq: Freq::Daily,
            interval: 1,
            count: None,
            until: None,
            by_second: Vec::new(),
            by_minute: Vec::new(),
            by_hour: Vec::new(),
            by_day: Vec::new(),
            by_month_day: Vec::new(),
            by_year_day: Vec::new(),
            by_week_no: Vec::new(),
            by_month: Vec::new(),
            by_set_pos: Vec::new(),
            week_start: 1,
        }
    }

    fn set(&mut self, part: &Part<'_>) -> Result<(), Fault> {
        match part.key.as_str() {
            "FREQ" => self.freq = part.choice("frequency", &FREQS)?,
            "INTERVAL" => self.interval = part.number(1..=MAX_INTERVAL)?,
            "COUNT" => self.count = Some(part.number(1..=u32::MAX)?),
            "UNTIL" => self.until = Some(Stamp::parse(part.value).map_err(|detail| part.fault(0, detail))?),
            "BYSECOND" => self.by_second = part.numbers(0, 60, false)?,
            "BYMINUTE" => self.by_minute = part.numbers(0, 59, false)?,
            "BYHOUR" => self.by_hour = part.numbers(0, 23, false)?,
            "BYDAY" => self.by_day = part.weekdays()?,
            "BYMONTHDAY" => self.by_month_day = part.numbers(1, 31, true)?,
            "BYYEARDAY" => self.by_year_day = part.numbers(1, 366, true)?,
            "BYWEEKNO" => self.by_week_no = part.numbers(1, 53, true)?,
            "BYMONTH" => self.by_month = part.numbers(1, 12, false)?,
            "BYSETPOS" => self.by_set_pos = part.numbers(1, 366, true)?,
            "WKST" => self.week_start = part.weekday(0, part.value)?,
            _ => {
                let known = nearest(&part.key, KEYS).map(|near| format!("did you mean {near}? ")).unwrap_or_default();
                let detail = format!("{} is not known: {known}allowed are {}", quoted(&part.key), KEYS.join(", "));
                return Err(Fault { at: part.at - part.key.len() - 1, detail });
            }
        }
        Ok(())
    }

    /// Parts that exclude each other, by the tables of RFC 5545, section 3.3.10.
    fn contradiction(&self) -> Option<String> {
        let ordinals = self.by_day.iter().any(|(nth, _)| *nth != 0);
        let only_set_pos = [&self.by_second, &self.by_minute, &self.by_hour, &self.by_month_day, &self.by_year_day]
            .iter()
            .chain(&[&self.by_week_no, &self.by_month])
            .all(|part| part.is_empty())
            && self.by_day.is_empty();
        let problem = if self.count.is_some() && self.until.is_some() {
            "COUNT and UNTIL exclude each other: leave one out"
        } else if ordinals && !matches!(self.freq, Freq::Monthly | Freq::Yearly) {
            "numbers before a weekday in BYDAY have a meaning in MONTHLY and YEARLY only; write BYDAY=MO"
        } else if ordinals && !self.by_week_no.is_empty() {
            "numbers before a weekday in BYDAY have no meaning beside BYWEEKNO; write BYDAY=MO"
        } else if !self.by_week_no.is_empty() && self.freq != Freq::Yearly {
            "BYWEEKNO has a meaning in YEARLY only"
        } else if !self.by_month_day.is_empty() && self.freq == Freq::Weekly {
            "BYMONTHDAY has no meaning in WEEKLY; use DAILY or MONTHLY"
        } else if !self.by_year_day.is_empty() && matches!(self.freq, Freq::Daily | Freq::Weekly | Freq::Monthly) {
            "BYYEARDAY has no meaning in DAILY, WEEKLY and MONTHLY; use YEARLY"
        } else if !self.by_set_pos.is_empty() && only_set_pos {
            "BYSETPOS picks from what other BY parts name, and there is none; an example: BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"
        } else {
            return None;
        };
        Some(problem.to_owned())
    }
}

fn split<'a>(piece: &'a str, at: usize, seen: &mut Vec<String>) -> Result<Part<'a>, Fault> {
    let Some((key, value)) = piece.split_once('=') else {
        let detail = match piece {
            "" => "a part is empty".to_owned(),
            _ => format!("{} has no value; parts look like FREQ=DAILY", quoted(piece)),
        };
        return Err(Fault { at, detail });
    };
    let part = Part { key: key.to_ascii_uppercase(), value, at: at + key.len() + 1 };
    if seen.contains(&part.key) {
        return Err(Fault { at, detail: format!("{} is given twice", quoted(&part.key)) });
    }
    seen.push(part.key.clone());
    Ok(part)
}

impl Part<'_> {
    fn fault(&self, within: usize, detail: String) -> Fault {
        Fault { at: self.at + within, detail: format!("{}: {detail}", self.key) }
    }

    fn choice<T: Copy>(&self, what: &str, choices: &[(&'static str, T)]) -> Result<T, Fault> {
        let found = choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(self.value));
        found.map(|(_, choice)| *choice).ok_or_else(|| {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            let near = nearest(self.value, names.iter().copied());
            let hint = near.map(|near| format!("did you mean {near}? ")).unwrap_or_default();
            self.fault(0, format!("{} is not a {what}: {hint}allowed are {}", quoted(self.value), names.join(", ")))
        })
    }

    fn number(&self, allowed: std::ops::RangeInclusive<u32>) -> Result<u32, Fault> {
        let all_digits = !self.value.is_empty() && self.value.bytes().all(|byte| byte.is_ascii_digit());
        let number = self.value.parse().ok().filter(|number| all_digits && allowed.contains(number));
        number.ok_or_else(|| {
            let (first, last) = (allowed.start(), allowed.end());
            self.fault(0, format!("{} is not a whole number from {first} to {last}", quoted(self.value)))
        })
    }

    /// A list of numbers; with `signed`, also those from the end.
    fn numbers(&self, first: i32, last: i32, signed: bool) -> Result<Vec<i32>, Fault> {
        let mut numbers = Vec::new();
        let mut at = 0;
        for item in self.value.split(',') {
            let digits = item.strip_prefix(['+', '-']).filter(|_| signed).unwrap_or(item);
            let all_digits = (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
            let number = item.parse::<i32>().ok().filter(|_| all_digits);
            match number.filter(|number| (first..=last).contains(&number.abs())) {
                Some(number) => numbers.push(number),
                None => {
                    let back = if signed { format!(" and -{first} to -{last}") } else { String::new() };
                    let detail = format!("{} is not allowed; allowed are {first} to {last}{back}", quoted(item));
                    return Err(self.fault(at, detail));
                }
            }
            at += item.len() + 1;
        }
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }

    fn weekdays(&self) -> Result<Vec<(i32, u32)>, Fault> {
        let mut days = Vec::new();
        let mut at = 0;
        for item in self.value.split(',') {
            let name = item.len().saturating_sub(2);
            let (nth, weekday) = (item.get(..name).unwrap_or(""), item.get(name..).unwrap_or(item));
            let weekday = self.weekday(at, weekday)?;
            let digits = nth.strip_prefix(['+', '-']).unwrap_or(nth);
            let all_digits = digits.len() <= 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            let number = if nth.is_empty() { Some(0) } else { nth.parse::<i32>().ok().filter(|it| *it != 0) };
            match number.filter(|number| all_digits && number.abs() <= 53) {
                Some(number) => days.push((number, weekday)),
                None => {
                    let found = quoted(nth);
                    return Err(self.fault(
                        at,
                        format!("{found} before a weekday is not allowed; allowed are 1 to 53 and -1 to -53"),
                    ));
                }
            }
            at += item.len() + 1;
        }
        days.sort_unstable();
        days.dedup();
        Ok(days)
    }

    fn weekday(&self, at: usize, text: &str) -> Result<u32, Fault> {
        let found = (0..).zip(WEEKDAYS).find(|(_, name)| name.eq_ignore_ascii_case(text)).map(|(index, _)| index);
        found.ok_or_else(|| {
            let upper = self.value[at..].split(',').next().unwrap_or(text).to_ascii_uppercase();
            let meant = WEEKDAYS.into_iter().find(|name| upper.len() > 2 && upper.starts_with(name));
            let hint = meant.map(|name| format!("did you mean {name}? ")).unwrap_or_default();
            self.fault(at, format!("{} is not a weekday: {hint}allowed are {}", quoted(&upper), WEEKDAYS.join(", ")))
        })
    }
}
