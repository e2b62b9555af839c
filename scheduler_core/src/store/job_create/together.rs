//! Some jobs of one merchant in one transaction: all or none.

use super::insert::{Columns, insert_jobs};
use super::parents::{Judged, judge};
use super::{NewJob, Placed};
use crate::domain::{JobId, MerchantId};
use crate::store::idempotency::{IdempotencyKey, KeyHolder, take_key, write_answer};
use crate::store::transitions::finish::{finish_into, finish_shared, finish_without_execution};
use crate::store::{Store, StoreResult};
use sqlx::{PgConnection, Row as _};
use std::collections::HashSet;
use uuid::Uuid;

/// Jobs to be created together.
pub struct CreateTogether<'a> {
    /// Whose jobs; each of them says the same.
    pub merchant: MerchantId,
    /// The jobs, at least one.
    pub jobs: &'a [NewJob],
    /// The request's idempotency key and what to answer.
    pub key: Option<KeyedAnswer<'a>>,
    /// This has been tried before with the same ids and nobody knows how it ended. Then jobs that exist already,
    /// even finished, count as created.
    pub again: bool,
}

/// An idempotency key with the answer that is kept under it.
#[derive(Clone, Copy)]
pub struct KeyedAnswer<'a> {
    /// The key.
    pub key: &'a IdempotencyKey,
    /// The status of the answer.
    pub status: u16,
    /// Its body, which may show where the jobs stand.
    pub body: &'a (dyn Fn(&[Placed]) -> String + Send + Sync),
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CreateOutcome {
    /// All jobs exist now; where each of them stands.
    Created(Vec<Placed>),
    /// The idempotency key was used before.
    KeyTaken(KeyHolder),
    /// A `dedupe_key` is held by a live job, or twice among these.
    Duplicate {
        /// Index of the job that was refused.
        job_index: usize,
        /// The live job that holds the key; `None` when another one of these jobs does.
        holder: Option<JobId>,
    },
    /// Some `depends_on` names a job that does not exist.
    UnknownParents(Vec<UnknownParent>),
}

/// An entry of `depends_on` that names no job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownParent {
    /// Index of the job.
    pub job_index: usize,
    /// Index within its `depends_on`.
    pub parent_index: usize,
}

const INSERT: &str = concat!(insert_jobs!(""), " ON CONFLICT DO NOTHING RETURNING id");

/// Out again, with a record: a parent has ended the wrong way before the job began.
const SKIP: &str = concat!(
    "WITH gone AS (
         -- By row address, which nobody else can move yet, found by key whatever the statistics say.
         DELETE FROM jobs_live
          WHERE ctid = ANY (ARRAY(
                SELECT j.address FROM unnest($2::uuid[]) AS w (id)
                 CROSS JOIN LATERAL (
                       SELECT j.ctid AS address FROM jobs_live j
                        WHERE j.merchant_id = $1 AND j.id = w.id OFFSET 0) j))
         RETURNING *
     ) ",
    finish_into!(),
    "SELECT ",
    finish_shared!(),
    ", g.created_at, g.attempt, g.crashes, false, 'skipped', 'dependency_failed', g.last_error, ",
    finish_without_execution!(),
    " FROM gone g"
);

impl Store {
    /// Creates jobs together: parents locked and judged, idempotency key and jobs in one transaction.
    ///
    /// # Errors
    /// When the database does not do it. After an error of the class `Unknown` call it again with `again`.
    pub async fn create_together(&self, request: &CreateTogether<'_>) -> StoreResult<CreateOutcome> {
        let creating = async {
            let mut transaction = self.pool().begin().await?;
            let outcome = create(&mut transaction, request).await?;
            match outcome {
                CreateOutcome::Created(_) => transaction.commit().await?,
                _ => transaction.rollback().await?,
            }
            Ok(outcome)
        };
        match self.pool().within(creating).await? {
            CreateOutcome::Duplicate { job_index, .. } => self.explain_duplicate(request, job_index).await,
            outcome => Ok(outcome),
        }
    }

    /// Names the holder of the key. One that ended meanwhile leaves `None`: asking again would succeed.
    async fn explain_duplicate(&self, request: &CreateTogether<'_>, job_index: usize) -> StoreResult<CreateOutcome> {
        let job = &request.jobs[job_index];
        let holder = match &job.spec.dedupe_key {
            Some(key) => self.dedupe_holder(job.merchant, &job.spec.queue, key).await?,
            None => None,
        };
        Ok(CreateOutcome::Duplicate { job_index, holder })
    }
}

async fn create(connection: &mut PgConnection, request: &CreateTogether<'_>) -> StoreResult<CreateOutcome> {
    let CreateTogether { merchant, jobs, key, again } = request;
    if let Some(keyed) = key
        && let Some(holder) = take_key(connection, *merchant, keyed.key, keyed.status).await?
    {
        return Ok(CreateOutcome::KeyTaken(holder));
    }
    let placed = match judge(connection, *merchant, jobs).await? {
        Judged::Placed(placed) => placed,
        Judged::Unknown(unknown) => return Ok(CreateOutcome::UnknownParents(unknown)),
    };
    let states: Vec<Placed> = placed.iter().map(|(placed, _)| *placed).collect();
    let inserted = insert(connection, jobs, &states).await?;
    if *again && exist_already(connection, *merchant, jobs, &inserted).await? {
        return Ok(CreateOutcome::Created(states));
    }
    if let Some(job_index) = jobs.iter().position(|job| !inserted.contains(&job.id)) {
        return Ok(CreateOutcome::Duplicate { job_index, holder: None });
    }
    skip(connection, *merchant, jobs, &states).await?;
    remember_parents(connection, *merchant, jobs, &placed).await?;
    if let Some(keyed) = key {
        write_answer(connection, *merchant, keyed.key, &(keyed.body)(&states)).await?;
    }
    Ok(CreateOutcome::Created(states))
}

async fn insert(connection: &mut PgConnection, jobs: &[NewJob], states: &[Placed]) -> StoreResult<HashSet<JobId>> {
    let state = |placed: &Placed| match placed {
        Placed::Scheduled => "scheduled",
        // Skipped ones pass through the live table, so that one statement knows the columns.
        Placed::Blocked | Placed::Skipped => "blocked",
    };
    let rows = Columns::of(jobs.iter().zip(states.iter().map(state))).bind(INSERT).fetch_all(connection).await?;
    rows.iter().map(|row| Ok(JobId(row.try_get::<Uuid, _>(0)?))).collect()
}

/// Whether the attempt before this one has created the jobs after all. They were created together, so one tells for
/// all. A job that has finished since would let itself be inserted a second time; that copy is taken out again.
async fn exist_already(
    connection: &mut PgConnection,
    merchant: MerchantId,
    jobs: &[NewJob],
    inserted: &HashSet<JobId>,
) -> StoreResult<bool> {
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.id.0).collect();
    let finished: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM jobs_finished WHERE merchant_id = $1 AND id = ANY($2))")
            .bind(merchant.0)
            .bind(&ids)
            .fetch_one(&mut *connection)
            .await?;
    let missing: Vec<Uuid> = ids.iter().copied().filter(|id| !inserted.contains(&JobId(*id))).collect();
    let live: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM jobs_live WHERE merchant_id = $1 AND id = ANY($2))")
            .bind(merchant.0)
            .bind(missing)
            .fetch_one(&mut *connection)
            .await?;
    if finished || live {
        let copies: Vec<Uuid> = inserted.iter().map(|id| id.0).collect();
        sqlx::query("DELETE FROM jobs_live WHERE merchant_id = $1 AND id = ANY($2)")
            .bind(merchant.0)
            .bind(copies)
            .execute(connection)
            .await?;
    }
    Ok(finished || live)
}

async fn skip(
    connection: &mut PgConnection,
    merchant: MerchantId,
    jobs: &[NewJob],
    states: &[Placed],
) -> StoreResult<()> {
    let skipped: Vec<Uuid> =
        jobs.iter().zip(states).filter(|(_, placed)| **placed == Placed::Skipped).map(|(job, _)| job.id.0).collect();
    if !skipped.is_empty() {
        sqlx::query(SKIP).bind(merchant.0).bind(skipped).execute(connection).await?;
    }
    Ok(())
}

async fn remember_parents(
    connection: &mut PgConnection,
    merchant: MerchantId,
    jobs: &[NewJob],
    placed: &[(Placed, Vec<Uuid>)],
) -> StoreResult<()> {
    let pairs =
        jobs.iter().zip(placed).flat_map(|(job, (_, parents))| parents.iter().map(|parent| (job.id.0, *parent)));
    let (children, parents): (Vec<Uuid>, Vec<Uuid>) = pairs.unzip();
    if !children.is_empty() {
        sqlx::query(
            "INSERT INTO job_dependencies (merchant_id, child_id, parent_id)
             SELECT $1, d.child_id, d.parent_id FROM unnest($2::uuid[], $3::uuid[]) AS d (child_id, parent_id)",
        )
        .bind(merchant.0)
        .bind(children)
        .bind(parents)
        .execute(connection)
        .await?;
    }
    Ok(())
}
