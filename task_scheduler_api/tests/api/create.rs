//! `POST /v1/jobs`

use crate::world::{Answer, SOON, World, job, next_hint};
use reqwest::Method;
use scheduler_core::domain::JobState;
use scheduler_core::queue::Hint;
use scheduler_core::queue::hints::Topic;
use serde_json::json;
use test_support::{seed, sql};

#[tokio::test]
async fn a_job_is_answered_as_it_reads_afterwards() {
    let world = World::new().await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let body = json!({
        "queue": "emails", "priority": 2, "run_at": "2031-02-03T04:05:06.789123Z",
        "target": {"kind": "http", "method": "PUT", "url": "https://example.com/a?b=c", "headers": {"x-a": "1"}},
        "payload": {"z": [1, 2.50, "ä"], "a": null}, "max_attempts": 7,
        "backoff": {"kind": "linear", "initial_seconds": 2.5, "factor": 2, "max_seconds": 60, "jitter": "none"},
        "timeout_seconds": 12.5, "start_deadline_seconds": 90, "dedupe_key": "d", "external_id": "e-1",
        "metadata": {"tier": "gold", "n": 5},
    });
    let created = Answer::of(world.request(Method::POST, "/v1/jobs").header("traceparent", trace).json(&body)).await;
    let location = created.header("location").to_owned();
    let id = created.id();
    let created = created.expect(201);
    assert_eq!(location, format!("/v1/jobs/{id}"));
    for field in ["queue", "priority", "run_at", "target", "payload", "max_attempts", "backoff", "timeout_seconds"] {
        let shown = &created[field];
        let same = shown == &body[field] || field == "backoff" && shown["factor"] == 2.0;
        assert!(same, "{field}: {shown}");
    }
    assert_eq!((&created["state"], &created["attempt"]), (&json!("scheduled"), &json!(0)));
    assert_eq!(created["scheduled_for"], created["run_at"]);
    assert_eq!(created["start_deadline_at"], "2031-02-03T04:06:36.789123Z");
    assert_eq!(created["traceparent"], trace);
    assert_eq!(world.get(&location).await.expect(200), created);
}

#[tokio::test]
async fn the_least_job_is_due_now_and_never_in_the_future_of_the_database() {
    let world = World::new().await;
    for _ in 0..20 {
        let id = world.create(json!({})).await;
        let late = format!("SELECT count(*) FROM jobs_live WHERE id = '{id}' AND run_at <= clock_timestamp()");
        assert_eq!(sql::number(world.store(), &late).await, 1);
    }
    let job = world.get(&format!("/v1/jobs/{}", world.create(json!({})).await)).await.expect(200);
    assert_eq!((&job["queue"], &job["priority"], &job["max_attempts"]), (&json!("default"), &json!(5), &json!(5)));
    assert_eq!((&job["timeout_seconds"], &job["payload"]), (&json!(30.0), &json!(null)));
    assert_eq!(job["backoff"]["kind"], "exponential");
}

#[tokio::test]
async fn populators_hear_of_jobs_that_are_due_soon() {
    let world = World::new().await;
    let mut hints = world.listen(&[Topic::Due]).await;
    world.create(json!({"delay_seconds": 3600})).await;
    let soon = world.create(json!({"priority": 3})).await;
    let Hint::Due(heard) = next_hint(&mut hints).await else { panic!("another hint") };
    assert_eq!(heard.len(), 1);
    assert_eq!((heard[0].member.job, heard[0].member.merchant), (soon, world.merchant));
    assert_eq!((heard[0].priority, heard[0].lane.as_str()), (3, "default"));
}

#[tokio::test]
async fn the_lane_comes_from_the_queue() {
    let world = World::new().await;
    let statement =
        format!("INSERT INTO queues (merchant_id, name, lane) VALUES ('{}', 'bulk', 'slow')", world.merchant);
    sql::execute(world.store(), &statement).await;
    world.create(json!({"queue": "bulk"})).await;
    assert_eq!(sql::text(world.store(), "SELECT lane FROM jobs_live").await.as_deref(), Some("slow"));
}

#[tokio::test]
async fn concurrent_creates_share_commits() {
    let world = World::new().await;
    world.create(json!({})).await;
    let creates = (0..200).map(|n| world.post("/v1/jobs", job(json!({"external_id": n.to_string()}))));
    for answer in futures::future::join_all(creates).await {
        answer.expect(201);
    }
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM jobs_live").await, 201);
    let commits = sql::number(world.store(), "SELECT count(DISTINCT xmin::text) FROM jobs_live").await;
    assert!(commits < 100, "{commits} commits for 201 jobs");
}

#[tokio::test]
async fn one_live_job_per_queue_and_dedupe_key() {
    let world = World::new().await;
    let first = world.create(json!({"dedupe_key": "k", "delay_seconds": 60})).await;
    let second = world.post("/v1/jobs", job(json!({"dedupe_key": "k"}))).await;
    assert_eq!(second.problem(409, "duplicate_job")["job_id"], first.to_string());
    world.create(json!({"dedupe_key": "k", "queue": "other"})).await;
    world.act(&format!("/v1/jobs/{first}/cancel")).await.expect(200);
    world.create(json!({"dedupe_key": "k"})).await;
}

#[tokio::test]
async fn of_concurrent_duplicates_one_wins_and_the_others_name_it() {
    let world = World::new().await;
    let creates = (0..30).map(|_| world.post("/v1/jobs", job(json!({"dedupe_key": "k", "delay_seconds": 60}))));
    let answers = futures::future::join_all(creates).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!((won.len(), lost.len()), (1, 29));
    let winner = won[0].id().to_string();
    for answer in lost {
        assert_eq!(answer.problem(409, "duplicate_job")["job_id"], winner);
    }
}

#[tokio::test]
async fn a_poisoned_job_fails_alone_in_its_group() {
    let world = World::new().await;
    // A constraint that one of the jobs breaks stands for whatever the database may refuse.
    sql::execute(world.store(), "ALTER TABLE jobs_live ADD CONSTRAINT poison CHECK (external_id <> 'poison')").await;
    let creates = (0..40).map(|n| {
        let external = if n == 20 { "poison".to_owned() } else { n.to_string() };
        world.post("/v1/jobs", job(json!({"external_id": external})))
    });
    let answers = futures::future::join_all(creates).await;
    let refused: Vec<_> = answers.into_iter().filter(|answer| answer.status != 201).collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM jobs_live").await, 39);
}

#[tokio::test]
async fn each_bad_field_is_pointed_at() {
    let world = World::with(|settings| settings.api.payload_limit_bytes = 1024).await;
    let cases = [
        (json!({"priority": 10}), "/priority"),
        (json!({"priority": "high"}), "/priority"),
        (json!({"queue": "no spaces"}), "/queue"),
        (json!({"delay_seconds": 1, "run_at": "2030-01-01T00:00:00Z"}), "/delay_seconds"),
        (json!({"run_at": "tomorrow"}), "/run_at"),
        (json!({"run_at": "9999-12-31T23:59:59Z"}), "/run_at"),
        (json!({"target": {"kind": "http", "url": "ftp://example.com"}}), "/target/url"),
        (json!({"target": {"kind": "http", "url": 5}}), "/target/url"),
        (json!({"target": {"kind": "process"}}), "/target/kind"),
        (json!({"backoff": {"kind": "cubic"}}), "/backoff/kind"),
        (json!({"max_attempts": 0}), "/max_attempts"),
        (json!({"depends_on": ["x"]}), "/depends_on/0"),
        (json!({"concurrency_key": ""}), "/concurrency_key"),
        (json!({"payload": "x".repeat(2000)}), "/payload"),
        (json!({"metadata": {"a": "x".repeat(20_000)}}), "/metadata"),
        (json!({"piority": 1}), "/piority"),
    ];
    for (fields, pointer) in cases {
        world.post("/v1/jobs", job(fields)).await.invalid(pointer);
    }
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM jobs_live").await, 0);
}

#[tokio::test]
async fn redis_may_be_away() {
    let world = World::with(|settings| {
        settings.redis.url = scheduler_core::config::SecretUrl::new("redis://127.0.0.1:1/0");
    })
    .await;
    let created = tokio::time::timeout(SOON, world.create(json!({}))).await.unwrap();
    let state = seed::stored_state(world.store(), world.merchant, created).await;
    assert_eq!(state.as_deref(), Some(JobState::Scheduled.as_str()));
}
