//! What the parents of new jobs say, looked at under their locks.

use super::{NewJob, Placed, UnknownParent};
use crate::domain::{MerchantId, RunIf};
use crate::store::StoreResult;
use sqlx::PgConnection;
use std::collections::{BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// The verdict over some new jobs.
pub(super) enum Judged {
    /// Where each of them stands, with the live parents that the blocked ones wait for.
    Placed(Vec<(Placed, Vec<Uuid>)>),
    /// Parents that do not exist.
    Unknown(Vec<UnknownParent>),
}

/// Locks the live parents, marks them as waited for, and judges the finished ones at once.
///
/// Ending a parent waits for our locks and then sees the mark; a parent that ended a moment ago is found among the
/// finished by the second statement, whose snapshot is younger than the wait.
pub(super) async fn judge(connection: &mut PgConnection, merchant: MerchantId, jobs: &[NewJob]) -> StoreResult<Judged> {
    let parents: BTreeSet<Uuid> = jobs.iter().flat_map(|job| job.spec.depends_on.iter().copied()).collect();
    if parents.is_empty() {
        return Ok(Judged::Placed(jobs.iter().map(|_| (Placed::Scheduled, Vec::new())).collect()));
    }
    let live = lock_live(connection, merchant, &parents).await?;
    let rest: Vec<Uuid> = parents.into_iter().filter(|parent| !live.contains(parent)).collect();
    let finished = finished_states(connection, merchant, &rest).await?;

    let mut placed = Vec::with_capacity(jobs.len());
    let mut unknown = Vec::new();
    for (job_index, job) in jobs.iter().enumerate() {
        for (parent_index, parent) in job.spec.depends_on.iter().enumerate() {
            if !live.contains(parent) && !finished.contains_key(parent) {
                unknown.push(UnknownParent { job_index, parent_index });
            }
        }
        placed.push(place(job, &live, &finished));
    }
    Ok(if unknown.is_empty() { Judged::Placed(placed) } else { Judged::Unknown(unknown) })
}

fn place(job: &NewJob, live: &HashSet<Uuid>, finished: &HashMap<Uuid, bool>) -> (Placed, Vec<Uuid>) {
    let parents = &job.spec.depends_on;
    let failed = parents.iter().any(|parent| finished.get(parent) == Some(&false));
    if failed && job.spec.run_if.unwrap_or_default() == RunIf::AllSucceeded {
        return (Placed::Skipped, Vec::new());
    }
    let waits_for: BTreeSet<Uuid> = parents.iter().copied().filter(|parent| live.contains(parent)).collect();
    let placed = if waits_for.is_empty() { Placed::Scheduled } else { Placed::Blocked };
    (placed, waits_for.into_iter().collect())
}

async fn lock_live(
    connection: &mut PgConnection,
    merchant: MerchantId,
    parents: &BTreeSet<Uuid>,
) -> StoreResult<HashSet<Uuid>> {
    let live: Vec<Uuid> = sqlx::query_scalar(
        "WITH locked AS (
             SELECT j.merchant_id, j.id, j.has_dependents
               FROM unnest($2::uuid[]) AS p (id)
              CROSS JOIN LATERAL (
                    SELECT j.merchant_id, j.id, j.has_dependents FROM jobs_live j
                     WHERE j.merchant_id = $1 AND j.id = p.id FOR UPDATE) j
         ), marked AS (
             UPDATE jobs_live j SET has_dependents = true FROM locked l
              WHERE j.merchant_id = ANY (ARRAY[l.merchant_id]) AND j.id = l.id AND NOT l.has_dependents
         )
         SELECT id FROM locked",
    )
    .bind(merchant.0)
    .bind(parents.iter().copied().collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    Ok(live.into_iter().collect())
}

/// Finished parents, and whether they succeeded.
async fn finished_states(
    connection: &mut PgConnection,
    merchant: MerchantId,
    parents: &[Uuid],
) -> StoreResult<HashMap<Uuid, bool>> {
    if parents.is_empty() {
        return Ok(HashMap::new());
    }
    let finished: Vec<(Uuid, bool)> = sqlx::query_as(
        "SELECT f.id, f.state = 'succeeded'
               FROM unnest($2::uuid[]) AS p (id)
              CROSS JOIN LATERAL (
                    SELECT f.id, f.state FROM jobs_finished f WHERE f.merchant_id = $1 AND f.id = p.id OFFSET 0) f",
    )
    .bind(merchant.0)
    .bind(parents)
    .fetch_all(connection)
    .await?;
    Ok(finished.into_iter().collect())
}
