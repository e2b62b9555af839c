//! The ledger beside the independent enumeration: each nominal time has one record, and it says what the policies say.

use super::definition::{Catchup, Policies};
use super::history::{FreezeTold, History, MerchantTold, Told, Version};
use super::ledger::{Row, Starts, rows, shown};
use super::times::{Fate, Nominal, Span};
use super::world::World;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use scheduler_core::domain::FreezeAction;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// What is planned no later than this after its time is on time.
pub const ON_TIME: TimeDelta = TimeDelta::seconds(10);
/// The furthest that any manager plans ahead.
const FURTHEST: TimeDelta = TimeDelta::hours(24);
/// Times of a pause that are looked at, the latest.
const OF_A_PAUSE: usize = 1_000;

pub struct Judge<'a> {
    pub world: &'a World,
    pub starts: Starts,
    /// Everything up to here has been planned.
    pub end: DateTime<Utc>,
    pub verdict: Verdict,
}

/// What the judge has to say.
#[derive(Default, Debug)]
pub struct Verdict {
    pub complaints: Vec<String>,
    pub outcomes: BTreeMap<String, usize>,
    pub pauses: usize,
}

/// One template before the judge.
pub struct Case<'a> {
    pub number: usize,
    pub told: &'a Told,
    pub merchant: &'a MerchantTold,
    pub history: &'a History,
    pub rows: Vec<Row>,
    /// Changes of what surrounds each version, with when everybody must have followed them.
    followed: Vec<Vec<(DateTime<Utc>, DateTime<Utc>)>>,
    times: HashMap<(usize, usize), Rc<Vec<Nominal>>>,
}

impl Judge<'_> {
    /// Judges every template.
    pub async fn all(mut self) -> Verdict {
        for doubled in &self.starts.doubled {
            let complaint = format!("template-{} ran twice for {}", doubled.template, doubled.nominal);
            self.verdict.complaints.push(complaint);
        }
        for (number, told) in self.world.history.templates.iter().enumerate() {
            let history = &self.world.history;
            let merchant = &history.merchants[told.merchant];
            let rows = rows(self.world, told).await;
            let followed = told.versions.iter().map(|version| followed(version, merchant, history)).collect();
            let mut case = Case { number, told, merchant, history, rows, followed, times: HashMap::new() };
            let before = self.verdict.complaints.len();
            self.template(&mut case).await;
            if self.verdict.complaints.len() > before {
                let told = case.described();
                let place = self.verdict.complaints.len() - 1;
                self.verdict.complaints[place] += &told;
            }
        }
        self.verdict
    }

    async fn template(&mut self, case: &mut Case<'_>) {
        let mut runs = 0;
        let mut judged = 0;
        for (number, version) in case.told.versions.iter().enumerate() {
            let until = case.told.end_of(number).unwrap_or(self.end).min(self.end);
            let span = Span { after: version.at, until };
            if !version.active {
                self.pause(case, number, span, runs).await;
                continue;
            }
            judged += if version.definition.schedule.completion().is_some() {
                self.completion(case, number, span, &mut runs)
            } else {
                self.version(case, number, span, &mut runs)
            };
            self.own_end(case, number, span, runs);
        }
        let recorded: Vec<&Row> = case.rows.iter().filter(|row| row.nominal_at <= self.end).collect();
        if judged != recorded.len() {
            let fires = |at: DateTime<Utc>| {
                let version = case.told.versions.iter().rfind(|version| version.at < at);
                version.is_some_and(|it| it.active) && case.told.deleted_at.is_none_or(|gone| at <= gone)
            };
            let others: Vec<_> = recorded.iter().filter(|row| !fires(row.nominal_at)).take(3).collect();
            self.complain(case, format_args!("{} records too many, such as {others:?}", recorded.len() - judged));
        }
        for row in case.rows.iter().filter(|row| row.nominal_at > row.judged_at + FURTHEST) {
            self.complain(case, format_args!("{} was planned at {} already", row.nominal_at, row.judged_at));
        }
    }

    /// A version that fires; returns how many records belong to it. `runs`: what was to run so far.
    fn version(&mut self, case: &mut Case<'_>, number: usize, span: Span, runs: &mut usize) -> usize {
        let regimes = case.regimes(number, span);
        let mut expected: BTreeMap<DateTime<Utc>, (usize, usize)> = BTreeMap::new();
        for regime in &regimes {
            for time in case.times(number, regime.state).iter().filter(|it| regime.holds_at(it.at, span)) {
                expected.entry(time.at).or_default().0 += 1;
            }
        }
        for (at, (_, possible)) in &mut expected {
            *possible = regimes.iter().filter(|regime| regime.holds_at(*at, span)).count();
        }
        let rows: Vec<Row> = case.rows.iter().filter(|row| span.contains(row.nominal_at)).cloned().collect();
        let mut rows = rows.into_iter().peekable();
        let mut judged = 0;
        let policies = case.told.versions[number].definition.policies.clone();
        let has_ended = |runs: usize| policies.max_runs.is_some_and(|most| runs >= most);
        for (at, (named, possible)) in expected {
            while let Some(row) = rows.next_if(|row| row.nominal_at < at) {
                self.complain(case, format_args!("{}: {row:?} is no nominal time", row.nominal_at));
            }
            match rows.next_if(|row| row.nominal_at == at) {
                None if named < possible || has_ended(*runs) => {}
                None => self.complain(case, format_args!("{at}: no record, in version {}", number + 1)),
                Some(row) if has_ended(*runs) => self.complain(case, format_args!("{row:?} after the last run")),
                Some(row) => {
                    judged += 1;
                    self.record(case, number, &row);
                    *runs += usize::from(row.job_id.is_some());
                }
            }
        }
        for row in rows {
            self.complain(case, format_args!("{row:?} is no nominal time"));
        }
        judged
    }

    /// One record of a version that fires.
    fn record(&mut self, case: &mut Case<'_>, number: usize, row: &Row) {
        let state = case.merchant.state_at(row.judged_at);
        let times = case.times(number, state);
        let Ok(index) = times.binary_search_by_key(&row.nominal_at, |it| it.at) else {
            return self
                .complain(case, format_args!("{row:?}: no nominal time by the calendars of when it was decided"));
        };
        let next = times.get(index + 1).map(|it| it.at);
        let freezes = case.merchant.freezes_at(row.judged_at);
        let policies = case.told.versions[number].definition.policies.clone();
        let is_wanted = |it: &Nominal| it.fate == Fate::Runs && skipping(&freezes, it.at).is_none();
        let later = times[index + 1..].iter().take_while(|it| it.at <= row.judged_at).filter(|it| is_wanted(it));
        let later = later.take(policies.catchup_max_runs).count();
        let known_since = case.told.versions[number].at;
        self.judged(case, number, row, &Judged { time: times[index], next, later, known_since });
    }

    /// One record beside what is known about its time.
    pub fn judged(&mut self, case: &Case<'_>, number: usize, row: &Row, known: &Judged) {
        *self.verdict.outcomes.entry(row.outcome.clone()).or_default() += 1;
        if row.version as usize != number + 1 {
            self.complain(case, format_args!("{row:?}: wrong version, not {}", number + 1));
        }
        self.in_time(case, number, row, known.known_since);
        let policies = &case.told.versions[number].definition.policies;
        let freezes = case.merchant.freezes_at(row.judged_at);
        let expected = match known.time.fate {
            Fate::DstGap => ("skipped_dst_gap", None),
            Fate::Calendar => ("skipped_calendar", None),
            Fate::Runs => match skipping(&freezes, row.nominal_at) {
                Some(freeze) => ("skipped_calendar", Some(format!("freeze {}", freeze.name))),
                None if policies.makes_up_for(row, known.later) => ("dispatched", None),
                None => ("missed_window", None),
            },
        };
        match (expected, row.outcome.as_str()) {
            (("dispatched", _), "missed_paused") => self.taken_back(case, row),
            (("dispatched", _), "dispatched") => self.dispatched(case, row, known, &freezes, policies.jitter),
            ((outcome, reason), found) => {
                if outcome != found || reason != row.reason || row.job_id.is_some() {
                    self.complain(case, format_args!("{row:?} should be {outcome} {reason:?}"));
                }
            }
        }
    }

    /// Decided neither too late nor before something that everybody had to follow.
    fn in_time(&mut self, case: &Case<'_>, number: usize, row: &Row, since: DateTime<Utc>) {
        let at = row.nominal_at;
        let drains = &case.history.drains;
        let first = drains.partition_point(|drain| drain.at < since.max(at - FURTHEST));
        let ahead = drains[first..].iter().take_while(|drain| drain.at < at).any(|drain| drain.until >= at);
        let latest = if ahead {
            at
        } else {
            let later = drains[first..].iter().find(|drain| drain.at >= at.max(since));
            later.map_or(self.end, |drain| drain.at)
        };
        if row.judged_at > latest {
            self.complain(case, format_args!("{row:?} should have been decided by {latest}"));
        }
        let followed = &case.followed[number];
        let next = followed.partition_point(|(changed, _)| *changed <= row.judged_at);
        if let Some((changed, by)) = followed.get(next).filter(|(_, by)| *by < at) {
            self.complain(
                case,
                format_args!("{row:?} was not planned anew after {changed}, but should have been by {by}"),
            );
        }
    }

    /// A job that a pause or a deletion took back after its nominal time.
    fn taken_back(&mut self, case: &Case<'_>, row: &Row) {
        let run_at = row.job_id.and_then(|job| self.starts.withdrawn(job));
        let by = case.stops().find(|(at, _)| row.nominal_at <= *at && run_at.is_some_and(|run_at| *at < run_at));
        match by {
            Some((_, reason)) if row.reason.as_deref() == Some(reason) => {}
            _ => self.complain(case, format_args!("{row:?} (to start at {run_at:?}) was not taken back by {by:?}")),
        }
    }

    /// An occurrence that became a job: there is one, and it starts when it should.
    fn dispatched(&mut self, case: &Case<'_>, row: &Row, known: &Judged, freezes: &[&FreezeTold], jitter: TimeDelta) {
        let Some(run) = self.starts.of(case.number, row.nominal_at).filter(|run| Some(run.job) == row.job_id) else {
            return self.complain(case, format_args!("{row:?} has no job"));
        };
        let run_at = run.run_at;
        if let Some((stopped, _)) = case.stops().find(|(at, _)| row.nominal_at <= *at && *at < run_at) {
            self.complain(case, format_args!("{row:?} starts at {run_at}, after it was stopped at {stopped}"));
        }
        let reason = if row.nominal_at < row.judged_at - ON_TIME {
            Some("catch_up".to_owned())
        } else {
            known
                .time
                .rolled_from
                .map(|from| format!("rolled from {}", from.to_rfc3339_opts(SecondsFormat::AutoSi, true)))
        };
        let room = known.next.map_or(jitter, |next| jitter.min(next - row.nominal_at));
        let (on_its_own, held) = starts(row.nominal_at, room, run_at, freezes);
        let fits = on_its_own && row.reason == reason
            || held.is_some_and(|freeze| row.reason == Some(format!("held by freeze {}", freeze.name)));
        if !fits {
            let allowed = (room, on_its_own, reason, held);
            self.complain(case, format_args!("{row:?} starts at {run_at}; allowed: {allowed:?}"));
        }
    }

    /// A version that does not fire: its times are in the ledger, as those of a pause.
    async fn pause(&mut self, case: &mut Case<'_>, number: usize, span: Span, runs: usize) {
        if !case.told.is_there() || span.after >= span.until {
            return;
        }
        self.verdict.pauses += 1;
        let policies = &case.told.versions[number].definition.policies;
        let has_ended = policies.max_runs.is_some_and(|most| runs >= most);
        // The calendars of a pause are those of whoever asks.
        let times = case.times(number, case.merchant.calendars.len() - 1);
        let expected = times.iter().filter(|it| !has_ended && span.contains(it.at)).map(|it| it.at);
        let expected: Vec<_> = expected.collect();
        let expected = &expected[expected.len().saturating_sub(OF_A_PAUSE)..];
        let shown = shown(self.world, case.told, (span.after, span.until), OF_A_PAUSE).await;
        let wrong = shown.iter().find(|(at, outcome)| outcome != "missed_paused" || !expected.contains(at));
        let missing = expected.iter().find(|at| !shown.iter().any(|(shown, _)| shown == *at));
        if wrong.is_some() || missing.is_some() || shown.len() != expected.len() {
            self.complain(
                case,
                format_args!("pause {span:?} after {runs} runs: {wrong:?} is wrong, {missing:?} missing"),
            );
        }
        *self.verdict.outcomes.entry("missed_paused (no row)".to_owned()).or_default() += expected.len();
    }

    pub fn complain(&mut self, case: &Case<'_>, what: std::fmt::Arguments<'_>) {
        self.verdict.complaints.push(format!("{}: {what}", case.told.name));
    }
}

/// What is known about the time of a record.
pub struct Judged {
    pub time: Nominal,
    pub next: Option<DateTime<Utc>>,
    /// How many later times, up to when it was decided, wanted to be made up for, too.
    pub later: usize,
    /// Since when anybody can have known that it is one.
    pub known_since: DateTime<Utc>,
}

impl Policies {
    /// Whether a time that nothing suppresses becomes a job. `later`: how many later ones had passed as well.
    fn makes_up_for(&self, row: &Row, later: usize) -> bool {
        let late = row.judged_at - row.nominal_at;
        if late < TimeDelta::zero() {
            return true;
        }
        let most = match self.catchup {
            Catchup::None => return late <= ON_TIME,
            Catchup::Latest => 1,
            Catchup::All => self.catchup_max_runs,
        };
        late <= self.catchup_window && later < most
    }
}

fn skipping<'a>(freezes: &[&'a FreezeTold], at: DateTime<Utc>) -> Option<&'a FreezeTold> {
    freezes.iter().find(|it| it.action == FreezeAction::Skip && it.contains(at)).copied()
}

/// Whether a start within `room` after the nominal time is one by itself, and the window that may have held it until then.
fn starts<'a>(
    nominal: DateTime<Utc>,
    room: TimeDelta,
    run_at: DateTime<Utc>,
    freezes: &[&'a FreezeTold],
) -> (bool, Option<&'a FreezeTold>) {
    let holding =
        |at: DateTime<Utc>| freezes.iter().find(|it| it.action == FreezeAction::Hold && it.contains(at)).copied();
    let last = nominal + (room - TimeDelta::microseconds(1)).max(TimeDelta::zero());
    let on_its_own = (nominal..=last).contains(&run_at) && holding(run_at).is_none();
    // Each window that some start meets holds it until its end, and then perhaps the next one does.
    let met =
        freezes.iter().filter(|it| it.action == FreezeAction::Hold && it.starts_at <= last && it.ends_at > nominal);
    let mut held = met.filter_map(|freeze| {
        let mut by = *freeze;
        while let Some(next) = holding(by.ends_at) {
            by = next;
        }
        (by.ends_at == run_at).then_some(by)
    });
    (on_its_own, held.next_back())
}

/// The calendars by which times are nominal: those in force at the time, and around a change either.
struct Regime {
    state: usize,
    after: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl Regime {
    fn holds_at(&self, at: DateTime<Utc>, span: Span) -> bool {
        self.after < at && at <= self.until && span.contains(at)
    }
}

impl MerchantTold {
    /// Which of its calendars' states held at a time.
    pub fn state_at(&self, at: DateTime<Utc>) -> usize {
        self.calendars.partition_point(|(since, _)| *since <= at).max(1) - 1
    }
}

/// What a version has to follow, and by when: within moments, that is with the next reviews.
fn followed(version: &Version, merchant: &MerchantTold, history: &History) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let names = version.definition.schedule.calendar_names();
    let calendars =
        merchant.calendars.windows(2).filter(|two| names.iter().any(|name| two[0].1[name] != two[1].1[name]));
    let mut changes: Vec<DateTime<Utc>> = calendars.map(|two| two[1].0).collect();
    changes.extend(merchant.freezes.iter().flat_map(|freeze| [Some(freeze.created_at), freeze.deleted_at]).flatten());
    changes.sort_unstable();
    let reviewed = |at: &DateTime<Utc>| {
        let first = history.reviews.partition_point(|review| review < at);
        history.reviews.get(first).map(|review| (*at, *review))
    };
    changes.iter().filter_map(reviewed).collect()
}

impl Case<'_> {
    /// The nominal times of a version by the calendars in a state, within the template's bounds.
    fn times(&mut self, number: usize, state: usize) -> Rc<Vec<Nominal>> {
        let version = &self.told.versions[number];
        let uses = version.definition.schedule.calendar_names();
        // States that differ in other calendars only are one to it.
        let same = |other: &usize| {
            let (one, two) = (&self.merchant.calendars[*other].1, &self.merchant.calendars[state].1);
            uses.iter().all(|name| one[name] == two[name])
        };
        let state = (0..state).find(same).unwrap_or(state);
        let end = self.told.end_of(number).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let last = self.history.drains.last().map_or(version.at, |drain| drain.at);
        let span = Span { after: version.at, until: end.min(last) + TimeDelta::days(3) };
        let times = || {
            let around = self.told.around(&self.merchant.calendars[state].1);
            let Policies { start_at, end_at, .. } = version.definition.policies;
            let mut times = version.definition.schedule.times(span, around);
            times.retain(|it| start_at.is_none_or(|start| it.at >= start) && end_at.is_none_or(|end| it.at <= end));
            Rc::new(times)
        };
        let known = self.times.get(&(number, state)).cloned();
        let times = known.unwrap_or_else(times);
        self.times.insert((number, state), Rc::clone(&times));
        times
    }

    /// Where calendars move times, a time is one by the calendars in force then: from a change on by the new ones, and
    /// until everybody has followed it, by either.
    fn regimes(&self, number: usize, span: Span) -> Vec<Regime> {
        let version = &self.told.versions[number];
        let first = self.merchant.state_at(version.at);
        let mut regimes = vec![Regime { state: first, after: span.after, until: span.until }];
        if !version.definition.schedule.rolls() {
            return regimes;
        }
        for (state, (changed, _)) in self.merchant.calendars.iter().enumerate().skip(first + 1) {
            if *changed > span.until {
                break;
            }
            // What nobody had planned by then, because no manager was there, is planned by the new ones.
            let before = self.history.drains.iter().filter(|drain| version.at <= drain.at && drain.at <= *changed);
            let planned = before.map(|drain| drain.until).max().unwrap_or(version.at);
            let reviewed = self.history.reviews.partition_point(|review| review < changed);
            let by = self.history.reviews.get(reviewed).copied().unwrap_or(span.until);
            if let Some(last) = regimes.last_mut() {
                last.until = by;
            }
            regimes.push(Regime { state, after: planned.min(*changed), until: span.until });
        }
        regimes
    }

    /// All that is known about it, a line each.
    fn described(&self) -> String {
        let versions = self.told.versions.iter().map(|it| {
            let body = it.definition.body(&self.told.name, it.active);
            format!("\n   {} {body}", it.at.to_rfc3339())
        });
        let names: Vec<_> = self.told.versions.iter().flat_map(|it| it.definition.schedule.calendar_names()).collect();
        let calendars = self.merchant.calendars.iter().flat_map(|(since, calendars)| {
            let used = calendars.iter().filter(|(name, _)| names.contains(name));
            used.map(move |(name, calendar)| format!("\n   {} calendar {name} {}", since.to_rfc3339(), calendar.json()))
        });
        let freezes = self.merchant.freezes.iter().map(|freeze| format!("\n   {freeze:?}"));
        versions.chain(calendars).chain(freezes).collect()
    }

    /// When what happened at a time had been reviewed.
    pub fn reviewed(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let first = self.history.reviews.partition_point(|review| *review < at);
        self.history.reviews.get(first).copied()
    }

    /// The first time of a version after its end, had it gone on.
    pub fn next_time(&self, number: usize, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let definition = &self.told.versions[number].definition;
        let Policies { start_at, end_at, .. } = definition.policies;
        let around = self.told.around(self.merchant.calendars_at(after));
        let times = definition.schedule.times(Span { after, until: after + TimeDelta::days(100) }, around);
        let within =
            |at: &DateTime<Utc>| start_at.is_none_or(|start| *at >= start) && end_at.is_none_or(|end| *at <= end);
        times.into_iter().map(|it| it.at).find(within)
    }

    /// When nothing of the template was to start any more, and what the ledger says then.
    fn stops(&self) -> impl Iterator<Item = (DateTime<Utc>, &'static str)> {
        let pauses = self.told.versions.iter().filter(|version: &&Version| !version.active);
        let pauses = pauses.map(|version| (version.at, "paused before it started"));
        pauses.chain(self.told.deleted_at.map(|at| (at, "deleted before it started")))
    }
}
