//! The floor: insert, claim and result statements on the database, with no daemon in between.
//!
//! The jobs are of a lane that nobody serves, so the daemons of the same database let them be.

use super::report::Report;
use crate::cli::Globals;
use anyhow::{Context as _, ensure};
use chrono::{DateTime, Utc};
use scheduler_core::domain::{ExecutionResult, JobSpec, MerchantId, SessionId, Token};
use scheduler_core::store::job_create::{NewJob, Single};
use scheduler_core::store::transitions::claim::ClaimKey;
use scheduler_core::store::transitions::results::AttemptReport;
use scheduler_core::store::{Store, StoreOptions, StoreRole};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Rows per statement.
const BATCH: usize = 500;
/// Connections at work.
const CONNECTIONS: usize = 2;
/// A lane that no executor serves.
const LANE: &str = "bench-floor";

/// Measures.
pub async fn measure(globals: &Globals, jobs: usize) -> anyhow::Result<Report> {
    let settings = globals.settings()?;
    let open = |role| {
        let url = settings.database.url.expose();
        Store::connect_lazy(&StoreOptions::new(url, role, CONNECTIONS as u32 + 1, "scheduler_bench"))
    };
    let (durable, claims, results) = (open(StoreRole::Durable)?, open(StoreRole::Claims)?, open(StoreRole::Results)?);
    let merchant = match durable.find_merchant("bench-floor").await? {
        Some(merchant) => merchant.id,
        None => {
            durable.create_merchant("bench-floor", 1).await?.context("the merchant appeared meanwhile; try again")?.id
        }
    };
    let now = durable.read_clock().await?.database;
    let session = SessionId::random();
    claims.open_session(session, "bench", 0, &[LANE.to_owned()]).await?;

    let groups = groups(merchant, now, jobs)?;
    let started = Instant::now();
    in_parallel(groups.clone(), |group| insert(durable.clone(), group)).await?;
    let inserted = started.elapsed();
    let started = Instant::now();
    in_parallel(groups, |group| claim_and_finish(claims.clone(), results.clone(), session, now, group)).await?;
    let ran = started.elapsed();
    claims.end_session(session).await?;
    let rate = |took: Duration| (jobs as f64 / took.as_secs_f64()).round();
    Ok(Report::default()
        .add("measure", "bare statements: insert; claim and result")
        .add("jobs", jobs)
        .add("inserted_per_second", rate(inserted))
        .add("claimed_and_finished_per_second", rate(ran)))
}

fn groups(merchant: MerchantId, now: DateTime<Utc>, jobs: usize) -> anyhow::Result<Vec<Vec<Arc<Single>>>> {
    let text = format!(r#"{{"target":{{"kind":"noop"}},"payload":{{"text":"{}"}}}}"#, "x".repeat(180));
    let spec: JobSpec = serde_json::from_str(&text)?;
    let single = || {
        let job = NewJob::from_spec(spec.clone(), merchant, LANE.to_owned(), now, None);
        Arc::new(Single { job, key: None })
    };
    let all: Vec<_> = (0..jobs).map(|_| single()).collect();
    Ok(all.chunks(BATCH).map(<[_]>::to_vec).collect())
}

/// Works the groups off, [`CONNECTIONS`] at a time.
async fn in_parallel<Work, Fut>(groups: Vec<Vec<Arc<Single>>>, work: Work) -> anyhow::Result<()>
where
    Work: Fn(Vec<Arc<Single>>) -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    use futures::stream::{StreamExt as _, TryStreamExt as _};
    let tasks = groups.into_iter().map(|group| tokio::spawn(work(group)));
    let running = futures::stream::iter(tasks).map(|task| async { task.await? });
    running.buffer_unordered(CONNECTIONS).try_collect().await
}

async fn insert(store: Store, group: Vec<Arc<Single>>) -> anyhow::Result<()> {
    let created = store.insert_group(&group).await?;
    ensure!(created.len() == group.len(), "not every job was created");
    Ok(())
}

async fn claim_and_finish(
    claims: Store,
    results: Store,
    session: SessionId,
    now: DateTime<Utc>,
    group: Vec<Arc<Single>>,
) -> anyhow::Result<()> {
    let key =
        |single: &Arc<Single>| ClaimKey { merchant: single.job.merchant, job: single.job.id, token: Token::random() };
    let wanted: Vec<ClaimKey> = group.iter().map(key).collect();
    let granted = claims.claim(session, &wanted, Duration::ZERO).await?;
    ensure!(granted.len() == wanted.len(), "not every claim was answered");
    let report = |key: &ClaimKey| AttemptReport {
        key: *key,
        session,
        started_at: now,
        finished_at: now,
        result: ExecutionResult::success(),
    };
    let reports: Vec<AttemptReport> = wanted.iter().map(report).collect();
    let receipts = results.record_results(&reports).await?;
    ensure!(receipts.len() == reports.len(), "not every result was answered");
    Ok(())
}
