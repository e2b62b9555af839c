//! Recurrence sets of RFC 5545: made up part by part, and enumerated period by period.

use super::civil::{Clock, changes_near, first_instant, shown};
use super::cron::{Density, last_of_month};
use super::{Nominal, Span, merged};
use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike as _, Utc};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use test_support::Random;

const DAYS: [&str; 7] = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];

#[derive(Clone, Debug)]
pub struct RuleSet {
    pub clock: Clock,
    start: NaiveDateTime,
    rules: Vec<Rule>,
    /// Further local times.
    dates: Vec<NaiveDateTime>,
    /// Local times that are taken out, and whole days.
    except: Vec<NaiveDateTime>,
    except_days: Vec<NaiveDate>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Freq {
    Minutely,
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

#[derive(Clone, Debug)]
struct Rule {
    freq: Freq,
    interval: i64,
    months: Vec<u32>,
    /// From the end if negative.
    month_days: Vec<i32>,
    year_days: Vec<i32>,
    weeks: Vec<u32>,
    /// `(0, 1)` is every Monday, `(-1, 5)` the last Friday.
    weekdays: Vec<(i32, u32)>,
    hours: Vec<u32>,
    minutes: Vec<u32>,
    positions: Vec<i32>,
    /// With which weekday weeks begin; 0 is Sunday.
    week_start: u32,
    count: Option<usize>,
    until: Option<DateTime<Utc>>,
}

impl RuleSet {
    /// One that begins some time before `begin`.
    pub fn random(random: &mut Random, density: Density, begin: DateTime<Utc>) -> Self {
        let clock = Clock::random(random);
        let mut day = shown(clock.zone, begin).date() - Days::new(random.below(40));
        // From what a start that does not exist is counted, is a question of its own.
        while changes_near(clock.zone, day) {
            day = day - Days::new(1);
        }
        let hour = if random.chance(60) { random.below(4) } else { random.below(24) } as u32;
        let start = day.and_hms_opt(hour, random.below(12) as u32 * 5, random.below(2) as u32 * 30).unwrap();
        let mut set =
            Self { clock, start, rules: Vec::new(), dates: Vec::new(), except: Vec::new(), except_days: Vec::new() };
        let count = if random.chance(6) { 0 } else { 1 + u64::from(random.chance(15)) };
        set.rules = (0..count).map(|_| Rule::random(random, density, begin)).collect();
        for _ in 0..random.below(3) {
            let day = day + Days::new(random.below(200));
            set.dates.push(day.and_hms_opt(random.below(24) as u32, random.below(60) as u32, 0).unwrap());
        }
        // What an exception takes out beside the time that it names, where clocks change, is a question of its own.
        let by_days = set.rules.iter().all(|rule| rule.freq >= Freq::Daily);
        let near = Span { after: begin, until: begin + TimeDelta::days(60) };
        let first = set.rules.first().filter(|_| by_days);
        let candidates = first.map(|rule| rule.local_times(start, near, &clock)).unwrap_or_default();
        for _ in 0..random.below(3) {
            let Some(local) = candidates.get(random.below(40) as usize) else { continue };
            match changes_near(clock.zone, local.date()) {
                true => {}
                false if random.chance(50) => set.except.push(*local),
                false => set.except_days.push(local.date()),
            }
        }
        set
    }

    pub fn json(&self) -> Value {
        let zone = self.clock.zone.name();
        let mut lines = vec![format!("DTSTART;TZID={zone}:{}", stamp(self.start))];
        lines.extend(self.rules.iter().map(Rule::line));
        lines.extend(self.dates.iter().map(|local| format!("RDATE;TZID={zone}:{}", stamp(*local))));
        lines.extend(self.except.iter().map(|local| format!("EXDATE;TZID={zone}:{}", stamp(*local))));
        lines.extend(self.except_days.iter().map(|day| format!("EXDATE;VALUE=DATE:{}", day.format("%Y%m%d"))));
        let mut value = json!({"kind": "rrule", "expression": lines.join("\n")});
        self.clock.describe_policies(&mut value);
        value
    }

    pub fn times(&self, span: Span) -> Vec<Nominal> {
        let mut times = Vec::new();
        // Without a rule, the start is itself a date.
        let start = self.rules.is_empty().then_some(&self.start);
        for local in self.dates.iter().chain(start).filter(|local| !self.except.contains(local)) {
            self.clock.place(*local, false, &mut times);
        }
        for rule in &self.rules {
            let mut of_rule = Vec::new();
            if rule.freq >= Freq::Daily {
                for local in rule.local_times(self.start, span, &self.clock) {
                    if !self.except.contains(&local) {
                        self.clock.place(local, false, &mut of_rule);
                    }
                }
            } else {
                of_rule.extend(rule.real_times(self.start, span, &self.clock).into_iter().map(Nominal::runs));
            }
            of_rule.retain(|it| rule.until.is_none_or(|until| it.at <= until));
            times.extend(of_rule);
        }
        times.retain(|it| span.contains(it.at) && !self.except_days.contains(&shown(self.clock.zone, it.at).date()));
        merged(times)
    }
}

fn stamp(local: NaiveDateTime) -> String {
    local.format("%Y%m%dT%H%M%S").to_string()
}

impl Rule {
    fn random(random: &mut Random, density: Density, begin: DateTime<Utc>) -> Self {
        let (freq, interval) = match (density, random.below(10)) {
            (Density::Dense, _) => (Freq::Minutely, 3 + random.below(20)),
            (Density::Hourly, 0..=2) => (Freq::Minutely, 61 + random.below(200)),
            (Density::Hourly, _) => (Freq::Hourly, 1 + random.below(5)),
            (Density::Rare, 0..=2) => (Freq::Daily, 1 + random.below(4)),
            (Density::Rare, 3..=5) => (Freq::Weekly, 1 + random.below(3)),
            (Density::Rare, 6..=8) => (Freq::Monthly, 1 + random.below(2)),
            (Density::Rare, _) => (Freq::Yearly, 1),
        };
        let mut rule = Self {
            freq,
            interval: interval as i64,
            months: Vec::new(),
            month_days: Vec::new(),
            year_days: Vec::new(),
            weeks: Vec::new(),
            weekdays: Vec::new(),
            hours: Vec::new(),
            minutes: Vec::new(),
            positions: Vec::new(),
            week_start: [0, 1, 1, 6][random.below(4) as usize],
            count: None,
            until: None,
        };
        rule.add_days(random);
        rule.add_times(random);
        match random.below(8) {
            0 => rule.count = Some(20 + random.below(400) as usize),
            1 => rule.until = Some(begin + TimeDelta::seconds(random.below(300 * 86_400) as i64)),
            _ => {}
        }
        rule
    }

    fn add_days(&mut self, random: &mut Random) {
        let plain = |random: &mut Random| match random.below(3) {
            0 => (1..=5).map(|day| (0, day)).collect(),
            1 => vec![(0, random.below(7) as u32)],
            _ => vec![(0, 1), (0, 3), (0, 6)],
        };
        match self.freq {
            Freq::Minutely | Freq::Hourly | Freq::Daily if random.chance(30) => self.weekdays = plain(random),
            Freq::Weekly if random.chance(70) => self.weekdays = plain(random),
            Freq::Monthly => match random.below(5) {
                0 => self.month_days = vec![1, -1],
                1 => self.month_days = vec![29, 31],
                2 => self.weekdays = vec![(2, 2), (-1, 5)],
                3 => (self.weekdays, self.positions) = ((1..=5).map(|day| (0, day)).collect(), vec![-1]),
                _ => {}
            },
            Freq::Yearly => match random.below(5) {
                0 => self.year_days = vec![1, 60, 100, 200, 300, -1],
                1 => (self.months, self.weekdays) = (vec![1, 4, 7, 10], vec![(1, 1), (0, 6)]),
                2 => self.weekdays = vec![(10, 1), (20, 3), (-5, 0)],
                3 => (self.weeks, self.weekdays, self.week_start) = (vec![5, 20, 40], vec![(0, 2)], 1),
                _ => self.months = vec![2, 3, 5, 9, 11],
            },
            _ => {}
        }
        if self.freq == Freq::Daily && random.chance(15) {
            self.months = vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
        }
    }

    fn add_times(&mut self, random: &mut Random) {
        if self.freq >= Freq::Daily && random.chance(30) {
            self.hours = vec![2, 3, 14];
            if random.chance(40) {
                self.minutes = vec![0, 30];
            }
        } else if self.freq < Freq::Daily && random.chance(20) {
            self.hours = vec![0, 1, 2, 3, 12, 13, 14, 15, 22];
        } else if self.freq == Freq::Hourly && random.chance(25) {
            // Between the points of the grid.
            self.minutes = vec![10, 50];
            self.interval = self.interval.max(2);
        }
    }

    fn line(&self) -> String {
        let freq = format!("{:?}", self.freq).to_uppercase();
        let mut line = format!("RRULE:FREQ={freq};INTERVAL={}", self.interval);
        let mut part = |name: &str, values: Vec<String>| {
            if !values.is_empty() {
                line += &format!(";{name}={}", values.join(","));
            }
        };
        part("BYMONTH", texts(&self.months));
        part("BYMONTHDAY", texts(&self.month_days));
        part("BYYEARDAY", texts(&self.year_days));
        part("BYWEEKNO", texts(&self.weeks));
        let weekday = |(nth, day): &(i32, u32)| match nth {
            0 => DAYS[*day as usize].to_owned(),
            nth => format!("{nth}{}", DAYS[*day as usize]),
        };
        part("BYDAY", self.weekdays.iter().map(weekday).collect());
        part("BYHOUR", texts(&self.hours));
        part("BYMINUTE", texts(&self.minutes));
        part("BYSETPOS", texts(&self.positions));
        part("COUNT", self.count.iter().map(ToString::to_string).collect());
        part("UNTIL", self.until.iter().map(|at| at.format("%Y%m%dT%H%M%SZ").to_string()).collect());
        format!("{line};WKST={}", DAYS[self.week_start as usize])
    }

    /// The local times of a rule of days or longer, from its start to the end of the span.
    fn local_times(&self, start: NaiveDateTime, span: Span, clock: &Clock) -> Vec<NaiveDateTime> {
        let end = shown(clock.zone, span.until) + TimeDelta::days(2);
        // Whole periods, because positions count within them.
        let last = end + TimeDelta::days(if self.positions.is_empty() { 0 } else { 32 });
        let mut periods: BTreeMap<i64, Vec<NaiveDateTime>> = BTreeMap::new();
        let first = if self.positions.is_empty() { start.date() } else { start.date() - Days::new(32) };
        for day in first.iter_days().take_while(|day| *day <= last.date()) {
            let period = self.period(day) - self.period(start.date());
            if period.rem_euclid(self.interval) == 0 && self.selects(day, start) {
                periods.entry(period).or_default().extend(self.times_of(day, start));
            }
        }
        let picked = periods.into_values().flat_map(|times| self.picked(&times));
        picked.filter(|local| *local >= start).take(self.count.unwrap_or(usize::MAX)).filter(|it| *it <= end).collect()
    }

    fn picked(&self, times: &[NaiveDateTime]) -> Vec<NaiveDateTime> {
        if self.positions.is_empty() {
            return times.to_vec();
        }
        let index = |position: &i32| match position {
            1.. => Some(*position as usize - 1),
            _ => times.len().checked_sub(position.unsigned_abs() as usize),
        };
        let mut picked: Vec<_> = self.positions.iter().filter_map(|it| times.get(index(it)?).copied()).collect();
        picked.sort_unstable();
        picked
    }

    /// The number of the day's period.
    fn period(&self, day: NaiveDate) -> i64 {
        let number = i64::from(day.num_days_from_ce());
        match self.freq {
            Freq::Weekly => {
                let since = (day.weekday().num_days_from_sunday() + 7 - self.week_start) % 7;
                (number - i64::from(since)).div_euclid(7)
            }
            Freq::Monthly => i64::from(day.year()) * 12 + i64::from(day.month0()),
            Freq::Yearly => day.year().into(),
            _ => number,
        }
    }

    fn selects(&self, day: NaiveDate, start: NaiveDateTime) -> bool {
        let month_length = last_of_month(day).day() as i32;
        let year_length = if day.leap_year() { 366 } else { 365 };
        let counted = |list: &[i32], number: u32, length: i32| {
            list.is_empty() || list.iter().any(|n| *n == number as i32 || *n == number as i32 - length - 1)
        };
        let named = !(self.month_days.is_empty() && self.year_days.is_empty() && self.weekdays.is_empty());
        let as_start = match self.freq {
            _ if named => true,
            Freq::Weekly => day.weekday() == start.weekday(),
            Freq::Monthly => day.day() == start.day(),
            Freq::Yearly => day.day() == start.day() && (!self.months.is_empty() || day.month() == start.month()),
            _ => true,
        };
        as_start
            && (self.months.is_empty() || self.months.contains(&day.month()))
            && counted(&self.month_days, day.day(), month_length)
            && counted(&self.year_days, day.ordinal(), year_length)
            && (self.weeks.is_empty() || self.weeks.contains(&day.iso_week().week()))
            && (self.weekdays.is_empty() || self.weekdays.iter().any(|it| self.is_weekday(day, *it)))
    }

    fn is_weekday(&self, day: NaiveDate, (nth, weekday): (i32, u32)) -> bool {
        if day.weekday().num_days_from_sunday() != weekday {
            return false;
        }
        let of_year = self.freq == Freq::Yearly && self.months.is_empty();
        let (number, length) = if of_year {
            (day.ordinal0(), if day.leap_year() { 366 } else { 365 })
        } else {
            (day.day0(), last_of_month(day).day())
        };
        match nth {
            0 => true,
            1.. => number / 7 + 1 == nth as u32,
            _ => (length - 1 - number) / 7 + 1 == nth.unsigned_abs(),
        }
    }

    fn times_of(&self, day: NaiveDate, start: NaiveDateTime) -> Vec<NaiveDateTime> {
        let hours = if self.hours.is_empty() { &[start.hour()][..] } else { &self.hours };
        let minutes = if self.minutes.is_empty() { &[start.minute()][..] } else { &self.minutes };
        let time = |hour: u32, minute: u32| NaiveTime::from_hms_opt(hour, minute, start.second()).unwrap();
        hours.iter().flat_map(|hour| minutes.iter().map(|minute| day.and_time(time(*hour, *minute)))).collect()
    }

    /// The instants of a rule of hours or minutes, from its start to the end of the span.
    fn real_times(&self, start: NaiveDateTime, span: Span, clock: &Clock) -> Vec<DateTime<Utc>> {
        let begin = first_instant(clock.zone, start);
        let unit = if self.freq == Freq::Hourly { 60 } else { 1 };
        let step = TimeDelta::minutes(unit * self.interval);
        // With BYMINUTE, each hour of the grid is looked at minute by minute.
        let spread = self.freq == Freq::Hourly && !self.minutes.is_empty();
        let origin = begin - TimeDelta::minutes(if spread { start.minute().into() } else { 0 });
        let points = (0..).map(|n| origin + step * n).take_while(|at| *at <= span.until);
        let within = if spread { 60 } else { 1 };
        let all = points.flat_map(|at| (0..within).map(move |minute| at + TimeDelta::minutes(minute)));
        let passing = all.filter(|at| *at >= begin && self.shows(*at, clock));
        passing.take(self.count.unwrap_or(usize::MAX)).collect()
    }

    fn shows(&self, at: DateTime<Utc>, clock: &Clock) -> bool {
        let local = shown(clock.zone, at);
        (self.hours.is_empty() || self.hours.contains(&local.hour()))
            && (self.minutes.is_empty() || self.minutes.contains(&local.minute()))
            && (self.weekdays.is_empty() || self.weekdays.iter().any(|it| self.is_weekday(local.date(), *it)))
    }
}

fn texts<T: ToString>(list: &[T]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}
