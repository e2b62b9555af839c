//! The nominal times of a template: its schedule within its bounds, and how far each start is put off. Pure.

use super::policies::TemplatePolicies;
use crate::schedule::{Anchor, EvalContext, Kind, Occurrence, Schedule};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use uuid::Uuid;

/// Smallest distance of two instants that the database tells apart.
const MICRO: TimeDelta = TimeDelta::microseconds(1);
/// Occurrences looked at in one look back before it looks at less.
const LOOK: usize = 20_000;

/// A schedule within the bounds of its template.
#[derive(Clone, Copy, Debug)]
pub struct Timetable<'a> {
    schedule: &'a Schedule,
    context: EvalContext<'a>,
    start_at: Option<DateTime<Utc>>,
    end_at: Option<DateTime<Utc>>,
}

/// What a look at a stretch of time found.
enum Look {
    /// The latest occurrences of the stretch, and whether there were as many as wanted.
    Found(Vec<Occurrence>, bool),
    /// Too many to look at all of them.
    Dense,
}

impl<'a> Timetable<'a> {
    /// The times of `schedule` from `start_at` to `end_at`, both inclusive.
    pub fn new(schedule: &'a Schedule, policies: &TemplatePolicies, context: EvalContext<'a>) -> Self {
        Self { schedule, context, start_at: policies.start_at, end_at: policies.end_at }
    }

    /// Whether each time is counted from the end of the run before it.
    pub fn counts_from_ends(&self) -> bool {
        counts_from_ends(self.schedule)
    }

    /// The same times, had the last run ended at `at`.
    pub fn after_end_at(self, at: DateTime<Utc>) -> Self {
        Self { context: EvalContext { last_completion: Some(at), ..self.context }, ..self }
    }

    /// The first nominal time strictly after `after`; none: the schedule has ended.
    pub fn next_after(&self, after: DateTime<Utc>) -> Option<Occurrence> {
        let after = self.start_at.map_or(after, |start| after.max(start - MICRO));
        let next = self.schedule.next_after(after, &self.context)?;
        self.end_at.is_none_or(|end| next.at <= end).then_some(next)
    }

    /// The nominal times strictly after `after`, in order.
    pub fn occurrences(&self, after: DateTime<Utc>) -> impl Iterator<Item = Occurrence> + use<'a> {
        let times = *self;
        std::iter::successors(self.next_after(after), move |last| times.next_after(last.at))
    }

    /// The times before and after a time that run. The one before may lie before the template's bounds: its schedule names
    /// it, and what happened since then is what an occurrence is about.
    pub fn neighbours(&self, at: DateTime<Utc>) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
        let unbounded = Self { start_at: None, end_at: None, ..*self };
        let before = unbounded.latest(DateTime::UNIX_EPOCH, at - MICRO, 1, Occurrence::runs);
        let after = self.occurrences(at).take(LOOK).find(Occurrence::runs);
        (before.last().map(|it| it.at), after.map(|it| it.at))
    }

    /// The occurrence at exactly this time, if it is a nominal one.
    pub fn at(&self, at: DateTime<Utc>) -> Option<Occurrence> {
        self.next_after(at - MICRO).filter(|occurrence| occurrence.at == at)
    }

    /// The occurrence that somebody means by this time. One without a fraction of a second stands for its whole second: that
    /// is how people write the times of an interval that counts from a creation.
    pub fn meant_by(&self, at: DateTime<Utc>) -> Option<Occurrence> {
        let found = self.next_after(at - MICRO)?;
        (found.at < at + written_precision(at)).then_some(found)
    }

    /// The last `limit` times in `after < time <= until` that `wanted` names, in order.
    ///
    /// Schedules only go forward, so this looks at stretches that reach further and further back. A stretch with very
    /// many times is halved, so that the cost is bounded however the times are spread.
    pub fn latest(
        &self,
        after: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: usize,
        wanted: impl Fn(&Occurrence) -> bool,
    ) -> Vec<Occurrence> {
        let mut width = TimeDelta::seconds(i64::try_from(limit).unwrap_or(i64::MAX).clamp(1, 86_400));
        let mut dense: Option<DateTime<Utc>> = None;
        let mut sparse = Vec::new();
        let mut sparse_from = until;
        loop {
            let begin = match dense {
                Some(dense) => dense + (sparse_from - dense) / 2,
                None => after.max(until.checked_sub_signed(width).unwrap_or(after)),
            };
            if limit == 0 || begin >= until || dense.is_some_and(|dense| sparse_from - dense <= TimeDelta::seconds(1)) {
                return sparse;
            }
            match self.look(begin, until, limit, &wanted) {
                Look::Found(found, enough) if enough || begin == after => return found,
                Look::Found(found, _) => (sparse, sparse_from) = (found, begin),
                Look::Dense => dense = Some(begin),
            }
            width = width.checked_mul(4).unwrap_or(TimeDelta::MAX);
        }
    }

    fn look(
        &self,
        begin: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: usize,
        wanted: &impl Fn(&Occurrence) -> bool,
    ) -> Look {
        let most = LOOK.max(limit.saturating_mul(8));
        let mut found = std::collections::VecDeque::with_capacity(limit.min(1_024));
        let mut looked = 0;
        for occurrence in self.occurrences(begin).take_while(|occurrence| occurrence.at <= until) {
            looked += 1;
            if looked > most {
                return Look::Dense;
            }
            if wanted(&occurrence) {
                if found.len() == limit {
                    found.pop_front();
                }
                found.push_back(occurrence);
            }
        }
        let enough = found.len() == limit;
        Look::Found(found.into(), enough)
    }
}

/// How long a stretch a time that somebody has written stands for.
pub fn written_precision(at: DateTime<Utc>) -> TimeDelta {
    if at.trunc_subsecs(0) == at { TimeDelta::seconds(1) } else { MICRO }
}

/// Whether each time of a schedule is counted from the end of the run before it.
pub fn counts_from_ends(schedule: &Schedule) -> bool {
    matches!(schedule.kind(), Kind::Interval(interval) if interval.anchor() == Anchor::Completion)
}

/// From where a schedule that counts from the ends of runs counted at `now`, if it counts from `base` since: times ahead that
/// do not run are counted from as soon as they are planned. None: it counts from the same.
pub fn counted_from_by(schedule: &Schedule, base: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let Kind::Interval(interval) = schedule.kind() else { return None };
    let every = i64::try_from(interval.every_seconds()).ok()?.checked_mul(1_000_000)?;
    let ahead = (base - now).num_microseconds().filter(|ahead| *ahead > 0 && counts_from_ends(schedule))?;
    let steps = (ahead - 1) / every + 1;
    base.checked_sub_signed(TimeDelta::microseconds(steps * every))
}

/// How long after its nominal time an occurrence starts: the same at every look, less than `jitter_seconds`, and never as
/// far as the next nominal time.
pub fn jitter(template: Uuid, at: DateTime<Utc>, next: Option<DateTime<Utc>>, jitter_seconds: i64) -> TimeDelta {
    let widest = jitter_seconds.saturating_mul(1_000_000);
    let gap = next.and_then(|next| (next - at).num_microseconds()).unwrap_or(i64::MAX);
    let room = u64::try_from(widest.min(gap)).unwrap_or(0);
    if room == 0 {
        return TimeDelta::zero();
    }
    let (high, low) = template.as_u64_pair();
    let hash = mix(mix(high ^ mix(low)) ^ at.timestamp_micros().cast_unsigned());
    TimeDelta::microseconds(i64::try_from(hash % room).unwrap_or(0))
}

/// SplitMix64's finaliser: every bit of the result depends on every bit of the number.
fn mix(number: u64) -> u64 {
    let z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn schedule(value: Value) -> Schedule {
        Schedule::parse(&value).unwrap()
    }

    fn context() -> EvalContext<'static> {
        EvalContext::new(at("2026-01-01T00:00:00Z"), Uuid::nil())
    }

    fn unbounded(schedule: &Schedule) -> Timetable<'_> {
        Timetable::new(schedule, &TemplatePolicies::default(), context())
    }

    #[test]
    fn bounds_are_inclusive() {
        let hourly = schedule(json!({"kind": "cron", "expression": "0 * * * *"}));
        let (start, end) = (at("2026-05-04T10:00:00Z"), at("2026-05-04T12:00:00Z"));
        let policies = TemplatePolicies { start_at: Some(start), end_at: Some(end), ..TemplatePolicies::default() };
        let times = Timetable::new(&hourly, &policies, context());
        let all: Vec<_> = times.occurrences(at("2026-01-01T00:00:00Z")).map(|o| o.at).collect();
        assert_eq!(all, [start, at("2026-05-04T11:00:00Z"), end]);
        assert!(times.at(start).is_some() && times.at(end).is_some());
        assert!(times.at(at("2026-05-04T09:00:00Z")).is_none() && times.at(at("2026-05-04T10:30:00Z")).is_none());
    }

    #[test]
    fn the_latest_are_those_of_a_walk_from_the_beginning() {
        let (after, until) = (at("2026-01-01T00:00:00Z"), at("2026-03-01T00:00:00Z"));
        for value in [
            json!({"kind": "cron", "expression": "0 9 * * 1"}),
            json!({"kind": "cron", "expression": "* * * * * *"}),
            json!({"kind": "cron", "expression": "*/7 * 3 1 *"}),
            // A dense stretch that lies far back.
            json!({"kind": "cron", "expression": "* * 0-5 2 1 *"}),
            json!({"kind": "interval", "every_seconds": 100_000}),
            json!({"kind": "once", "at": "2026-01-01T00:00:01Z"}),
            json!({"kind": "once", "at": "2027-01-01T00:00:01Z"}),
        ] {
            let schedule = schedule(value.clone());
            let times = unbounded(&schedule);
            let all: Vec<_> = times.occurrences(after).take_while(|o| o.at <= until).map(|o| o.at).collect();
            for limit in [0, 1, 3, 50] {
                let found: Vec<_> = times.latest(after, until, limit, |_| true).into_iter().map(|o| o.at).collect();
                assert_eq!(found, all[all.len().saturating_sub(limit)..], "{value} {limit}");
            }
        }
    }

    #[test]
    fn what_was_counted_from_before_is_so_many_intervals_earlier() {
        let hourly = schedule(json!({"kind": "interval", "every_seconds": 3600, "anchor": "completion"}));
        let before = |base: &str| counted_from_by(&hourly, at(base), at("2026-05-04T10:00:00Z"));
        assert_eq!(before("2026-05-04T10:00:00Z"), None, "it is over");
        assert_eq!(before("2026-05-04T10:00:01Z"), Some(at("2026-05-04T09:00:01Z")));
        assert_eq!(before("2026-05-04T11:00:00Z"), Some(at("2026-05-04T10:00:00Z")));
        assert_eq!(before("2026-05-04T13:30:00Z"), Some(at("2026-05-04T09:30:00Z")));
        let epoch = schedule(json!({"kind": "interval", "every_seconds": 3600}));
        assert_eq!(counted_from_by(&epoch, at("2026-05-04T13:30:00Z"), at("2026-05-04T10:00:00Z")), None);
    }

    #[test]
    fn jitter_is_stable_spread_and_bounded() {
        let (template, nominal) = (Uuid::from_u128(7), at("2026-05-04T10:00:00Z"));
        let of = |n: i64| jitter(template, nominal + TimeDelta::hours(n), None, 60);
        let shifts: std::collections::BTreeSet<_> = (0..100).map(of).collect();
        assert!(shifts.len() > 90 && shifts.iter().all(|d| *d >= TimeDelta::zero() && *d < TimeDelta::seconds(60)));
        assert!(*shifts.last().unwrap() > TimeDelta::seconds(45) && *shifts.first().unwrap() < TimeDelta::seconds(15));
        assert_eq!(of(3), of(3));
        assert_ne!(of(3), jitter(Uuid::from_u128(8), nominal + TimeDelta::hours(3), None, 60));
        for n in 0..100 {
            let at = nominal + TimeDelta::hours(n);
            assert!(jitter(template, at, Some(at + TimeDelta::seconds(1)), 60) < TimeDelta::seconds(1));
        }
        assert_eq!(jitter(template, nominal, None, 0), TimeDelta::zero());
    }
}
