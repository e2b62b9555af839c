//! Cron expressions: made up field by field, and enumerated day by day.

use super::civil::{Clock, days};
use super::interval::Interval;
use super::{Around, Nominal, Span, merged};
use chrono::{Datelike as _, Days, NaiveDate, NaiveTime, TimeDelta, Weekday};
use serde_json::{Value, json};
use test_support::Random;
use uuid::Uuid;

/// How many times a day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Density {
    /// A few at most.
    Rare,
    /// Up to one an hour.
    Hourly,
    /// More: for templates with bounds.
    Dense,
}

#[derive(Clone, Debug)]
pub struct Cron {
    clock: Clock,
    expression: String,
    second: u32,
    minute: Field,
    hour: Field,
    day: Day,
    month: Field,
    weekday: Day,
    years: Vec<i32>,
}

/// `@every`, which is an interval, or fields.
#[derive(Clone, Debug)]
pub enum Expression {
    Fields(Box<Cron>),
    Every(Interval, String),
}

/// The values of a field.
#[derive(Clone, Debug)]
struct Field {
    text: String,
    values: Values,
}

#[derive(Clone, Debug)]
enum Values {
    These(Vec<u32>),
    /// A value in the range, or every so many from one of them: the template's id decides.
    Hash {
        first: u32,
        last: u32,
        step: Option<u32>,
    },
}

/// Day-of-month or day-of-week.
#[derive(Clone, Debug)]
struct Day {
    text: String,
    rule: DayRule,
}

#[derive(Clone, Debug)]
enum DayRule {
    Dates(Values),
    /// So many days before the last of the month.
    BeforeLast(u32),
    LastWeekday,
    /// The weekday nearest to a date.
    Nearest(u32),
    /// 0 is Sunday.
    Weekdays(Vec<u32>),
    Nth(u32, u32),
    Last(u32),
}

impl Expression {
    pub fn random(random: &mut Random, density: Density) -> Self {
        if random.chance(6) {
            let minutes = match density {
                Density::Rare => 600 + random.below(3_000),
                Density::Hourly => 60 + random.below(300),
                Density::Dense => 5 + random.below(20),
            };
            let text = match minutes % 60 {
                0 => format!("@every {}h", minutes / 60),
                rest if minutes > 60 => format!("@every {}h{rest}m", minutes / 60),
                _ => format!("@every {}s", minutes * 60),
            };
            return Self::Every(Interval::from_start(minutes * 60), text);
        }
        Self::Fields(Box::new(Cron::random(random, density)))
    }

    pub fn json(&self) -> Value {
        match self {
            Self::Every(_, text) => json!({"kind": "cron", "expression": text}),
            Self::Fields(cron) => cron.json(),
        }
    }

    pub fn times(&self, span: Span, around: Around<'_>) -> Vec<Nominal> {
        match self {
            Self::Every(interval, _) => interval.times(span, around),
            Self::Fields(cron) => cron.times(span, around.template),
        }
    }

    pub fn clock(&self) -> Option<&Clock> {
        match self {
            Self::Every(..) => None,
            Self::Fields(cron) => Some(&cron.clock),
        }
    }
}

impl Cron {
    fn random(random: &mut Random, density: Density) -> Self {
        let (minute, hour) = clock_fields(random, density);
        let (day, weekday) = day_fields(random);
        let months = [("*", 1..=12), ("1-11", 1..=11), ("MAR-NOV", 3..=11)];
        let month = match random.below(10) {
            0 => range("NOV-APR", [11, 12, 1, 2, 3, 4]),
            n => months.get(n as usize - 1).map_or(range("*", 1..=12), |(text, values)| range(text, values.clone())),
        };
        let second = if random.chance(20) { random.below(60) as u32 } else { 0 };
        let years = if random.chance(5) { vec![2025, 2026] } else { Vec::new() };
        let mut expression =
            [&minute.text, &hour.text, &day.text, &month.text, &weekday.text].map(String::as_str).join(" ");
        if second != 0 || !years.is_empty() {
            expression = format!("{second} {expression}");
        }
        if !years.is_empty() {
            expression += " 2025-2026";
        }
        Self { clock: Clock::random(random), expression, second, minute, hour, day, month, weekday, years }
    }

    fn json(&self) -> Value {
        let mut value = json!({"kind": "cron", "expression": self.expression});
        self.clock.describe(&mut value);
        value
    }

    fn times(&self, span: Span, template: Uuid) -> Vec<Nominal> {
        // A step of `H` is a rhythm as one of `*` is.
        let rhythm = |field: &Field| field.text.starts_with('*') || field.text.starts_with("H/");
        let elapsed = rhythm(&self.minute) || rhythm(&self.hour);
        // The place of each field in the full form of seven decides what an `H` in it means.
        let (minutes, hours) = (self.minute.values.of(template, 1), self.hour.values.of(template, 2));
        let months = self.month.values.of(template, 4);
        let both = self.day.text.starts_with(['*', '?']) || self.weekday.text.starts_with(['*', '?']);
        let mut times = Vec::new();
        for day in days(span) {
            let (date, weekday) = (self.day.has(day, template), self.weekday.has(day, template));
            let selected = if both { date && weekday } else { date || weekday };
            if !selected
                || !months.contains(&day.month())
                || !(self.years.is_empty() || self.years.contains(&day.year()))
            {
                continue;
            }
            for (hour, minute) in hours.iter().flat_map(|hour| minutes.iter().map(move |minute| (*hour, *minute))) {
                let time = NaiveTime::from_hms_opt(hour, minute, self.second).unwrap();
                self.clock.place(day.and_time(time), elapsed, &mut times);
            }
        }
        times.retain(|it| span.contains(it.at));
        merged(times)
    }
}

fn clock_fields(random: &mut Random, density: Density) -> (Field, Field) {
    let single = |n: u64| range(&n.to_string(), [n as u32]);
    let hash =
        |text: &str, first, last, step| Field { text: text.to_owned(), values: Values::Hash { first, last, step } };
    // Most clocks change at night.
    let hour = |random: &mut Random| if random.chance(60) { random.below(4) } else { random.below(24) };
    let minute = match random.below(5) {
        0 => hash("H", 0, 59, None),
        1 => hash("H(0-29)", 0, 29, None),
        _ => single(random.below(12) * 5),
    };
    match density {
        Density::Rare => {
            let hour = match random.below(8) {
                0 => hash("H", 0, 23, None),
                1 => hash("H(0-7)", 0, 7, None),
                2 => range("0,2,3", [0, 2, 3]),
                3 => range("23-2", [23, 0, 1, 2]),
                _ => single(hour(random)),
            };
            (if random.chance(10) { range("15,45", [15, 45]) } else { minute }, hour)
        }
        Density::Hourly => {
            let hour = match random.below(6) {
                0 => range("*", 0..24),
                1 => range("*/2", (0..24).step_by(2)),
                2 => range("9-17", 9..=17),
                3 => range("22-3", [22, 23, 0, 1, 2, 3]),
                4 => hash("H/4", 0, 23, Some(4)),
                _ => range("0-23/3", (0..24).step_by(3)),
            };
            (minute, hour)
        }
        Density::Dense => {
            let minute = match random.below(5) {
                0 => range("*", 0..60),
                1 => range("*/5", (0..60).step_by(5)),
                2 => range("*/45", [0, 45]),
                3 => hash("H/10", 0, 59, Some(10)),
                _ => range("5/15", [5, 20, 35, 50]),
            };
            (minute, if random.chance(70) { range("*", 0..24) } else { range("0-5", 0..=5) })
        }
    }
}

fn day_fields(random: &mut Random) -> (Day, Day) {
    let all_week = || Day::weekdays("*", 0..7);
    let every = |random: &mut Random| Day::dates(range(if random.chance(50) { "*" } else { "?" }, 1..=31));
    match random.below(10) {
        0..=3 => (every(random), all_week()),
        4..=6 => (every(random), Day::random_weekday(random)),
        7 | 8 => (Day::random_date(random), all_week()),
        // Either is enough. A rare weekday beside a rare date may name no day at all; a plain one does.
        _ => (Day::random_date(random), Day::weekdays("MON,THU", [1, 4])),
    }
}

fn range(text: &str, values: impl IntoIterator<Item = u32>) -> Field {
    Field { text: text.to_owned(), values: Values::These(values.into_iter().collect()) }
}

impl Values {
    fn of(&self, template: Uuid, place: u8) -> Vec<u32> {
        match self {
            Self::These(values) => values.clone(),
            Self::Hash { first, last, step } => {
                let count = step.unwrap_or(last - first + 1);
                let begin = first + (hash(template, place) % u64::from(count)) as u32;
                if step.is_some() { (begin..=*last).step_by(count as usize).collect() } else { vec![begin] }
            }
        }
    }
}

/// What decides about `H`. Written down here a second time, because it must never change: people's times would move.
fn hash(template: Uuid, place: u8) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in template.as_bytes().iter().chain([&place]) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

impl Day {
    fn dates(field: Field) -> Self {
        Self { text: field.text, rule: DayRule::Dates(field.values) }
    }

    fn weekdays(text: &str, days: impl IntoIterator<Item = u32>) -> Self {
        Self { text: text.to_owned(), rule: DayRule::Weekdays(days.into_iter().collect()) }
    }

    fn random_weekday(random: &mut Random) -> Self {
        const NAMES: [&str; 7] = ["SUN", "1", "TUE", "WED", "THU", "5", "SAT"];
        let (day, nth) = (random.below(7) as u32, 1 + random.below(5) as u32);
        let name = NAMES[day as usize];
        match random.below(6) {
            0 => Self::weekdays("FRI-MON", [5, 6, 0, 1]),
            1 => Self::weekdays("0,7", [0]),
            2 => Self { text: format!("{name}#{nth}"), rule: DayRule::Nth(day, nth) },
            3 => Self { text: format!("{name}L"), rule: DayRule::Last(day) },
            4 => Self::weekdays("SUN,WED", [0, 3]),
            _ => Self::weekdays("1-5", 1..=5),
        }
    }

    fn random_date(random: &mut Random) -> Self {
        let (before, date) = (random.below(29) as u32, 1 + random.below(31) as u32);
        match random.below(9) {
            0 => Self { text: "L".to_owned(), rule: DayRule::BeforeLast(0) },
            1 => Self { text: format!("L-{}", before.max(1)), rule: DayRule::BeforeLast(before.max(1)) },
            2 => Self { text: "LW".to_owned(), rule: DayRule::LastWeekday },
            3 => Self { text: format!("{date}W"), rule: DayRule::Nearest(date) },
            4 => Self::dates(range("31", [31])),
            5 => Self::dates(range("*/2", (1..=31).step_by(2))),
            6 => Self { text: "H".to_owned(), rule: DayRule::Dates(Values::Hash { first: 1, last: 28, step: None }) },
            7 => Self::dates(range("25-5", (25..=31).chain(1..=5))),
            _ => Self::dates(range("1,15", [1, 15])),
        }
    }

    fn has(&self, day: NaiveDate, template: Uuid) -> bool {
        let is = |weekday: u32| day.weekday().num_days_from_sunday() == weekday;
        match &self.rule {
            DayRule::Dates(values) => values.of(template, 3).contains(&day.day()),
            DayRule::Weekdays(days) => days.iter().any(|weekday| is(*weekday)),
            DayRule::BeforeLast(before) => day + Days::new(u64::from(*before)) == last_of_month(day),
            DayRule::LastWeekday => {
                let last = (0..3).map(|back| last_of_month(day) - Days::new(back)).find(|day| is_weekday(*day));
                last == Some(day)
            }
            DayRule::Nearest(wanted) => {
                let Some(wanted) = day.with_day(*wanted) else { return false };
                let mut near = (0..3).flat_map(|away| [wanted - Days::new(away), wanted + Days::new(away)]);
                near.find(|it| it.month() == day.month() && is_weekday(*it)) == Some(day)
            }
            DayRule::Nth(weekday, nth) => is(*weekday) && day.day().div_ceil(7) == *nth,
            DayRule::Last(weekday) => is(*weekday) && (day + Days::new(7)).month() != day.month(),
        }
    }
}

fn is_weekday(day: NaiveDate) -> bool {
    !matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
}

pub fn last_of_month(day: NaiveDate) -> NaiveDate {
    let next = day.with_day(28).unwrap() + TimeDelta::days(4);
    next - TimeDelta::days(next.day().into())
}
