//! The whole product of states and events against a real PostgreSQL: what the table allows happens, and nothing else.

use chrono::{DateTime, Utc};
use scheduler_core::domain::transitions::{Event, outcomes};
use scheduler_core::domain::{ExecutionResult, JobId, JobState, MerchantId, Outcome, SessionId, Token};
use scheduler_core::store::Store;
use scheduler_core::store::transitions::claim::ClaimKey;
use scheduler_core::store::transitions::expire::OverdueStart;
use scheduler_core::store::transitions::reap::ReapOptions;
use scheduler_core::store::transitions::results::AttemptReport;
use scheduler_core::store::transitions::verdict::{BurialOrder, FailureKey, RetryOrder};
use scheduler_core::store::transitions::{dependencies, reap};
use std::time::Duration;
use test_support::TestDatabase;
use test_support::seed::{self, JobSeed};

struct World {
    database: TestDatabase,
    merchant: MerchantId,
}

/// A job under test, with the claim that it has if it is running.
struct Subject {
    job: JobId,
    claim: ClaimKey,
    session: SessionId,
}

impl World {
    fn store(&self) -> &Store {
        self.database.store()
    }

    async fn session(&self) -> SessionId {
        let id = SessionId::random();
        self.store().open_session(id, "test", 1, &["default".to_owned()]).await.unwrap();
        id
    }

    fn key(&self, job: JobId) -> ClaimKey {
        ClaimKey { merchant: self.merchant, job, token: Token::random() }
    }

    /// A job in `state`, brought there by legal events where it is not a stored live state.
    async fn subject(&self, state: JobState) -> Subject {
        let due = JobSeed::due(self.merchant);
        let seed = match state {
            JobState::Blocked | JobState::Skipped => JobSeed { state: "blocked", ..due },
            JobState::Retrying => JobSeed { state: "retrying", attempt: 1, ..due },
            JobState::Failed | JobState::Dead => JobSeed::failed(self.merchant, 1, true),
            _ => due,
        };
        let job = seed.insert(self.store()).await;
        let subject = Subject { job, claim: self.key(job), session: self.session().await };
        let way: &[Event] = match state {
            JobState::Running => &[Event::Claim],
            JobState::Succeeded => &[Event::Claim, Event::Succeed],
            JobState::Dead => &[Event::Exhaust],
            JobState::Cancelled => &[Event::Cancel],
            JobState::Skipped => &[Event::DependencyFailed],
            JobState::Expired => &[Event::StartDeadline],
            _ => &[],
        };
        for event in way {
            self.fire(*event, &subject).await;
        }
        assert_eq!(self.state(job).await, state, "the test could not bring a job there");
        subject
    }

    async fn state(&self, job: JobId) -> JobState {
        let claimed: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM claims WHERE merchant_id = $1 AND job_id = $2)")
                .bind(self.merchant.0)
                .bind(job.0)
                .fetch_one(self.database.pool())
                .await
                .unwrap();
        let stored = seed::stored_state(self.store(), self.merchant, job).await.expect("the job is gone");
        if claimed { JobState::Running } else { stored.parse().unwrap() }
    }

    async fn execute(&self, statement: &'static str, subject: &Subject) {
        let query = sqlx::query(statement).bind(self.merchant.0).bind(subject.job.0);
        query.execute(self.database.pool()).await.unwrap();
    }

    fn report(&self, subject: &Subject, outcome: Outcome) -> AttemptReport {
        let now: DateTime<Utc> = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let result = ExecutionResult { outcome, retryable: true, ..ExecutionResult::success() };
        AttemptReport { key: subject.claim, session: subject.session, started_at: now, finished_at: now, result }
    }

    /// Lets the event's owner try, whether or not the state allows it.
    async fn fire(&self, event: Event, subject: &Subject) {
        let store = self.store();
        let pair = [(self.merchant, subject.job)];
        match event {
            Event::Claim => drop(
                self.database.claims_store().claim(subject.session, &[subject.claim], Duration::ZERO).await.unwrap(),
            ),
            Event::Succeed => drop(store.succeed(&[&self.report(subject, Outcome::Succeeded)]).await.unwrap()),
            Event::Fail => drop(store.fail(&[&self.report(subject, Outcome::Failed)]).await.unwrap()),
            Event::Cancel => {
                store.cancel(self.merchant, subject.job).await.unwrap();
                // What the executor answers to the request.
                store.confirm_cancel(&[&self.report(subject, Outcome::Cancelled)]).await.unwrap();
            }
            Event::HandBack => drop(store.hand_back(&[subject.claim]).await.unwrap()),
            Event::LeaseLost => self.reap(subject, 100).await,
            Event::CrashedOut => self.reap(subject, 0).await,
            Event::Retry => {
                let order = RetryOrder { key: self.failure(subject), delay: Duration::ZERO };
                store.retry(&[order]).await.unwrap();
            }
            Event::Exhaust => {
                let order = BurialOrder { key: self.failure(subject), reason: "exhausted" };
                store.bury(&[order]).await.unwrap();
            }
            Event::DependenciesMet => {
                let mut connection = self.database.pool().acquire().await.unwrap();
                dependencies::unblock(&mut connection, &pair).await.unwrap();
            }
            Event::DependencyFailed => {
                // A parent that exists no more has not succeeded.
                self.execute("INSERT INTO job_dependencies VALUES ($1, $2, gen_random_uuid())", subject).await;
                let mut connection = self.database.pool().acquire().await.unwrap();
                dependencies::skip(&mut connection, &pair).await.unwrap();
            }
            Event::StartDeadline => self.miss_the_deadline(subject).await,
            Event::Overlap => self.overlap(subject).await,
            Event::Displace => self.displace(subject).await,
            Event::RunNow => drop(store.run_now(self.merchant, subject.job).await.unwrap()),
        }
    }

    fn failure(&self, subject: &Subject) -> FailureKey {
        FailureKey { merchant: self.merchant, job: subject.job, attempt: 1 }
    }

    async fn reap(&self, subject: &Subject, max_crashes: u32) {
        let lost = sqlx::query("UPDATE sessions SET lost_at = clock_timestamp() WHERE id = $1").bind(subject.session.0);
        lost.execute(self.database.pool()).await.unwrap();
        let options = ReapOptions { max_crashes, spread: Duration::ZERO };
        let _reaped: reap::Reaped = self.store().reap(&[subject.claim], &options).await.unwrap();
    }

    async fn miss_the_deadline(&self, subject: &Subject) {
        self.execute(
            "UPDATE jobs_live SET start_deadline_at = clock_timestamp() - interval '1 s' WHERE merchant_id = $1 AND id = $2",
            subject,
        )
        .await;
        let overdue = OverdueStart {
            start_deadline_at: DateTime::from_timestamp(0, 0).unwrap(),
            merchant: self.merchant,
            job: subject.job,
        };
        self.store().expire_overdue(&[overdue]).await.unwrap();
    }

    /// Gives the job a template with an earlier live job, and lets the populator judge.
    async fn overlap(&self, subject: &Subject) {
        let template = uuid::Uuid::now_v7();
        JobSeed { template: Some(template), due_in_seconds: -60.0, ..JobSeed::due(self.merchant) }
            .insert(self.store())
            .await;
        let own = sqlx::query(
            "UPDATE jobs_live SET template_id = $3, overlap_skip = true WHERE merchant_id = $1 AND id = $2",
        );
        let own = own.bind(self.merchant.0).bind(subject.job.0).bind(template);
        own.execute(self.database.pool()).await.unwrap();
        self.store().skip_overlaps(&[(self.merchant, subject.job)]).await.unwrap();
    }

    /// Gives the job a template with a later due job that displaces, and lets the populator judge that one.
    async fn displace(&self, subject: &Subject) {
        let template = uuid::Uuid::now_v7();
        let later = JobSeed {
            template: Some(template),
            due_in_seconds: -0.1,
            overlap: Some("cancel_other"),
            template_limit: Some(1),
            ..JobSeed::due(self.merchant)
        };
        let later = later.insert(self.store()).await;
        let own = sqlx::query(
            "UPDATE jobs_live SET template_id = $3, scheduled_for = clock_timestamp() - interval '1 min'
              WHERE merchant_id = $1 AND id = $2",
        );
        let own = own.bind(self.merchant.0).bind(subject.job.0).bind(template);
        own.execute(self.database.pool()).await.unwrap();
        self.store().displace_others(self.merchant, later).await.unwrap();
    }
}

#[tokio::test]
async fn every_event_in_every_state_does_what_the_table_says() {
    let database = TestDatabase::new().await;
    let merchant = seed::merchant(database.store(), "acme").await;
    let world = World { database, merchant };
    let mut wrong = Vec::new();
    for state in JobState::ALL {
        for event in Event::ALL {
            let subject = world.subject(state).await;
            world.fire(event, &subject).await;
            let after = world.state(subject.job).await;
            let allowed: Vec<JobState> = outcomes(state, event).map(|edge| edge.to).collect();
            let right = if allowed.is_empty() { after == state } else { allowed.contains(&after) };
            if !right {
                wrong.push(format!("{state} + {event:?} became {after}; allowed: {allowed:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
