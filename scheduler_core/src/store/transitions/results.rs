//! `running` → `succeeded | failed | cancelled`: executors report what came of their attempts.
//!
//! One statement per kind and batch: the claims that match their tokens go, the jobs move on, the executions are
//! kept. A result without a matching claim is either one that was accepted before (the token stands on its execution)
//! or stale. So a batch whose outcome is unknown is simply sent again.

use super::caps::{after_release, release_caps};
use super::claim::ClaimKey;
use super::finish::{finish_into, finish_shared};
use crate::domain::{ExecutionResult, Outcome, SessionId, Token};
use crate::planted::bent;
use crate::store::{ErrorClass, Store, StoreError, StoreResult};
use chrono::{DateTime, Utc};
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use uuid::Uuid;

/// One attempt that has ended.
#[derive(Clone, Debug)]
pub struct AttemptReport {
    /// The claim under which it ran.
    pub key: ClaimKey,
    /// The session that ran it.
    pub session: SessionId,
    /// When the target was called.
    pub started_at: DateTime<Utc>,
    /// When its result was there.
    pub finished_at: DateTime<Utc>,
    /// The result.
    pub result: ExecutionResult,
}

/// Whether a result counted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Acceptance {
    /// It was written now.
    Accepted,
    /// It had been written before, by the same report.
    Replayed,
    /// The claim is not the reporter's any more: nothing was written.
    Stale,
    /// The database refuses the job's row whatever is written; the claim stands.
    Unstorable,
}

/// The answer to one report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// The attempt.
    pub token: Token,
    /// How it had ended, as far as it was written so.
    pub outcome: Outcome,
    /// Whether it counted.
    pub acceptance: Acceptance,
    /// The job has ended and others wait for it.
    pub has_dependents: bool,
    /// Some job of the batch gave a place under a concurrency cap back, which others may wait for.
    pub released_caps: bool,
}

/// The common beginning: the claims that match, with what was reported about them.
macro_rules! unclaim {
    () => {
        concat!(
            "WITH unclaimed AS (
             DELETE FROM claims c
              USING unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::timestamptz[], $6::timestamptz[],
                           $7::text[], $8::text[], $9::int[], $10::bytea[], $11::bool[], $12::bool[], $13::float8[])
                 AS w (merchant_id, job_id, token, session_id, started_at, ended_at,
                       outcome, error, response_status, response_body, response_truncated, may_retry, retry_after)
              WHERE c.merchant_id = ANY (ARRAY[w.merchant_id]) AND c.job_id = w.job_id AND c.token = w.token
             RETURNING w.*, c.caps
         ), ",
            release_caps!(),
            ", "
        )
    };
}

/// The live rows of the claims leave, with the reported columns.
macro_rules! leave {
    ($guard:literal) => {
        concat!(
            "gone AS (
                 DELETE FROM jobs_live j USING unclaimed u
                  WHERE j.merchant_id = ANY (ARRAY[u.merchant_id]) AND j.id = u.job_id AND j.state || '' IN ('scheduled', 'retrying')",
            after_release!(),
            $guard,
            "    RETURNING j.*, u.token, u.session_id, u.started_at, u.ended_at, u.outcome, u.error,
                           u.response_status, u.response_body, u.response_truncated
             ) "
        )
    };
}

/// Where a finished job's last execution goes; continues after `last_error`.
macro_rules! with_execution {
    () => {
        "g.token, g.session_id, g.started_at, g.outcome, g.response_status, g.response_body, g.response_truncated
           FROM gone g RETURNING execution_id, has_dependents, EXISTS (SELECT FROM released)"
    };
}

const SUCCEED: &str = concat!(
    unclaim!(),
    leave!(""),
    finish_into!(),
    "SELECT ",
    finish_shared!(),
    ", least(g.ended_at, clock_timestamp()), g.attempt + 1, g.crashes, false, 'succeeded', NULL, g.last_error, ",
    with_execution!(),
);

const CONFIRM_CANCEL: &str = concat!(
    unclaim!(),
    leave!(" AND (j.cancel_requested_at IS NOT NULL) IS TRUE"),
    finish_into!(),
    "SELECT ",
    finish_shared!(),
    ", least(g.ended_at, clock_timestamp()), g.attempt + 1, g.crashes, false, 'cancelled', 'cancelled',
     coalesce(g.error, g.last_error), ",
    with_execution!(),
);

const FAIL: &str = concat!(
    unclaim!(),
    "failed AS (
         UPDATE jobs_live j
            SET state = 'failed', attempt = j.attempt + 1, retryable = u.may_retry, failed_at = clock_timestamp(),
                retry_not_before = u.ended_at + make_interval(secs => u.retry_after), last_error = u.error
           FROM unclaimed u
          WHERE j.merchant_id = ANY (ARRAY[u.merchant_id]) AND j.id = u.job_id AND j.state || '' IN ('scheduled', 'retrying')",
    after_release!(),
    "    RETURNING j.merchant_id, j.id AS job_id, j.attempt, u.token, u.session_id, u.started_at, u.ended_at, u.outcome,
                   u.error, u.response_status, u.response_body, u.response_truncated
     )
     INSERT INTO executions (merchant_id, job_id, id, session_id, started_at, finished_at, attempt, outcome, error,
                             response_status, response_body, response_truncated)
     SELECT f.merchant_id, f.job_id, f.token, f.session_id, f.started_at, least(f.ended_at, clock_timestamp()),
            f.attempt, f.outcome, f.error, f.response_status, f.response_body, f.response_truncated
       FROM failed f
     RETURNING id, false, EXISTS (SELECT FROM released)"
);

/// Of tokens without a claim: those whose result was accepted before. What a watcher wrote (`lost`) does not count.
const ACCEPTED_BEFORE: &str = "
    SELECT w.token
      FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS w (merchant_id, job_id, token)
     WHERE (SELECT f.id FROM jobs_finished f
             WHERE f.merchant_id = w.merchant_id AND f.id = w.job_id
               AND f.execution_id = w.token AND f.outcome <> 'lost' LIMIT 1) IS NOT NULL
        OR (SELECT e.id FROM executions e
             WHERE e.merchant_id = w.merchant_id AND e.job_id = w.job_id
               AND e.id = w.token AND e.outcome <> 'lost' LIMIT 1) IS NOT NULL";

impl Store {
    /// Writes results of any kind; needs a store with [`crate::store::StoreRole::Results`]. Answers come in no
    /// particular order, one for each report.
    ///
    /// A batch that the database refuses because of its data is halved until the bad report stands alone; its job is
    /// then recorded as failed.
    ///
    /// # Errors
    /// When the database is away or busy: part of the batch may have been written. Send it again.
    pub async fn record_results(&self, reports: &[AttemptReport]) -> StoreResult<Vec<Receipt>> {
        let mut receipts = Vec::with_capacity(reports.len());
        for statement in [Statement::Succeed, Statement::Fail, Statement::ConfirmCancel] {
            let mut group: Vec<&AttemptReport> =
                reports.iter().filter(|report| Statement::of(report.result.outcome) == statement).collect();
            // Every batch locks in the same order.
            group.sort_unstable_by_key(|report| report.key);
            receipts.extend(self.write_halving(statement, &group).await?);
        }
        Ok(receipts)
    }

    /// `running` → `succeeded`. The batch must be in the order of its keys.
    pub async fn succeed(&self, reports: &[&AttemptReport]) -> StoreResult<Vec<Receipt>> {
        self.write(Statement::Succeed, reports).await
    }

    /// `running` → `failed`: what follows is the watcher's to decide. The batch must be in the order of its keys.
    pub async fn fail(&self, reports: &[&AttemptReport]) -> StoreResult<Vec<Receipt>> {
        self.write(Statement::Fail, reports).await
    }

    /// `running` → `cancelled`, for jobs whose cancellation was asked for. The batch must be in the order of its keys.
    pub async fn confirm_cancel(&self, reports: &[&AttemptReport]) -> StoreResult<Vec<Receipt>> {
        self.write(Statement::ConfirmCancel, reports).await
    }

    async fn write_halving(&self, statement: Statement, reports: &[&AttemptReport]) -> StoreResult<Vec<Receipt>> {
        let mut receipts = Vec::with_capacity(reports.len());
        let mut batches = vec![reports];
        while let Some(batch) = batches.pop() {
            match self.write(statement, batch).await {
                Ok(written) => receipts.extend(written),
                Err(error) if !is_poisoned(&error) => return Err(error),
                Err(error) => match batch {
                    [alone] => receipts.push(self.record_refused(alone, &error).await?),
                    _ => {
                        let (left, right) = batch.split_at(batch.len() / 2);
                        batches.extend([right, left]);
                    }
                },
            }
        }
        Ok(receipts)
    }

    /// Records a report that the database refuses as a failure that says so.
    async fn record_refused(&self, report: &AttemptReport, cause: &StoreError) -> StoreResult<Receipt> {
        tracing::error!(job = %report.key.job, merchant = %report.key.merchant, error = ?cause,
                        "a result was refused by the database; the job is recorded as failed");
        let detail = match cause {
            StoreError::Database(error) => printable(&error.to_string()),
            other => printable(&other.to_string()),
        };
        let sentence = format!("the result of the attempt could not be stored: {detail}");
        let replacement = AttemptReport { result: ExecutionResult::failure(sentence, false), ..report.clone() };
        match self.write(Statement::Fail, &[&replacement]).await {
            Ok(receipts) => Ok(receipts.into_iter().next().unwrap_or_else(|| receipt(&replacement, Acceptance::Stale))),
            Err(error) if is_poisoned(&error) => {
                tracing::error!(job = %report.key.job, merchant = %report.key.merchant, ?error,
                                "the database refuses every change to this job");
                Ok(receipt(&replacement, Acceptance::Unstorable))
            }
            Err(error) => Err(error),
        }
    }

    async fn write(&self, statement: Statement, reports: &[&AttemptReport]) -> StoreResult<Vec<Receipt>> {
        if reports.is_empty() {
            return Ok(Vec::new());
        }
        let columns = Columns::of(reports);
        let written: Vec<(Uuid, bool, bool)> = columns
            .bind_to(bent(
                bent(statement.sql(), "complete_without_token", " AND c.token = w.token", ""),
                "cap_given_back_twice",
                "k.running - r.claims",
                "k.running - 2 * r.claims",
            ))
            .fetch_all(self.pool())
            .await?;
        let mut written: HashMap<Uuid, (bool, bool)> =
            written.into_iter().map(|(token, dependents, caps)| (token, (dependents, caps))).collect();
        let mut receipts = Vec::with_capacity(reports.len());
        let mut unmatched = Vec::new();
        for report in reports {
            match written.remove(&report.key.token.0) {
                Some((has_dependents, released_caps)) => {
                    receipts.push(Receipt { has_dependents, released_caps, ..receipt(report, Acceptance::Accepted) });
                }
                None => unmatched.push(*report),
            }
        }
        receipts.extend(self.judge_unmatched(&unmatched).await?);
        Ok(receipts)
    }

    async fn judge_unmatched(&self, reports: &[&AttemptReport]) -> StoreResult<Vec<Receipt>> {
        if reports.is_empty() {
            return Ok(Vec::new());
        }
        let column = |part: fn(&ClaimKey) -> Uuid| reports.iter().map(|r| part(&r.key)).collect::<Vec<_>>();
        let before: Vec<Uuid> = sqlx::query_scalar(ACCEPTED_BEFORE)
            .bind(column(|key| key.merchant.0))
            .bind(column(|key| key.job.0))
            .bind(column(|key| key.token.0))
            .fetch_all(self.pool())
            .await?;
        #[cfg(feature = "planted-bugs")]
        if crate::planted::planted("replay_accepted_twice") {
            for again in [
                "INSERT INTO executions SELECT * FROM executions WHERE id = ANY($1)",
                "INSERT INTO jobs_finished SELECT * FROM jobs_finished WHERE execution_id = ANY($1)",
            ] {
                sqlx::query(again).bind(&before).execute(self.pool()).await?;
            }
        }
        let before: HashSet<Uuid> = before.into_iter().collect();
        let judge = |report: &&AttemptReport| {
            let known = before.contains(&report.key.token.0);
            receipt(report, if known { Acceptance::Replayed } else { Acceptance::Stale })
        };
        Ok(reports.iter().map(judge).collect())
    }
}

/// Which statement writes a result.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Statement {
    Succeed,
    Fail,
    ConfirmCancel,
}

impl Statement {
    fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Succeeded => Self::Succeed,
            Outcome::Cancelled => Self::ConfirmCancel,
            Outcome::Failed | Outcome::TimedOut | Outcome::Lost => Self::Fail,
        }
    }

    fn sql(self) -> &'static str {
        match self {
            Self::Succeed => SUCCEED,
            Self::Fail => FAIL,
            Self::ConfirmCancel => CONFIRM_CANCEL,
        }
    }
}

fn receipt(report: &AttemptReport, acceptance: Acceptance) -> Receipt {
    Receipt {
        token: report.key.token,
        outcome: report.result.outcome,
        acceptance,
        has_dependents: false,
        released_caps: false,
    }
}

/// Whether it is the batch's own data that the database does not take.
fn is_poisoned(error: &StoreError) -> bool {
    matches!(error.class(), ErrorClass::Data | ErrorClass::Conflict)
}

/// A bounded text that the database certainly takes.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect()
}

/// A batch as arrays, one per column.
struct Columns<'a> {
    merchants: Vec<Uuid>,
    jobs: Vec<Uuid>,
    tokens: Vec<Uuid>,
    sessions: Vec<Uuid>,
    started: Vec<DateTime<Utc>>,
    finished: Vec<DateTime<Utc>>,
    outcomes: Vec<&'static str>,
    errors: Vec<Option<&'a str>>,
    statuses: Vec<Option<i32>>,
    bodies: Vec<Option<&'a [u8]>>,
    truncated: Vec<Option<bool>>,
    retryable: Vec<bool>,
    retry_after: Vec<Option<f64>>,
}

type Written<'q> = sqlx::query::QueryAs<'q, sqlx::Postgres, (Uuid, bool, bool), sqlx::postgres::PgArguments>;

impl<'a> Columns<'a> {
    fn of(reports: &[&'a AttemptReport]) -> Self {
        // A target that answers nothing has neither status nor body.
        let answered = |r: &ExecutionResult| r.response_status.is_some() || !r.response_body.is_empty();
        Self {
            merchants: reports.iter().map(|r| r.key.merchant.0).collect(),
            jobs: reports.iter().map(|r| r.key.job.0).collect(),
            tokens: reports.iter().map(|r| r.key.token.0).collect(),
            sessions: reports.iter().map(|r| r.session.0).collect(),
            started: reports.iter().map(|r| r.started_at).collect(),
            finished: reports.iter().map(|r| r.finished_at).collect(),
            outcomes: reports.iter().map(|r| r.result.outcome.as_str()).collect(),
            errors: reports.iter().map(|r| r.result.error.as_deref()).collect(),
            statuses: reports.iter().map(|r| r.result.response_status).collect(),
            bodies: reports.iter().map(|r| answered(&r.result).then_some(&*r.result.response_body)).collect(),
            truncated: reports.iter().map(|r| answered(&r.result).then_some(r.result.response_truncated)).collect(),
            retryable: reports.iter().map(|r| r.result.retryable).collect(),
            retry_after: reports.iter().map(|r| r.result.retry_after.as_ref().map(Duration::as_secs_f64)).collect(),
        }
    }

    fn bind_to<'q>(self, sql: &'static str) -> Written<'q>
    where
        'a: 'q,
    {
        sqlx::query_as(sql)
            .bind(self.merchants)
            .bind(self.jobs)
            .bind(self.tokens)
            .bind(self.sessions)
            .bind(self.started)
            .bind(self.finished)
            .bind(self.outcomes)
            .bind(self.errors)
            .bind(self.statuses)
            .bind(self.bodies)
            .bind(self.truncated)
            .bind(self.retryable)
            .bind(self.retry_after)
    }
}
