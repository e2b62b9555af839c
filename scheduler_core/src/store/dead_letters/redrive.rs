//! A finished job once more, as a new job with a link to it.

use crate::domain::{JobId, MerchantId};
use crate::store::columns::row_limit;
use crate::store::job_read::JobFilter;
use crate::store::{ErrorClass, Store, StoreResult};
use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder};
use std::time::Duration;
use uuid::Uuid;

/// The new job of a redrive, as much of it as a wake-up needs.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct RedrivenJob {
    /// The new job.
    #[sqlx(try_from = "Uuid")]
    pub id: JobId,
    /// The finished one that it repeats.
    #[sqlx(try_from = "Uuid")]
    pub redriven_from: JobId,
    /// When it may start: now.
    pub run_at: DateTime<Utc>,
    /// 0 to 9.
    pub priority: i16,
    /// Its lane.
    pub lane: String,
}

/// What came of a redrive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Redrive {
    /// There is a new job.
    Created(RedrivenJob),
    /// An earlier redrive of the same job is still live.
    Living(JobId),
    /// A live job holds the job's `dedupe_key`.
    Duplicate(JobId),
    /// There is no such finished job.
    NotFound,
}

/// Pauses before the attempts to find out what a lost commit did.
const RESOLVE_PAUSES: [Duration; 3] =
    [Duration::from_millis(20), Duration::from_millis(200), Duration::from_millis(800)];

/// `INSERT … SELECT` of finished jobs `f` as new ones with the ids `n.id`, due at `$2`. The planned time stays what it
/// was (it names the run, for the target), the deadline keeps its distance. Parents are not waited for again.
macro_rules! insert_again {
    () => {
        "INSERT INTO jobs_live (merchant_id, id, template_id, redriven_from, state, run_at, scheduled_for, created_at,
             start_deadline_at, priority, max_attempts, timeout_ms, queue, lane, target, payload, backoff, metadata,
             dedupe_key, external_id, traceparent, concurrency_key, template_limit)
         SELECT f.merchant_id, n.id, f.template_id, f.id, 'scheduled', $2, f.scheduled_for, $2,
             $2 + (f.start_deadline_at - f.scheduled_for), f.priority, f.max_attempts, f.timeout_ms, f.queue,
             coalesce(q.lane, f.lane), f.target, f.payload, f.backoff, f.metadata, f.dedupe_key, f.external_id,
             f.traceparent, f.concurrency_key, f.template_limit "
    };
}

/// What a redrive answers with.
macro_rules! returning_job {
    () => {
        " ON CONFLICT DO NOTHING RETURNING id, redriven_from, run_at, priority, lane"
    };
}

const REDRIVE_ONE: &str = concat!(
    insert_again!(),
    "FROM jobs_finished f
     CROSS JOIN (SELECT $3::uuid AS id) AS n
     LEFT JOIN queues q ON q.merchant_id = f.merchant_id AND q.name = f.queue
     WHERE f.merchant_id = $1 AND f.id = $4 AND (f.is_dead OR NOT $5)",
    returning_job!()
);

impl Store {
    /// Repeats one finished job as a new job due at `now`; only a dead letter, if `only_dead`.
    ///
    /// # Errors
    /// When the database does not do it. A commit whose answer is lost is resolved by the new job's id; the error is
    /// `Unknown` when the database stays away. Doing it again is safe: of one job at most one redrive lives at a time.
    pub async fn redrive(
        &self,
        merchant: MerchantId,
        job: JobId,
        only_dead: bool,
        now: DateTime<Utc>,
    ) -> StoreResult<Redrive> {
        let new = JobId::new_at(now);
        let mut outcome = self.try_redrive(merchant, job, only_dead, (new, now)).await;
        for pause in RESOLVE_PAUSES {
            match &outcome {
                Err(error) if error.class() == ErrorClass::Unknown => tokio::time::sleep(pause).await,
                _ => break,
            }
            outcome = match self.redriven(merchant, &[new.0]).await {
                Ok(mut found) if !found.is_empty() => Ok(Redrive::Created(found.swap_remove(0))),
                Ok(_) => self.try_redrive(merchant, job, only_dead, (new, now)).await,
                Err(error) => Err(error),
            };
        }
        outcome
    }

    /// New jobs of redrives by their ids, live or finished.
    async fn redriven(&self, merchant: MerchantId, ids: &[Uuid]) -> StoreResult<Vec<RedrivenJob>> {
        Ok(sqlx::query_as(
            "SELECT id, redriven_from, run_at, priority, lane FROM jobs_live WHERE merchant_id = $1 AND id = ANY($2)
             UNION ALL
             SELECT id, redriven_from, run_at, priority, lane FROM jobs_finished WHERE merchant_id = $1 AND id = ANY($2)
             ORDER BY id",
        )
        .bind(merchant.0)
        .bind(ids)
        .fetch_all(self.pool())
        .await?)
    }

    async fn try_redrive(
        &self,
        merchant: MerchantId,
        job: JobId,
        only_dead: bool,
        (new, now): (JobId, DateTime<Utc>),
    ) -> StoreResult<Redrive> {
        // What stood in the way may have ended while we looked for it; then the next try succeeds.
        loop {
            let created = sqlx::query_as(REDRIVE_ONE)
                .bind(merchant.0)
                .bind(now)
                .bind(new.0)
                .bind(job.0)
                .bind(only_dead)
                .fetch_optional(self.pool())
                .await?;
            if let Some(created) = created {
                return Ok(Redrive::Created(created));
            }
            match self.why_not_redriven(merchant, job, only_dead).await? {
                // An earlier try whose commit came late.
                Some(Redrive::Living(living)) if living == new => {
                    if let Some(created) = self.redriven(merchant, &[new.0]).await?.pop() {
                        return Ok(Redrive::Created(created));
                    }
                }
                Some(refusal) => return Ok(refusal),
                None => {}
            }
        }
    }

    async fn why_not_redriven(
        &self,
        merchant: MerchantId,
        job: JobId,
        only_dead: bool,
    ) -> StoreResult<Option<Redrive>> {
        let row: Option<(Option<Uuid>, Option<Uuid>)> = sqlx::query_as(
            "SELECT (SELECT j.id FROM jobs_live j WHERE j.merchant_id = $1 AND j.redriven_from = $2),
                    (SELECT j.id FROM jobs_live j
                      WHERE j.merchant_id = $1 AND j.queue = f.queue AND j.dedupe_key = f.dedupe_key)
               FROM jobs_finished f WHERE f.merchant_id = $1 AND f.id = $2 AND (f.is_dead OR NOT $3)",
        )
        .bind(merchant.0)
        .bind(job.0)
        .bind(only_dead)
        .fetch_optional(self.pool())
        .await?;
        Ok(match row {
            None => Some(Redrive::NotFound),
            Some((Some(living), _)) => Some(Redrive::Living(JobId(living))),
            Some((None, Some(holder))) => Some(Redrive::Duplicate(JobId(holder))),
            Some((None, None)) => None,
        })
    }

    /// Repeats the dead letters that pass the filter and were never redriven, oldest first, at most `rows`. One whose
    /// `dedupe_key` a live job holds is passed over.
    ///
    /// # Errors
    /// When the database does not do it; then none was redriven. A commit whose answer is lost is resolved by the new jobs'
    /// ids; the error is `Unknown` when the database stays away, and calling it again passes over those that were.
    pub async fn redrive_many(
        &self,
        merchant: MerchantId,
        filter: &JobFilter,
        rows: usize,
        now: DateTime<Utc>,
    ) -> StoreResult<Vec<RedrivenJob>> {
        let filter = JobFilter { states: vec![crate::domain::JobState::Dead], redriven: Some(false), ..filter.clone() };
        let ids: Vec<Uuid> = (0..rows).map(|_| JobId::new_at(now).0).collect();
        let mut outcome = self.try_redrive_many(merchant, &filter, &ids, now).await;
        for pause in RESOLVE_PAUSES {
            match &outcome {
                Err(error) if error.class() == ErrorClass::Unknown => tokio::time::sleep(pause).await,
                _ => break,
            }
            outcome = match self.redriven(merchant, &ids).await {
                Ok(found) if !found.is_empty() => Ok(found),
                Ok(_) => self.try_redrive_many(merchant, &filter, &ids, now).await,
                Err(error) => Err(error),
            };
        }
        outcome
    }

    async fn try_redrive_many(
        &self,
        merchant: MerchantId,
        filter: &JobFilter,
        ids: &[Uuid],
        now: DateTime<Utc>,
    ) -> StoreResult<Vec<RedrivenJob>> {
        let mut query = QueryBuilder::<Postgres>::new("WITH merchant AS (SELECT ");
        query.push_bind(merchant.0).push("::uuid AS id, ").push_bind(now).push("::timestamptz AS now), ids AS (");
        query
            .push("SELECT i.id, i.n FROM unnest(")
            .push_bind(ids.to_vec())
            .push("::uuid[]) WITH ORDINALITY AS i (id, n)), picked AS (");
        query.push("SELECT f.*, row_number() OVER (ORDER BY f.id) AS n FROM jobs_finished f WHERE f.merchant_id = $1");
        filter.push_finished(&mut query);
        query.push(" ORDER BY f.id LIMIT ").push_bind(row_limit(ids.len())).push(") ").push(insert_again!());
        query.push("FROM picked f JOIN ids n ON n.n = f.n LEFT JOIN queues q ON q.merchant_id = f.merchant_id AND q.name = f.queue");
        query.push(returning_job!());
        Ok(query.build_query_as().persistent(false).fetch_all(self.pool()).await?)
    }
}
