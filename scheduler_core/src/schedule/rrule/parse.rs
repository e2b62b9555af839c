//! The JSON form of a recurrence set, and its lines as a whole.

use std::sync::Arc;

use chrono_tz::Tz;
use serde_json::{Map, Value};

use super::super::object::Members;
use super::super::policy::{DstFold, DstGap};
use super::super::timeline::Timeline;
use super::super::wall::WallClock;
use super::super::words::{nearest, quoted};
use super::super::{ScheduleError, timezone};
use super::lines::{Line, lines};
use super::parts::Parts;
use super::stamp::{Form, Stamp};
use super::{RecurrenceSet, RruleSchedule, Rule, build};

const MEMBERS: [&str; 4] = ["expression", "timezone", "dst_gap", "dst_fold"];

const EXAMPLE: &str = "\"DTSTART;TZID=America/New_York:20260105T090000\\nRRULE:FREQ=WEEKLY;BYDAY=MO,FR\"";

/// The most rules of one set.
const MAX_RULES: usize = 32;

const PROPERTIES: [&str; 4] = ["DTSTART", "RRULE", "RDATE", "EXDATE"];

/// Reads a recurrence set from its JSON object.
pub(in super::super) fn parse(object: &Map<String, Value>) -> Result<RruleSchedule, Vec<ScheduleError>> {
    let mut members = Members::new(object, &MEMBERS);
    let text = members.required("expression", EXAMPLE).and_then(|value| members.text("expression", value));
    let given = members.get("timezone").is_some().then(|| members.timezone());
    let gap = members.choice("dst_gap", DstGap::NAMES).unwrap_or(DstGap::NextValid);
    let fold = members.choice("dst_fold", DstFold::NAMES).unwrap_or(DstFold::First);
    let parsed = text.and_then(|text| {
        let parsed = lines(text).map_err(|problem| vec![problem]).and_then(|lines| {
            check_names(&lines)?;
            set_of_lines(&lines, given, gap, fold)
        });
        let never = "no date matches all parts, or all are excluded: this never runs";
        let parsed = parsed.and_then(|set| if set.is_empty() { Err(vec![never.to_owned()]) } else { Ok(set) });
        parsed.map_err(|problems| problems.into_iter().for_each(|it| members.refuse("expression", it))).ok()
    });
    let built = text.zip(parsed).map(|(text, set)| RruleSchedule { expression: text.to_owned(), set });
    members.finish(built)
}

fn check_names(lines: &[Line]) -> Result<(), Vec<String>> {
    let problem = |line: &Line| {
        let name = line.name.as_str();
        let known = PROPERTIES.join(", ");
        let detail = match name {
            _ if PROPERTIES.contains(&name) => return None,
            "EXRULE" => "EXRULE is no longer part of iCalendar: use a union whose `except` names the rule".to_owned(),
            "DTEND" | "DURATION" => format!("{name} says how long an event takes, which a schedule does not know"),
            _ => match nearest(name, PROPERTIES) {
                Some(near) => format!("{} is not known: did you mean {near}? allowed are {known}", quoted(name)),
                None => format!("{} is not known: allowed are {known}", quoted(name)),
            },
        };
        Some(format!("line {}: {detail}", line.number))
    };
    let problems: Vec<_> = lines.iter().filter_map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Makes a set of lines whose names were checked; lines of other names are passed over. The errors are sentences.
pub(in super::super) fn set_of_lines(
    lines: &[Line],
    given: Option<Tz>,
    gap: DstGap,
    fold: DstFold,
) -> Result<RecurrenceSet, Vec<String>> {
    let (start, zone) = start(lines, given).map_err(|problem| vec![problem])?;
    let timeline = Timeline::of(zone);
    let mut set = RecurrenceSet {
        wall: WallClock { timeline: Arc::clone(&timeline), gap, fold },
        start: start.local,
        whole_days: start.form == Form::Date,
        rules: Vec::new(),
        dates: Vec::new(),
        instants: Vec::new(),
        excluded: Vec::new(),
        excluded_days: Vec::new(),
    };
    let mut problems = Vec::new();
    for line in lines {
        let outcome = match line.name.as_str() {
            "RRULE" => rule(line, start, &timeline).map(|rule| set.rules.push(rule)),
            "RDATE" => dates(line, zone).map(|dates| dates.iter().for_each(|it| set.include(it))),
            "EXDATE" => dates(line, zone).map(|dates| dates.iter().for_each(|it| set.exclude(it))),
            _ => Ok(()),
        };
        problems.extend(outcome.err().unwrap_or_default());
    }
    if set.rules.len() > MAX_RULES {
        problems.push(format!("{} RRULE lines; allowed are {MAX_RULES}", set.rules.len()));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    if set.rules.is_empty() {
        set.dates.push(start.local);
    }
    set.sort();
    Ok(set)
}

/// DTSTART and the zone of the set.
fn start(lines: &[Line], given: Option<Tz>) -> Result<(Stamp, Tz), String> {
    let mut starts = lines.iter().filter(|line| line.name == "DTSTART");
    let line = starts.next().ok_or("DTSTART is missing; an example: DTSTART;TZID=America/New_York:20260105T090000")?;
    if let Some(second) = starts.next() {
        return Err(second.problem("there is a DTSTART already"));
    }
    let stamp = Stamp::parse(&line.value).map_err(|detail| line.problem_at(0, &detail))?;
    let own = match (zone_of(line)?, stamp.form) {
        (Some(_), Form::Utc) => return Err(line.problem("a time that ends in Z is in UTC: leave out TZID, or the Z")),
        (None, Form::Utc) => Some(Tz::UTC),
        (own, _) => own,
    };
    match (own, given) {
        (Some(own), Some(given)) if own != given => {
            let detail = format!("its zone is {own}, but `timezone` says {given}: leave out one of them");
            Err(line.problem(&detail))
        }
        (own, given) => Ok((stamp, own.or(given).unwrap_or(Tz::UTC))),
    }
}

fn zone_of(line: &Line) -> Result<Option<Tz>, String> {
    let Some(name) = line.param("TZID") else { return Ok(None) };
    timezone::parse(name).map(Some).map_err(|detail| line.problem(&detail))
}

fn rule(line: &Line, start: Stamp, timeline: &Arc<Timeline>) -> Result<Rule, Vec<String>> {
    let parts = Parts::parse(&line.value);
    let parts = parts.map_err(|faults| -> Vec<String> {
        faults.iter().map(|fault| line.problem_at(fault.at, &fault.detail)).collect()
    })?;
    build::rule(parts, start.local, timeline).map_err(|detail| vec![line.problem(&detail)])
}

/// One entry of RDATE or EXDATE.
struct Dated {
    stamp: Stamp,
    /// The zone, if it is another one than that of the set.
    zone: Option<Tz>,
}

fn dates(line: &Line, zone: Tz) -> Result<Vec<Dated>, Vec<String>> {
    let own = zone_of(line).map_err(|problem| vec![problem])?.filter(|own| *own != zone);
    let (mut dates, mut problems, mut at) = (Vec::new(), Vec::new(), 0);
    for item in line.value.split(',') {
        // Of a period, only the beginning matters here.
        let begin = item.split_once('/').map_or(item, |(begin, _)| begin);
        match Stamp::parse(begin) {
            Ok(stamp) => dates.push(Dated { stamp, zone: own.filter(|_| stamp.form == Form::Local) }),
            Err(detail) => problems.push(line.problem_at(at, &detail)),
        }
        at += item.len() + 1;
    }
    if problems.is_empty() { Ok(dates) } else { Err(problems) }
}

impl RecurrenceSet {
    /// Whether DTSTART is a day, and its instant.
    pub(in super::super) fn beginning(&self) -> (bool, i64) {
        (self.whole_days, self.wall.timeline.instant(self.start))
    }

    /// The instant of a time that a line of the set's event gives.
    pub(in super::super) fn instant_of(&self, line: &Line, stamp: Stamp) -> Result<i64, String> {
        Ok(match (stamp.form, zone_of(line)?) {
            (Form::Utc, _) => stamp.local,
            (_, Some(zone)) => Timeline::of(zone).instant(stamp.local),
            (_, None) => self.wall.timeline.instant(stamp.local),
        })
    }

    fn include(&mut self, dated: &Dated) {
        match (dated.stamp.form, dated.zone) {
            (Form::Utc, _) => self.instants.push(dated.stamp.local),
            (_, Some(zone)) => self.instants.push(Timeline::of(zone).instant(dated.stamp.local)),
            // A day stands for the time of day that DTSTART has.
            (Form::Date, None) => self.dates.push(dated.stamp.local + self.start.rem_euclid(super::DAY)),
            (Form::Local, None) => self.dates.push(dated.stamp.local),
        }
    }

    fn exclude(&mut self, dated: &Dated) {
        match (dated.stamp.form, dated.zone) {
            (Form::Utc, _) => self.excluded.push(dated.stamp.local),
            (_, Some(zone)) => self.excluded.push(Timeline::of(zone).instant(dated.stamp.local)),
            (Form::Date, None) => self.excluded_days.push(dated.stamp.day()),
            // The instants at which that local time would run, also where a clock change moves it.
            (Form::Local, None) => self.excluded.extend(self.wall.instants(dated.stamp.local)),
        }
    }

    fn sort(&mut self) {
        for list in [&mut self.dates, &mut self.instants, &mut self.excluded, &mut self.excluded_days] {
            list.sort_unstable();
            list.dedup();
        }
    }
}
