//! Calendars as sets of days and spans, and what a schedule does with them.

use super::civil::{first_instant, shown};
use super::{Fate, Nominal, Span, merged};
use chrono::{DateTime, Datelike as _, Days, NaiveDate, TimeDelta, Utc};
use scheduler_core::schedule::Tz;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use test_support::Random;

/// How many days a time may move.
const FAR: u64 = 100;

const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// The calendars of a merchant by name.
pub type Calendars = BTreeMap<&'static str, Calendar>;

/// Names of the calendars that every merchant has: holidays, business days, spans of maintenance.
pub const NAMES: [&str; 3] = ["closed", "business", "maintenance"];

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Calendar {
    dates: BTreeSet<NaiveDate>,
    ranges: Vec<(NaiveDate, NaiveDate)>,
    /// Month and day.
    yearly: BTreeSet<(u32, u32)>,
    /// 0 is Sunday.
    weekdays: BTreeSet<u32>,
    except: BTreeSet<NaiveDate>,
    /// Without their ends.
    spans: Vec<(DateTime<Utc>, DateTime<Utc>)>,
}

/// What a schedule does with a calendar.
#[derive(Clone, Copy, Debug)]
pub struct Use {
    pub name: &'static str,
    /// Only its days are good, instead of all others.
    only: bool,
    roll: Roll,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Roll {
    Skip,
    Following,
    Preceding,
    ModifiedFollowing,
    Nearest,
}

impl Calendar {
    /// The one of a name, as it is in the days around `day`.
    pub fn random(name: &str, random: &mut Random, day: NaiveDate) -> Self {
        let mut calendar = Self::default();
        let near = |random: &mut Random| day + Days::new(random.below(60)) - Days::new(5);
        match name {
            "maintenance" => {
                for _ in 0..1 + random.below(6) {
                    let from = near(random).and_hms_opt(random.below(24) as u32, 0, 0).unwrap().and_utc();
                    calendar.spans.push((from, from + TimeDelta::minutes(10 + random.below(2_000) as i64)));
                }
            }
            "business" => {
                calendar.weekdays = (1..=5).collect();
                calendar.except = (0..random.below(8)).map(|_| near(random)).collect();
            }
            _ => {
                calendar.dates = (0..2 + random.below(6)).map(|_| near(random)).collect();
                calendar.yearly = [(12, 25), (1, 1), (5, 1)].into();
                if random.chance(50) {
                    let from = near(random);
                    calendar.ranges.push((from, from + Days::new(random.below(12))));
                    calendar.except.insert(from + Days::new(2));
                }
                if random.chance(40) {
                    calendar.weekdays = [0, 6].into();
                }
            }
        }
        calendar
    }

    pub fn json(&self) -> Value {
        let date = |day: &NaiveDate| day.to_string();
        let mut value = json!({});
        let mut put = |name: &str, list: Vec<Value>| {
            if !list.is_empty() {
                value[name] = Value::Array(list);
            }
        };
        put("dates", self.dates.iter().map(|day| json!(date(day))).collect());
        put("ranges", self.ranges.iter().map(|(a, b)| json!({"from": date(a), "to": date(b)})).collect());
        put("yearly", self.yearly.iter().map(|(month, day)| json!(format!("{month:02}-{day:02}"))).collect());
        put("weekdays", self.weekdays.iter().map(|day| json!(WEEKDAYS[*day as usize])).collect());
        put("windows", self.spans.iter().map(|(a, b)| json!({"from": a.to_rfc3339(), "to": b.to_rfc3339()})).collect());
        if !self.except.is_empty() {
            value["except"] = json!({"dates": self.except.iter().map(date).collect::<Vec<_>>()});
        }
        value
    }

    fn has_day(&self, day: NaiveDate) -> bool {
        let named = self.dates.contains(&day)
            || self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&day))
            || self.yearly.contains(&(day.month(), day.day()))
            || self.weekdays.contains(&day.weekday().num_days_from_sunday());
        named && !self.except.contains(&day)
    }

    fn has(&self, at: DateTime<Utc>, day: NaiveDate) -> bool {
        self.has_day(day) || self.spans.iter().any(|(from, to)| *from <= at && at < *to)
    }
}

impl Use {
    /// One or two calendars; `rolling`: times may move to other days.
    pub fn random(random: &mut Random, rolling: bool) -> Vec<Self> {
        const ROLLS: [Roll; 4] = [Roll::Following, Roll::Preceding, Roll::ModifiedFollowing, Roll::Nearest];
        let roll = if rolling { *random.pick(&ROLLS) } else { Roll::Skip };
        let days = if random.chance(60) {
            Self { name: "closed", only: false, roll }
        } else {
            Self { name: "business", only: true, roll }
        };
        let spans = Self { name: "maintenance", only: false, roll: Roll::Skip };
        match random.below(4) {
            0 => vec![days, spans],
            1 if !rolling => vec![spans],
            _ => vec![days],
        }
    }

    pub fn json(&self) -> Value {
        let roll = match self.roll {
            Roll::Skip => "skip",
            Roll::Following => "following",
            Roll::Preceding => "preceding",
            Roll::ModifiedFollowing => "modified_following",
            Roll::Nearest => "nearest",
        };
        json!({"name": self.name, "use": if self.only { "only" } else { "exclude" }, "roll": roll})
    }

    pub fn rolls(&self) -> bool {
        self.roll != Roll::Skip
    }

    fn blocks_day(&self, day: NaiveDate, calendars: &Calendars) -> bool {
        let calendar = &calendars[self.name];
        // With spans there is no telling by the day.
        if self.only { !calendar.has_day(day) && calendar.spans.is_empty() } else { calendar.has_day(day) }
    }

    fn blocks(&self, at: DateTime<Utc>, day: NaiveDate, calendars: &Calendars) -> bool {
        calendars[self.name].has(at, day) != self.only
    }
}

/// What becomes of the times of a schedule under its calendars. `raw` gives its times within a span.
pub fn under(
    uses: &[Use],
    zone: Tz,
    calendars: &Calendars,
    span: Span,
    raw: impl Fn(Span) -> Vec<Nominal>,
) -> Vec<Nominal> {
    let it = Under { uses, zone, calendars };
    if !uses.iter().any(Use::rolls) {
        return raw(span).into_iter().map(|time| it.judged(time)).collect();
    }
    let near = it.far_enough(span);
    let mut times: Vec<_> = raw(near).into_iter().map(|time| it.rolled(time)).collect();
    times.retain(|time| span.contains(time.at));
    merged(times)
}

struct Under<'a> {
    uses: &'a [Use],
    zone: Tz,
    calendars: &'a Calendars,
}

impl Under<'_> {
    /// The span and what may move into it: up to the next good days around it.
    fn far_enough(&self, span: Span) -> Span {
        let mut wide = span.wider(2);
        let blocked = |at: DateTime<Utc>| self.roll_of(shown(self.zone, at).date()).is_some();
        let day = TimeDelta::days(1);
        // Times move to the next good day: from beyond two of them nothing comes, nor from further than times move.
        let end = span.wider(2 + FAR as i64);
        while (blocked(wide.after) || blocked(wide.after + day)) && wide.after > end.after {
            wide.after -= day;
        }
        while (blocked(wide.until) || blocked(wide.until - day)) && wide.until < end.until {
            wide.until += day;
        }
        wide
    }

    fn roll_of(&self, day: NaiveDate) -> Option<Roll> {
        self.uses.iter().find(|it| it.blocks_day(day, self.calendars)).map(|it| it.roll)
    }

    fn judged(&self, time: Nominal) -> Nominal {
        let day = shown(self.zone, time.at).date();
        let blocked = self.uses.iter().any(|it| it.blocks(time.at, day, self.calendars));
        if blocked && time.fate == Fate::Runs { Nominal { fate: Fate::Calendar, ..time } } else { time }
    }

    fn rolled(&self, time: Nominal) -> Nominal {
        let local = shown(self.zone, time.at);
        let day = local.date();
        let Some(roll) = self.roll_of(day).filter(|_| time.fate == Fate::Runs) else { return self.judged(time) };
        let Some(target) = self.target(day, roll) else { return Nominal { fate: Fate::Calendar, ..time } };
        let at = first_instant(self.zone, target.and_time(local.time()));
        self.judged(Nominal { at, rolled_from: Some(time.at), ..time })
    }

    fn target(&self, day: NaiveDate, roll: Roll) -> Option<NaiveDate> {
        let free = |day: &NaiveDate| self.roll_of(*day).is_none();
        let following = (1..=FAR).map(|n| day + Days::new(n)).find(free);
        let preceding = (1..=FAR).map(|n| day - Days::new(n)).find(free);
        match roll {
            Roll::Skip => None,
            Roll::Following => following,
            Roll::Preceding => preceding,
            Roll::ModifiedFollowing => following.filter(|to| to.month() == day.month()).or(preceding),
            Roll::Nearest => match (following, preceding) {
                (Some(after), Some(before)) if day - before < after - day => Some(before),
                (Some(after), _) => Some(after),
                (None, before) => before,
            },
        }
    }
}
