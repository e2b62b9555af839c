//! A schedule of any kind, under calendars or not.

use super::calendars::{Use, under};
use super::cron::{Density, Expression};
use super::interval::{Interval, Once};
use super::rule::RuleSet;
use super::union::{Exclusion, Union};
use super::windows::Windows;
use super::{Around, Nominal, Span};
use chrono::{DateTime, TimeDelta, Utc};
use scheduler_core::schedule::Tz;
use serde_json::Value;
use test_support::Random;

#[derive(Clone, Debug)]
pub struct Schedule {
    pub kind: Kind,
    calendars: Vec<Use>,
}

#[derive(Clone, Debug)]
pub enum Kind {
    Cron(Expression),
    Rule(RuleSet),
    Interval(Interval),
    Once(Once),
    Windows(Windows),
    Union(Union),
}

impl Schedule {
    /// One of any kind but those that wait for ends, for a template of the time around `begin`.
    pub fn random(random: &mut Random, density: Density, begin: DateTime<Utc>) -> Self {
        let kind = match random.below(100) {
            ..45 => Kind::Cron(Expression::random(random, density)),
            45..65 => Kind::Rule(RuleSet::random(random, density, begin)),
            65..75 => Kind::Interval(Interval::random(random, least_seconds(density), begin)),
            75..78 => Kind::Once(Once::random(random, Span { after: begin, until: begin + TimeDelta::days(60) })),
            78..88 => Kind::Windows(Windows::random(random, 86_400 / least_seconds(density))),
            _ => Kind::Union(union(random, density, begin)),
        };
        // Calendars look at days; dense schedules are about other things.
        let calendars = match (density, random.below(100)) {
            (Density::Rare, ..20) => Use::random(random, true),
            (Density::Rare | Density::Hourly, ..40) => Use::random(random, false),
            _ => Vec::new(),
        };
        Self { kind, calendars }
    }

    /// One whose times are counted from the ends of runs.
    pub fn from_completion(random: &mut Random) -> Self {
        let calendars = if random.chance(30) { Use::random(random, false) } else { Vec::new() };
        Self { kind: Kind::Interval(Interval::from_completion(random)), calendars }
    }

    pub fn json(&self) -> Value {
        let mut value = match &self.kind {
            Kind::Cron(cron) => cron.json(),
            Kind::Rule(set) => set.json(),
            Kind::Interval(interval) => interval.json(),
            Kind::Once(once) => once.json(),
            Kind::Windows(windows) => windows.json(),
            Kind::Union(union) => union.json(),
        };
        if !self.calendars.is_empty() {
            value["calendars"] = self.calendars.iter().map(Use::json).collect();
        }
        value
    }

    /// Its nominal times within a span, in order.
    pub fn times(&self, span: Span, around: Around<'_>) -> Vec<Nominal> {
        let raw = |span| match &self.kind {
            Kind::Cron(cron) => cron.times(span, around),
            Kind::Rule(set) => set.times(span),
            Kind::Interval(interval) => interval.times(span, around),
            Kind::Once(once) => once.times(span),
            Kind::Windows(windows) => windows.times(span),
            Kind::Union(union) => union.times(span, around),
        };
        if self.calendars.is_empty() {
            return raw(span);
        }
        under(&self.calendars, self.zone(), around.calendars, span, raw)
    }

    /// What its calendars make of one instant that it names.
    pub fn judged(&self, at: DateTime<Utc>, around: Around<'_>) -> Nominal {
        let only = Span { after: at, until: at };
        let judged = under(&self.calendars, self.zone(), around.calendars, only, |_| vec![Nominal::runs(at)]);
        judged.into_iter().next().unwrap_or(Nominal::runs(at))
    }

    /// The calendars that it names, also deep inside.
    pub fn calendar_names(&self) -> Vec<&'static str> {
        self.parts().into_iter().flat_map(|part| part.calendars.iter().map(|it| it.name)).collect()
    }

    /// Whether calendars move its times to other days.
    pub fn rolls(&self) -> bool {
        self.parts().into_iter().any(|part| part.calendars.iter().any(Use::rolls))
    }

    pub fn completion(&self) -> Option<&Interval> {
        match &self.kind {
            Kind::Interval(interval) if interval.counts_from_ends() => Some(interval),
            _ => None,
        }
    }

    /// Itself and all that it is made of.
    fn parts(&self) -> Vec<&Schedule> {
        let mut parts = vec![self];
        if let Kind::Union(union) = &self.kind {
            parts.extend(union.members.iter().flat_map(Schedule::parts));
        }
        parts
    }

    fn zone(&self) -> Tz {
        match &self.kind {
            Kind::Cron(cron) => cron.clock().map_or(Tz::UTC, |clock| clock.zone),
            Kind::Rule(set) => set.clock.zone,
            Kind::Windows(windows) => windows.zone,
            Kind::Union(union) => union.members[0].zone(),
            Kind::Interval(_) | Kind::Once(_) => Tz::UTC,
        }
    }
}

fn union(random: &mut Random, density: Density, begin: DateTime<Utc>) -> Union {
    let member = |random: &mut Random, density| loop {
        let found = Schedule::random(random, density, begin);
        // One union within another, now and then; none deeper.
        let deep = matches!(&found.kind, Kind::Union(inner) if inner.members.iter().any(|it| matches!(it.kind, Kind::Union(_))));
        if !deep && (!matches!(found.kind, Kind::Union(_)) || random.chance(20)) {
            return found;
        }
    };
    let mut members = vec![member(random, density)];
    members.extend((0..1 + random.below(2)).map(|_| member(random, Density::Rare)));
    let except = (0..random.below(3)).map(|_| match random.below(3) {
        0 => Exclusion::Open(Windows::random(random, 4)),
        1 => {
            let from = begin + TimeDelta::hours(random.below(24 * 90) as i64);
            Exclusion::Span(from, from + TimeDelta::hours(1 + random.below(200) as i64))
        }
        _ => {
            // The very times of a member on some days, so that something is taken out.
            let of_member = Schedule { calendars: Vec::new(), ..members[0].clone() };
            let other = Schedule { calendars: Vec::new(), ..member(random, Density::Rare) };
            let excluded = if random.chance(30) && density == Density::Rare { of_member } else { other };
            match excluded.without_calendars() {
                // Of windows, all the time that they are open.
                Schedule { kind: Kind::Windows(windows), .. } => Exclusion::Open(windows),
                schedule => Exclusion::Times(Box::new(schedule)),
            }
        }
    });
    let except = except.collect();
    Union { members, except }
}

impl Schedule {
    fn without_calendars(mut self) -> Self {
        self.calendars.clear();
        if let Kind::Union(union) = &mut self.kind {
            union.members = std::mem::take(&mut union.members).into_iter().map(Self::without_calendars).collect();
        }
        self
    }
}

/// About how far apart its times are at least.
fn least_seconds(density: Density) -> u64 {
    match density {
        Density::Rare => 8 * 3_600,
        Density::Hourly => 3_600,
        Density::Dense => 240,
    }
}
