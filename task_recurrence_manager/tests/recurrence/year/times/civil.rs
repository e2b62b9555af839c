//! Local times and the instants that they stand for, asked of the zone library one by one.

use super::{Fate, Nominal, Span};
use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, TimeDelta, TimeZone as _, Utc};
use scheduler_core::schedule::Tz;
use test_support::Random;

/// Zones with every kind of clock change, and some without.
pub const ZONES: [&str; 26] = [
    "UTC",
    "America/New_York",
    "America/St_Johns",
    "America/Havana",
    "America/Santiago",
    "America/Asuncion",
    "America/Sao_Paulo",
    "America/Nuuk",
    "America/Los_Angeles",
    "Atlantic/Azores",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Berlin",
    "Europe/Chisinau",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Jerusalem",
    "Asia/Kathmandu",
    "Asia/Tokyo",
    "Australia/Lord_Howe",
    "Australia/Adelaide",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Antarctica/Troll",
];

/// What happens to local times that do not exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gap {
    NextValid,
    Shift,
    Skip,
}

/// What happens to local times that come twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fold {
    First,
    Last,
    Both,
}

impl Gap {
    pub const NAMES: [(&'static str, Self); 3] =
        [("next_valid", Self::NextValid), ("shift", Self::Shift), ("skip", Self::Skip)];
}

impl Fold {
    pub const NAMES: [(&'static str, Self); 3] = [("first", Self::First), ("last", Self::Last), ("both", Self::Both)];
}

/// A zone and what is to be done about its clock changes, as far as the schedule says so.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    pub zone: Tz,
    pub gap: Option<(&'static str, Gap)>,
    pub fold: Option<(&'static str, Fold)>,
}

impl Clock {
    /// A random zone, now and then with policies of its own.
    pub fn random(random: &mut Random) -> Self {
        let zone = zone(random);
        let gap = random.chance(20).then(|| *random.pick(&Gap::NAMES));
        let fold = random.chance(20).then(|| *random.pick(&Fold::NAMES));
        Self { zone, gap, fold }
    }

    /// Writes itself into a schedule.
    pub fn describe(&self, schedule: &mut serde_json::Value) {
        schedule["timezone"] = self.zone.name().into();
        self.describe_policies(schedule);
    }

    pub fn describe_policies(&self, schedule: &mut serde_json::Value) {
        if let Some((name, _)) = self.gap {
            schedule["dst_gap"] = name.into();
        }
        if let Some((name, _)) = self.fold {
            schedule["dst_fold"] = name.into();
        }
    }

    /// Adds what a local time stands for. `elapsed`: the schedule follows real time where it says nothing else.
    pub fn place(&self, local: NaiveDateTime, elapsed: bool, times: &mut Vec<Nominal>) {
        let gap = self.gap.map_or(if elapsed { Gap::Skip } else { Gap::NextValid }, |(_, gap)| gap);
        let fold = self.fold.map_or(if elapsed { Fold::Both } else { Fold::First }, |(_, fold)| fold);
        match self.zone.from_local_datetime(&local) {
            LocalResult::Single(only) => times.push(Nominal::runs(only.to_utc())),
            LocalResult::Ambiguous(first, last) => {
                if fold != Fold::Last {
                    times.push(Nominal::runs(first.to_utc()));
                }
                if fold != Fold::First {
                    times.push(Nominal::runs(last.to_utc()));
                }
            }
            LocalResult::None => times.push(match gap {
                Gap::NextValid => Nominal::runs(first_instant(self.zone, local)),
                Gap::Shift => Nominal::runs(as_if_unchanged(self.zone, local)),
                Gap::Skip => Nominal { fate: Fate::DstGap, ..Nominal::runs(as_if_unchanged(self.zone, local)) },
            }),
        }
    }
}

pub fn zone(random: &mut Random) -> Tz {
    random.pick(&ZONES).parse().unwrap()
}

/// The first time that the clock shows it; where it never does, the first instant after the gap.
pub fn first_instant(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    let mut shown = local;
    loop {
        match zone.from_local_datetime(&shown) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => return at.to_utc(),
            // Clocks change at whole minutes.
            LocalResult::None => shown = whole_minute(shown) + TimeDelta::minutes(1),
        }
    }
}

/// The instant of a local time that does not exist, if the clocks had not been changed.
fn as_if_unchanged(zone: Tz, local: NaiveDateTime) -> DateTime<Utc> {
    let mut shown = whole_minute(local);
    loop {
        shown -= TimeDelta::minutes(1);
        match zone.from_local_datetime(&shown) {
            LocalResult::Single(at) | LocalResult::Ambiguous(_, at) => return at.to_utc() + (local - shown),
            LocalResult::None => {}
        }
    }
}

fn whole_minute(local: NaiveDateTime) -> NaiveDateTime {
    local - TimeDelta::seconds(local.and_utc().timestamp().rem_euclid(60))
}

/// Every civil day that may have an instant of the span in it, in any zone.
pub fn days(span: Span) -> impl Iterator<Item = NaiveDate> {
    let last = span.until.date_naive() + TimeDelta::days(2);
    (span.after.date_naive() - TimeDelta::days(2)).iter_days().take_while(move |day| *day <= last)
}

/// What the clock of a zone shows.
pub fn shown(zone: Tz, at: DateTime<Utc>) -> NaiveDateTime {
    at.with_timezone(&zone).naive_local()
}

/// Whether the clocks of a zone change within a day of this date.
pub fn changes_near(zone: Tz, day: NaiveDate) -> bool {
    use chrono::Offset as _;
    let offset = |hours: i64| {
        let utc = day.and_hms_opt(12, 0, 0).unwrap() + TimeDelta::hours(hours);
        zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()
    };
    offset(-48) != offset(48)
}
