//! A schedule under its calendars: what is left out, and what moves to another day.
//!
//! The schedule answers "the next time after t". With rolling, a time before `t` may move behind it and a time far
//! behind `t` may move next to it, so that the search goes by *source days*: it begins at the first day of the run of
//! blocked days that reaches up to `t`, and ends where the run of blocked days behind the best answer ends. Beyond
//! either, nothing can roll in.

use std::sync::Arc;

use chrono::{DateTime, Datelike, TimeDelta, Utc};

use super::super::civil::{DAY, date};
use super::super::occurrence::earliest;
use super::super::timeline::Timeline;
use super::super::{Occurrence, Suppression};
use super::days::{Calendar, day_of};
use super::{CalendarRules, CalendarSet, Mode, Roll};

/// How many days a time may move; farther, it is left out.
const FAR: i64 = 100;

/// More source days than one search can need.
const MOST_STEPS: i64 = 8 * FAR;

/// Times on blocked days that one search looks at one by one, because some of them may not run anyway.
const MOST_LEFT_OUT: i64 = 4_000;

/// The rules with the calendars that they name.
struct Bound<'a> {
    uses: Vec<(Mode, Roll, &'a Calendar)>,
    timeline: &'a Timeline,
}

/// Where the times of a day go.
enum Fate {
    Stay,
    Suppressed,
    To(i64),
}

impl CalendarRules {
    /// The first occurrence after `after` of the schedule that `raw` answers for. `None` also while a calendar is
    /// missing: nothing may run on days that nobody can vouch for.
    pub(in super::super) fn next_after(
        &self,
        after: DateTime<Utc>,
        calendars: &CalendarSet,
        raw: impl Fn(DateTime<Utc>) -> Option<Occurrence>,
    ) -> Option<Occurrence> {
        let bind =
            |it: &super::CalendarUse| calendars.get(&it.name).map(|found| (it.mode, it.roll, Arc::as_ref(found)));
        let uses: Vec<_> = self.uses.iter().map(bind).collect::<Option<_>>()?;
        let bound = Bound { uses, timeline: &self.timeline };
        if bound.uses.iter().all(|(_, roll, _)| *roll == Roll::Skip) {
            return raw(after).map(|found| bound.judged(found));
        }
        bound.next_rolled(after, raw)
    }
}

impl Bound<'_> {
    /// The occurrence, suppressed if it lies where nothing runs.
    fn judged(&self, mut found: Occurrence) -> Occurrence {
        let (at, day) = (found.at.timestamp(), self.day(found.at));
        let blocked = self.uses.iter().any(|(mode, _, calendar)| match mode {
            Mode::Exclude => calendar.has_instant(at, day),
            Mode::Only => !calendar.has_instant(at, day),
        });
        if blocked && found.runs() {
            found.suppressed = Some(Suppression::Calendar);
        }
        found
    }

    fn next_rolled(
        &self,
        after: DateTime<Utc>,
        raw: impl Fn(DateTime<Utc>) -> Option<Occurrence>,
    ) -> Option<Occurrence> {
        let rolled = self.next_that_rolls(after, &raw);
        earliest(rolled, self.next_left_out(after, rolled, &raw))
    }

    /// The first one that a calendar decides about.
    fn next_that_rolls(
        &self,
        after: DateTime<Utc>,
        raw: impl Fn(DateTime<Utc>) -> Option<Occurrence>,
    ) -> Option<Occurrence> {
        let today = self.day(after);
        let mut cursor = self.first_source(after, today);
        let mut best: Option<Occurrence> = None;
        let (mut steps, mut left_out) = (0, 0);
        while steps < MOST_STEPS + left_out {
            steps += 1;
            let Some(found) = raw(cursor) else { break };
            let source = self.day(found.at);
            if best.is_some_and(|best| source > self.end_of_run(self.day(best.at))) {
                break;
            }
            cursor = match self.fate(source) {
                // What does not run anyway does not move either; what comes behind it on that day may.
                Fate::To(_) if !found.runs() && left_out < MOST_LEFT_OUT => {
                    left_out += 1;
                    found.at
                }
                Fate::To(target) if target < today || !found.runs() => self.last_before_day(source + 1),
                Fate::To(target) => {
                    let moved = self.on_day(found, target);
                    if moved.at > after {
                        best = earliest(best, Some(moved));
                        self.last_before_day(source + 1)
                    } else {
                        // The rest of that day, from the time of day that `after` has; where there is no such time that
                        // day, the instant after the gap stands for it and may be one of the schedule itself.
                        (self.on_day(Occurrence::plain(after), source).at - TimeDelta::microseconds(1)).max(found.at)
                    }
                }
                Fate::Stay | Fate::Suppressed if found.at <= after => after.min(self.last_before_day(source + 1)),
                Fate::Stay | Fate::Suppressed => {
                    best = earliest(best, Some(self.judged(found)));
                    self.last_before_day(source + 1)
                }
            };
        }
        best
    }

    /// The first one before `other` that does not run anyway, on a day from which times move: it stays there.
    fn next_left_out(
        &self,
        after: DateTime<Utc>,
        other: Option<Occurrence>,
        raw: impl Fn(DateTime<Utc>) -> Option<Occurrence>,
    ) -> Option<Occurrence> {
        let mut cursor = after;
        for _ in 0..MOST_LEFT_OUT {
            let found = raw(cursor).filter(|found| other.is_none_or(|other| found.at < other.at))?;
            if !found.runs() && matches!(self.fate(self.day(found.at)), Fate::To(_)) {
                return Some(found);
            }
            cursor = found.at;
        }
        None
    }

    /// From where on times can have an effect behind `after`.
    fn first_source(&self, after: DateTime<Utc>, today: i64) -> DateTime<Utc> {
        let blocked_before = (1..=FAR).take_while(|back| self.blocked(today - back).is_some()).count() as i64;
        if blocked_before == 0 && self.blocked(today).is_none() {
            return after;
        }
        self.last_before_day(today - blocked_before)
    }

    /// The last day of the run of blocked days that begins behind `day`.
    fn end_of_run(&self, day: i64) -> i64 {
        day + (1..=FAR).take_while(|ahead| self.blocked(day + ahead).is_some()).count() as i64
    }

    /// The rule of the first calendar that keeps the whole day free, `None` if none does.
    fn blocked(&self, day: i64) -> Option<Roll> {
        let blocks = |mode: Mode, calendar: &Calendar| match mode {
            Mode::Exclude => calendar.has_day(day),
            // With spans of time there is no telling by the day; they do not roll.
            Mode::Only => !calendar.has_day(day) && !calendar.has_spans(),
        };
        self.uses.iter().find(|(mode, _, calendar)| blocks(*mode, calendar)).map(|(_, roll, _)| *roll)
    }

    fn fate(&self, day: i64) -> Fate {
        let Some(roll) = self.blocked(day) else { return Fate::Stay };
        let free = |day: &i64| self.blocked(*day).is_none();
        let following = || (day + 1..=day + FAR).find(free);
        let preceding = || (day - FAR..day).rev().find(free);
        let target = match roll {
            Roll::Skip => None,
            Roll::Following => following(),
            Roll::Preceding => preceding(),
            Roll::ModifiedFollowing => following().filter(|to| month(*to) == month(day)).or_else(preceding),
            Roll::Nearest => (1..=FAR).flat_map(|away| [day + away, day - away]).find(free),
        };
        target.map_or(Fate::Suppressed, Fate::To)
    }

    /// The same local time on another day; a local time that does not exist there becomes the first that does.
    fn on_day(&self, found: Occurrence, day: i64) -> Occurrence {
        let local = self.timeline.local(found.at.timestamp());
        let at = self.timeline.instant(day * DAY + local.rem_euclid(DAY));
        let at = DateTime::from_timestamp(at, found.at.timestamp_subsec_nanos()).unwrap_or(found.at);
        self.judged(Occurrence { at, note: None, rolled_from: Some(found.at), ..found })
    }

    fn day(&self, at: DateTime<Utc>) -> i64 {
        day_of(self.timeline.local(at.timestamp()))
    }

    /// The last microsecond before a local day begins.
    fn last_before_day(&self, day: i64) -> DateTime<Utc> {
        let begin = DateTime::from_timestamp(self.timeline.instant(day * DAY), 0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        begin.checked_sub_signed(TimeDelta::microseconds(1)).unwrap_or(begin)
    }
}

fn month(day: i64) -> Option<(i32, u32)> {
    date(day).map(|date| (date.year(), date.month()))
}
