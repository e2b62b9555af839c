//! The nominal times of pauses. A template that does not fire has no rows in the ledger, however long and dense: each
//! version that did not fire stands for its nominal times from its creation to that of the next version.

use super::ledger::{LedgerEntry, LedgerQuery};
use crate::domain::{MerchantId, OccurrenceOutcome, TemplateId, TemplatePolicies, Timetable};
use crate::schedule::{EvalContext, Schedule};
use crate::store::{Store, StoreResult};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize as _;

const MICRO: TimeDelta = TimeDelta::microseconds(1);

/// A stretch of time, without its beginning and with its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    after: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl Stretch {
    /// What a query asks for, but nothing before `last`: where its page of rows ends.
    pub fn of(query: &LedgerQuery, last: Option<DateTime<Utc>>) -> Self {
        let after = query.from.map_or(DateTime::UNIX_EPOCH, |from| from - MICRO);
        let to = query.to.map_or(query.now, |to| to.min(query.now));
        let until = query.before.map_or(to, |before| to.min(before - MICRO));
        Self { after: last.map_or(after, |last| after.max(last)), until }
    }
}

/// A version that does not fire, from its creation to that of the next one.
#[derive(sqlx::FromRow)]
struct Pause {
    version: i32,
    schedule: serde_json::Value,
    policies: serde_json::Value,
    /// Runs that the template had had as it began.
    runs: Option<i64>,
    created_at: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
}

const PAUSES: &str = "
    SELECT version, schedule, policies, runs, created_at, until
      FROM (SELECT version, schedule, policies, runs, active, created_at,
                   lead(created_at) OVER (ORDER BY version) AS until
              FROM template_versions
             WHERE merchant_id = $1 AND template_id = $2) v
     WHERE NOT active AND created_at < $4 AND coalesce(until > $3, true)
     ORDER BY version DESC";

/// The latest `limit` times of pauses within a stretch, the latest first. Also asked of a template that has never paused;
/// that costs one look at its versions.
pub(super) async fn paused_times(
    store: &Store,
    merchant: MerchantId,
    (template, created_at): (TemplateId, DateTime<Utc>),
    stretch: Stretch,
    limit: usize,
) -> StoreResult<Vec<LedgerEntry>> {
    if stretch.after >= stretch.until {
        return Ok(Vec::new());
    }
    let pauses: Vec<Pause> = sqlx::query_as(PAUSES)
        .bind(merchant.0)
        .bind(template.0)
        .bind(stretch.after)
        .bind(stretch.until)
        .fetch_all(store.pool())
        .await?;
    let mut found = Vec::new();
    for pause in pauses {
        let room = limit - found.len();
        if room == 0 {
            break;
        }
        let Some((schedule, policies)) = pause.parsed(template) else { continue };
        // After the last of its runs a template has no times, whether it is paused or not.
        if policies.max_runs.zip(pause.runs).is_some_and(|(most, had)| had >= most) {
            continue;
        }
        let calendars = store.calendar_set(merchant, &schedule.calendar_names()).await?;
        let context = EvalContext::new(created_at, template.0).with_calendars(&calendars);
        found.extend(pause.times(stretch, &Timetable::new(&schedule, &policies, context), room));
    }
    Ok(found)
}

impl Pause {
    /// Its definition; none when this program cannot read the version.
    fn parsed(&self, template: TemplateId) -> Option<(Schedule, TemplatePolicies)> {
        let read = Schedule::parse(&self.schedule).ok().zip(TemplatePolicies::deserialize(&self.policies).ok());
        if read.is_none() {
            tracing::warn!(%template, version = self.version, "a paused version cannot be read");
        }
        read
    }

    /// Its latest `limit` times within the stretch, the latest first.
    fn times(&self, stretch: Stretch, timetable: &Timetable<'_>, limit: usize) -> Vec<LedgerEntry> {
        let after = self.created_at.max(stretch.after);
        let until = self.until.map_or(stretch.until, |until| until.min(stretch.until));
        let times = timetable.latest(after, until, limit, |_| true);
        times.into_iter().rev().map(|occurrence| self.entry(occurrence.at)).collect()
    }

    fn entry(&self, at: DateTime<Utc>) -> LedgerEntry {
        LedgerEntry {
            nominal_at: at,
            outcome: OccurrenceOutcome::MissedPaused,
            reason: None,
            job: None,
            moved_to: None,
            backfill: None,
            version: self.version,
            created_at: at,
            lag: Some(TimeDelta::zero()),
        }
    }
}
