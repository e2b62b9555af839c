//! What a list may be narrowed by, as conditions of the two branches.

use crate::domain::{JobState, TemplateId};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

/// Conditions of a list; empty ones let everything pass.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// Any of these states.
    pub states: Vec<JobState>,
    /// Of this queue.
    pub queue: Option<String>,
    /// Of this template.
    pub template: Option<TemplateId>,
    /// With this id of the producer's.
    pub external_id: Option<String>,
    /// With these top-level entries in their metadata.
    pub tags: Vec<(String, String)>,
    /// Ended for this reason.
    pub reason: Option<String>,
    /// Created at this time or later.
    pub created_after: Option<DateTime<Utc>>,
    /// Created before this time.
    pub created_before: Option<DateTime<Utc>>,
    /// With `run_at` at this time or later.
    pub run_after: Option<DateTime<Utc>>,
    /// With `run_at` before this time.
    pub run_before: Option<DateTime<Utc>>,
    /// Finished at this time or later.
    pub finished_after: Option<DateTime<Utc>>,
    /// Finished before this time.
    pub finished_before: Option<DateTime<Utc>>,
    /// Of dead letters: redriven at least once, or never.
    pub redriven: Option<bool>,
}

/// How far the time in an id may be from `created_at`.
const ID_SLACK: TimeDelta = TimeDelta::minutes(1);

impl JobFilter {
    /// Whether a live job can pass.
    pub(super) fn wants_live(&self) -> bool {
        let by_state = self.states.is_empty() || self.states.iter().any(|state| !state.is_terminal());
        by_state && self.reason.is_none() && self.finished_after.is_none() && self.finished_before.is_none()
    }

    /// Whether a finished job can pass.
    pub(super) fn wants_finished(&self) -> bool {
        self.states.is_empty() || self.states.iter().any(|state| state.is_terminal())
    }

    /// ` AND …` for a live job `j` with its claim `c`.
    pub(super) fn push_live(&self, query: &mut QueryBuilder<Postgres>) {
        let stored = self.states.iter().filter(|state| JobState::STORED_LIVE.contains(state));
        let stored: Vec<_> = stored.map(|state| state.as_str()).collect();
        match (self.states.contains(&JobState::Running), stored.is_empty()) {
            // Plain, so that the few claims lead to the jobs and not the other way round.
            (true, true) => {
                query.push(" AND (j.merchant_id, j.id) IN (SELECT r.merchant_id, r.job_id FROM claims r)");
            }
            (true, false) => {
                query.push(" AND (c.job_id IS NOT NULL OR j.state = ANY(").push_bind(stored).push("))");
            }
            (false, false) => {
                query.push(" AND c.job_id IS NULL AND j.state = ANY(").push_bind(stored).push(")");
            }
            (false, true) => {}
        }
        self.push_shared(query, "j");
    }

    /// ` AND …` for a finished job `f`.
    pub(in crate::store) fn push_finished(&self, query: &mut QueryBuilder<Postgres>) {
        let terminal: Vec<_> =
            self.states.iter().filter(|state| state.is_terminal()).map(|state| state.as_str()).collect();
        if !terminal.is_empty() {
            // Names the partition, so that dead letters are found without looking at the rest and the other way round.
            if terminal == ["dead"] {
                query.push(" AND f.is_dead");
            } else if !terminal.contains(&"dead") {
                query.push(" AND NOT f.is_dead");
            }
            query.push(" AND f.state = ANY(");
            query.push_bind(terminal);
            query.push(")");
        }
        self.push_shared(query, "f");
        push_if(query, " AND f.reason = ", self.reason.as_deref());
        push_if(query, " AND f.finished_at >= ", self.finished_after);
        push_if(query, " AND f.finished_at < ", self.finished_before);
        if let Some(redriven) = self.redriven {
            query.push(if redriven { " AND (" } else { " AND NOT (" });
            query.push(
                "EXISTS (SELECT 1 FROM jobs_live r WHERE r.merchant_id = f.merchant_id AND r.redriven_from = f.id)
                 OR EXISTS (SELECT 1 FROM jobs_finished r WHERE r.merchant_id = f.merchant_id AND r.redriven_from = f.id))",
            );
        }
    }

    fn push_shared(&self, query: &mut QueryBuilder<Postgres>, table: &'static str) {
        let mut push = |condition: &str| {
            query.push(" AND ").push(table).push(condition);
        };
        if self.queue.is_some() {
            push(".queue = ");
            query.push_bind(self.queue.clone());
        }
        self.push_ids(query, table);
        for (key, value) in &self.tags {
            query.push(" AND ").push(table).push(".metadata ->> ").push_bind(key.clone());
            query.push(" = ").push_bind(value.clone());
        }
        let times = [
            (".created_at >= ", self.created_after),
            (".created_at < ", self.created_before),
            (".run_at >= ", self.run_after),
            (".run_at < ", self.run_before),
        ];
        for (condition, time) in times {
            if let Some(time) = time {
                query.push(" AND ").push(table).push(condition).push_bind(time);
            }
        }
    }

    /// Conditions that an index answers. Ids begin with the time of creation, so a creation time bounds them.
    fn push_ids(&self, query: &mut QueryBuilder<Postgres>, table: &'static str) {
        if let Some(template) = self.template {
            query.push(" AND ").push(table).push(".template_id = ").push_bind(template.0);
        }
        if let Some(external_id) = &self.external_id {
            query.push(" AND ").push(table).push(".external_id = ").push_bind(external_id.clone());
        }
        if let Some(after) = self.created_after {
            query
                .push(" AND ")
                .push(table)
                .push(".id >= ")
                .push_bind(least_id(after.checked_sub_signed(ID_SLACK).unwrap_or(after)));
        }
        if let Some(before) = self.created_before {
            query
                .push(" AND ")
                .push(table)
                .push(".id < ")
                .push_bind(least_id(before.checked_add_signed(ID_SLACK).unwrap_or(before)));
        }
    }
}

fn push_if<'a, T>(query: &mut QueryBuilder<Postgres>, condition: &str, value: Option<T>)
where
    T: sqlx::Encode<'a, Postgres> + sqlx::Type<Postgres> + 'a,
{
    if let Some(value) = value {
        query.push(condition).push_bind(value);
    }
}

/// The least version 7 id of an instant; of one beyond what ids can tell, the last that they can.
fn least_id(at: DateTime<Utc>) -> Uuid {
    let milliseconds = u128::try_from(at.timestamp_millis()).unwrap_or(0);
    Uuid::from_u128(milliseconds.min(0xffff_ffff_ffff) << 80)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::JobId;

    #[test]
    fn the_least_id_of_an_instant_is_not_above_the_ids_made_then() {
        let at = DateTime::from_timestamp_millis(1_800_000_000_123).unwrap();
        let id = JobId::new_at(at).0;
        assert!(least_id(at) <= id && id < least_id(at + TimeDelta::milliseconds(1)));
        assert_eq!(least_id(DateTime::from_timestamp_millis(-5).unwrap()), Uuid::nil());
    }
}
