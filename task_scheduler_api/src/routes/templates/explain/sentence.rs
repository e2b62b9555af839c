//! The facts in words.

use super::facts::{Displaced, Facts};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use scheduler_core::domain::{Job, JobState, OccurrenceOutcome, TemplateVersion};
use scheduler_core::schedule::{Occurrence, OccurrenceNote, Suppression};
use scheduler_core::store::templates::LedgerEntry;
use scheduler_core::store::transitions::overlap::Verdict;

/// The answer: its name, and the sentence.
pub(super) fn of(facts: &Facts) -> (&'static str, String) {
    if let Some(entry) = &facts.entry {
        return (entry.outcome.as_str(), recorded(facts, entry));
    }
    let Some(version) = &facts.in_force else {
        let created = when(facts, facts.template.created_at);
        return ("not_created_yet", format!("The template did not exist then: it was created at {created}."));
    };
    match facts.nominal {
        None if facts.displaced.is_some() => ("suppressed", displaced(facts)),
        None => ("not_nominal", not_nominal(facts, version)),
        Some(_) if !facts.in_bounds => ("out_of_bounds", out_of_bounds(facts)),
        Some(occurrence) => match occurrence.suppressed {
            Some(why) => ("suppressed", suppressed(facts, why)),
            None if occurrence.at > facts.now => to_come(facts, version, &occurrence),
            None => ("unrecorded", unrecorded(facts)),
        },
    }
}

/// What the ledger says.
fn recorded(facts: &Facts, entry: &LedgerEntry) -> String {
    use OccurrenceOutcome::*;
    let because = entry.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let policy = |name: &str, default: &str| {
        let stored = facts.in_force.as_ref().and_then(|version| version.policies.get(name)?.as_str());
        stored.unwrap_or(default).to_owned()
    };
    match entry.outcome {
        Dispatched => ran(facts, entry, "It became a job"),
        Backfilled => ran(facts, entry, &format!("A backfill made a job of it{because}")),
        SkippedOverlap => {
            let overlap = facts.in_force.as_ref().map_or("skip", |version| version.overlap.as_str());
            format!(
                "It did not run: another job of the template was in its way, and `overlap` is `{overlap}`{because}."
            )
        }
        SkippedCalendar => format!("{}: a calendar or a freeze window leaves it out{because}.", did_not(entry, facts)),
        SkippedUser => format!("{}: somebody skipped this one{because}.", did_not(entry, facts)),
        SkippedDstGap => {
            format!(
                "It did not run: the clocks went forward and its local time did not exist, and `dst_gap` is `skip`{because}."
            )
        }
        MissedWindow => format!(
            "It did not run: nobody was there to plan it in time (it was recorded {} late), and `catchup_policy` is `{}`{because}.",
            span(entry.lag.unwrap_or_default()),
            policy("catchup_policy", "latest"),
        ),
        MissedPaused if entry.nominal_at > facts.now => {
            let start = when(facts, entry.moved_to.unwrap_or(entry.nominal_at));
            format!(
                "It will not run unless the template is resumed before {start}, to which it was moved: it is paused."
            )
        }
        MissedPaused => {
            format!(
                "It did not run: the template was paused (version {}){because}; resuming it makes up for nothing.",
                entry.version
            )
        }
        DroppedQuota => format!("It did not run: a quota left no room for it{because}."),
    }
}

fn did_not(entry: &LedgerEntry, facts: &Facts) -> &'static str {
    if entry.nominal_at > facts.now { "It will not run" } else { "It did not run" }
}

/// What became of its job.
fn ran(facts: &Facts, entry: &LedgerEntry, how: &str) -> String {
    let moved = entry.moved_to.map(|to| format!(", moved to {}", when(facts, to))).unwrap_or_default();
    let made_up = if entry.reason.as_deref() == Some("catch_up") { ", made up for after a downtime" } else { "" };
    let Some(job) = &facts.job else {
        return format!("{how}{moved}{made_up}, which is not kept any longer.");
    };
    let late = entry.lag.map(|lag| format!(", started {} after its time", span(lag))).unwrap_or_default();
    let tries = format!("attempt {} of {}", job.attempt, job.max_attempts);
    let end = job.finished_at.map(|at| format!(" at {}", when(facts, at))).unwrap_or_default();
    let error = job.last_error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
    let reason = job.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let fate = match job.state {
        JobState::Scheduled => waiting(facts, job),
        JobState::Blocked => "which waits for other jobs".to_owned(),
        JobState::Running => format!("which is running ({tries}{late})"),
        JobState::Failed => format!("whose {tries} has just failed{error}"),
        JobState::Retrying => {
            format!("which failed on {tries} and is tried again at {}{error}", when(facts, job.run_at))
        }
        JobState::Succeeded => format!("which succeeded{end} ({tries}{late})"),
        JobState::Dead => format!("which failed for good{end} on {tries}{reason}{error}"),
        JobState::Cancelled => format!("which was cancelled{end}{reason}"),
        JobState::Skipped => format!("which was skipped{end}{reason}"),
        JobState::Expired => format!("which expired{end}: it could not start before its deadline"),
    };
    let told = ["catch_up", "moved"];
    let noted = entry.reason.as_deref().filter(|reason| !told.contains(reason));
    let noted = noted.map(|reason| format!("; {reason}")).unwrap_or_default();
    format!("{how}{moved}{made_up}, {fate}{noted}.")
}

fn waiting(facts: &Facts, job: &Job) -> String {
    if job.run_at > facts.now {
        return format!("which starts at {}", when(facts, job.run_at));
    }
    let since = when(facts, job.run_at);
    match facts.overlap {
        None => format!("which is due since {since} and waits for an executor (queue `{}`)", job.queue),
        Some(Verdict::Skip) => format!("which is due since {since} and is just being skipped for the overlap policy"),
        Some(Verdict::Wait) => {
            format!("which is due since {since} and waits until earlier jobs of the template have ended")
        }
        Some(Verdict::Displace) => {
            format!(
                "which is due since {since} and waits until the earlier job, which was called off for it, has stopped"
            )
        }
    }
}

fn not_nominal(facts: &Facts, version: &TemplateVersion) -> String {
    let words = facts.rules.as_ref().map(|rules| format!(" ({})", rules.schedule.describe())).unwrap_or_default();
    let named = if facts.asked > facts.now { "is" } else { "was" };
    let mut sentence = format!("It {named} no time of the template's schedule{words}");
    if version.version != facts.template.version {
        sentence.push_str(&format!(", by version {}, which was in force then", version.version));
    }
    let (before, after) =
        (facts.nearest.before.map(|at| when(facts, at)), facts.nearest.after.map(|at| when(facts, at)));
    sentence.push_str(&match (before, after) {
        (Some(before), Some(after)) => format!("; the nearest are {before} and {after}"),
        (Some(before), None) => format!("; the last one is {before}"),
        (None, Some(after)) => format!("; the first one is {after}"),
        (None, None) => "; it has none".to_owned(),
    });
    if facts.named_since {
        let changed = when(facts, facts.template.updated_at);
        sentence.push_str(&format!(
            ". The schedule of today names it, but it was not in force yet: version {} came at {changed}",
            facts.template.version
        ));
    }
    sentence + "."
}

fn displaced(facts: &Facts) -> String {
    let names = facts.rules.as_ref().map(|rules| rules.schedule.calendar_names().join(", ")).unwrap_or_default();
    match facts.displaced {
        Some(Displaced::To(to)) => format!("Its calendars ({names}) move this time to {}.", when(facts, to)),
        _ => format!("Its calendars ({names}) move this time to another, at which the template runs anyway."),
    }
}

fn out_of_bounds(facts: &Facts) -> String {
    let Some(rules) = &facts.rules else { return "It lies outside the template's bounds.".to_owned() };
    let bound = |name: &str, at: DateTime<Utc>| format!("`{name}` is {}", when(facts, at));
    let policies = &rules.policies;
    let bounds: Vec<String> = [
        policies.start_at.filter(|start| facts.asked < *start).map(|at| bound("start_at", at)),
        policies.end_at.filter(|end| facts.asked > *end).map(|at| bound("end_at", at)),
    ]
    .into_iter()
    .flatten()
    .collect();
    format!("Its schedule names the time, but it lies outside the template's bounds: {}.", bounds.join(", "))
}

fn suppressed(facts: &Facts, why: Suppression) -> String {
    let did = if facts.asked > facts.now { "It will not run" } else { "It did not run" };
    match why {
        Suppression::Calendar => {
            let names =
                facts.rules.as_ref().map(|rules| rules.schedule.calendar_names().join(", ")).unwrap_or_default();
            let by = if names.is_empty() {
                "by an exclusion of its schedule".to_owned()
            } else {
                format!("by its calendars ({names})")
            };
            format!("{did}: it is left out {by}.")
        }
        Suppression::DstGap => {
            format!("{did}: the clocks go forward, its local time does not exist that day, and `dst_gap` is `skip`.")
        }
    }
}

fn to_come(facts: &Facts, version: &TemplateVersion, occurrence: &Occurrence) -> (&'static str, String) {
    let at = when(facts, occurrence.at);
    if !version.active {
        let why = facts.template.pause_reason.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
        return ("paused", format!("It will not run unless the template is resumed before {at}: it is paused{why}."));
    }
    if let Some(most) = has_had_its_runs(facts) {
        return ("out_of_bounds", format!("It will not run: the template has had its {most} runs (`max_runs`)."));
    }
    let note = match occurrence.note {
        Some(OccurrenceNote::DstGap) => " It stands for a local time that the clocks leave out that day.",
        Some(OccurrenceNote::DstFold) => " Its local time comes twice that day.",
        None => "",
    };
    let rolled = occurrence.rolled_from.map(|from| format!(", moved there from {} by a calendar", when(facts, from)));
    ("planned", format!("It will run at {at}{}.{note}", rolled.unwrap_or_default()))
}

fn unrecorded(facts: &Facts) -> String {
    if let Some(most) = has_had_its_runs(facts) {
        return format!("It did not run: the template has had its {most} runs (`max_runs`).");
    }
    "Its schedule names the time, but the ledger has nothing about it: the recurrence manager has not come so far yet, \
     or the record is not kept any longer."
        .to_owned()
}

fn has_had_its_runs(facts: &Facts) -> Option<i64> {
    let most = facts.rules.as_ref().and_then(|rules| rules.policies.max_runs)?;
    (facts.template.runs >= most).then_some(most)
}

/// A time in UTC, and on the clocks of the schedule where those differ.
fn when(facts: &Facts, at: DateTime<Utc>) -> String {
    let utc = at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    match facts.rules.as_ref().map(|rules| rules.schedule.timezone()).filter(|zone| zone.name() != "UTC") {
        Some(zone) => format!("{utc} ({} in {})", at.with_timezone(&zone).format("%a %H:%M:%S"), zone.name()),
        None => utc,
    }
}

/// A length of time, in a unit that fits.
fn span(time: TimeDelta) -> String {
    let seconds = time.as_seconds_f64();
    match seconds {
        s if s < 1.0 => format!("{} ms", time.num_milliseconds()),
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3_600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}
