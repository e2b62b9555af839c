//! What the database says in the end: the ledger, and the jobs that are still there.

use super::history::{History, Run, Told};
use super::world::World;
use chrono::{DateTime, Utc};
use scheduler_core::store::templates::LedgerQuery;
use std::collections::HashMap;
use uuid::Uuid;

/// A record of the ledger.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct Row {
    pub nominal_at: DateTime<Utc>,
    pub outcome: String,
    pub reason: Option<String>,
    pub job_id: Option<Uuid>,
    pub version: i32,
    /// When it was decided.
    #[sqlx(rename = "created_at")]
    pub judged_at: DateTime<Utc>,
}

/// The records of a template in the order of time.
pub async fn rows(world: &World, told: &Told) -> Vec<Row> {
    sqlx::query_as(
        "SELECT nominal_at, outcome, reason, job_id, version, created_at FROM occurrences
          WHERE merchant_id = $1 AND template_id = $2 ORDER BY nominal_at",
    )
    .bind(world.history.merchants[told.merchant].id.0)
    .bind(told.id.0)
    .fetch_all(world.database.pool())
    .await
    .unwrap()
}

/// The latest `most` times of a stretch as a user of the API sees them, pauses included, in the order of time.
pub async fn shown(
    world: &World,
    told: &Told,
    (after, until): (DateTime<Utc>, DateTime<Utc>),
    most: usize,
) -> Vec<(DateTime<Utc>, String)> {
    let query = LedgerQuery {
        from: Some(after + chrono::TimeDelta::microseconds(1)),
        to: Some(until),
        limit: most as i64,
        now: until,
        ..LedgerQuery::default()
    };
    let merchant = world.history.merchants[told.merchant].id;
    let entries = world.store().list_occurrences(merchant, told.id, &query).await.unwrap().unwrap();
    entries.iter().rev().map(|entry| (entry.nominal_at, entry.outcome.as_str().to_owned())).collect()
}

/// When the jobs of occurrences were to start, by template and nominal time: those that have run, those that are still there,
/// and those that a pause took back after their nominal time.
pub struct Starts {
    ran: Vec<HashMap<DateTime<Utc>, Run>>,
    withdrawn: HashMap<Uuid, DateTime<Utc>>,
    /// Occurrences that ran more than once.
    pub doubled: Vec<Run>,
}

impl Starts {
    pub async fn read(world: &World) -> Self {
        let history: &History = &world.history;
        let mut starts =
            Self { ran: vec![HashMap::new(); history.templates.len()], withdrawn: HashMap::new(), doubled: Vec::new() };
        let live: Vec<(Uuid, Uuid, DateTime<Utc>, DateTime<Utc>)> =
            sqlx::query_as("SELECT template_id, id, scheduled_for, run_at FROM jobs_live")
                .fetch_all(world.database.pool())
                .await
                .unwrap();
        let live = live.into_iter().filter_map(|(template, job, nominal, run_at)| {
            Some(Run { template: world.number(template)?, nominal, run_at, job })
        });
        let live = live.filter(|run| !world.is_triggered(run.job));
        for run in history.runs.iter().copied().chain(live) {
            if let Some(other) = starts.ran[run.template].insert(run.nominal, run) {
                starts.doubled.push(other);
            }
        }
        let withdrawn: Vec<(Uuid, DateTime<Utc>)> = sqlx::query_as(
            "SELECT f.id, f.run_at FROM occurrences o JOIN jobs_finished f ON f.merchant_id = o.merchant_id AND f.id = o.job_id
              WHERE o.outcome = 'missed_paused'",
        )
        .fetch_all(world.database.pool())
        .await
        .unwrap();
        starts.withdrawn = withdrawn.into_iter().collect();
        starts
    }

    /// The job that an occurrence became.
    pub fn of(&self, template: usize, nominal: DateTime<Utc>) -> Option<&Run> {
        self.ran[template].get(&nominal)
    }

    /// When a job that was taken back was to start.
    pub fn withdrawn(&self, job: Uuid) -> Option<DateTime<Utc>> {
        self.withdrawn.get(&job).copied()
    }
}
