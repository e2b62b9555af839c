//! `cron`: local times described by five, six or seven fields, in a zone.
//!
//! `expression` splits and names the fields, `item` reads one field, `pattern` and `days` hold the result as bit
//! sets, `search` walks the calendar.

mod days;
mod describe;
mod every;
mod expression;
mod field;
mod hash;
mod item;
mod never;
mod next;
mod pattern;
mod search;
mod warnings;

use std::sync::Arc;

use chrono_tz::Tz;
use serde_json::{Map, Value};

use super::object::Members;
use super::policy::{DstFold, DstGap};
use super::timeline::Timeline;
use super::wall::WallClock;
use super::{IntervalSchedule, Kind, ScheduleError};
use hash::Hashed;
use pattern::Pattern;

const MEMBERS: [&str; 4] = ["expression", "timezone", "dst_gap", "dst_fold"];

/// Local times described by a cron expression.
#[derive(Clone, Debug)]
pub struct CronSchedule {
    expression: String,
    /// Each `H` stands for all its values.
    pattern: Pattern,
    hashed: Option<Arc<Hashed>>,
    wall: WallClock,
    hints: Vec<String>,
}

impl CronSchedule {
    /// The expression as it was given.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// What happens to local times that do not exist: as given, or the default of the schedule's class.
    pub fn dst_gap(&self) -> DstGap {
        self.wall.gap
    }

    /// What happens to local times that come twice: as given, or the default of the schedule's class.
    pub fn dst_fold(&self) -> DstFold {
        self.wall.fold
    }

    /// Whether it follows real time through clock changes by default (minute or hour start with `*`) rather than the
    /// clock on the wall.
    pub fn is_elapsed(&self) -> bool {
        self.pattern.elapsed
    }

    pub(super) fn timezone(&self) -> Tz {
        self.wall.timeline.zone()
    }
}

/// Reads a cron schedule from its JSON object; one of `@every` is an interval.
pub(super) fn parse(object: &Map<String, Value>) -> Result<Kind, Vec<ScheduleError>> {
    if let Some(length) = object.get("expression").and_then(Value::as_str).and_then(every::parse) {
        return interval(object, length).map(Kind::Interval);
    }
    fields(object).map(Kind::Cron)
}

fn interval(object: &Map<String, Value>, length: Result<u64, String>) -> Result<IntervalSchedule, Vec<ScheduleError>> {
    let mut members = Members::new(object, &MEMBERS);
    let zone = members.timezone();
    for name in ["dst_gap", "dst_fold"] {
        if members.get(name).is_some() {
            members.refuse(name, "`@every` runs in real time, which no change of the clock touches: leave it out");
        }
    }
    let built = length.and_then(|seconds| {
        IntervalSchedule::from_start(seconds, zone).ok_or_else(|| "`@every` takes at most a hundred years".to_owned())
    });
    let built = built.map_err(|problem| members.refuse("expression", problem)).ok();
    members.finish(built)
}

fn fields(object: &Map<String, Value>) -> Result<CronSchedule, Vec<ScheduleError>> {
    let mut members = Members::new(object, &MEMBERS);
    let text = members.required("expression", "\"0 9 * * 1-5\"").and_then(|value| members.text("expression", value));
    let parsed = text.and_then(|text| checked(text, &mut members));
    let zone = members.timezone();
    let gap = members.choice("dst_gap", DstGap::NAMES);
    let fold = members.choice("dst_fold", DstFold::NAMES);
    let built = text.zip(parsed).map(|(text, parsed)| {
        let elapsed = parsed.pattern.elapsed;
        CronSchedule {
            expression: text.to_owned(),
            pattern: parsed.pattern,
            hashed: parsed.hashed.map(Arc::new),
            wall: WallClock {
                timeline: Timeline::of(zone),
                gap: gap.unwrap_or(if elapsed { DstGap::Skip } else { DstGap::NextValid }),
                fold: fold.unwrap_or(if elapsed { DstFold::Both } else { DstFold::First }),
            },
            hints: parsed.hints,
        }
    });
    members.finish(built)
}

/// The expression, parsed and known to match some date; problems are recorded.
fn checked(text: &str, members: &mut Members<'_>) -> Option<expression::Parsed> {
    let parsed = match expression::parse(text) {
        Ok(parsed) => parsed,
        Err(problems) => {
            problems.into_iter().for_each(|problem| members.refuse("expression", problem));
            return None;
        }
    };
    if let Some(reason) = never::reason(&parsed.pattern) {
        members.refuse("expression", reason);
        return None;
    }
    Some(parsed)
}
