//! Backfills over HTTP: started, foreseen, listed, steered; and who wins when one is cancelled as its jobs are claimed.

use crate::world::{Answer, World};
use reqwest::Method;
use scheduler_core::domain::{BackfillId, ExecutionResult, JobId, Token};
use scheduler_core::store::backfills::{BackfillChange, BackfillChanged};
use scheduler_core::store::materialise::MaterialiseOptions;
use scheduler_core::store::transitions::claim::{ClaimAnswer, ClaimKey};
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{seed, sql, templates};

/// A template that has run hourly for as long as anybody remembers; its path.
async fn hourly(world: &World) -> String {
    let body = json!({
        "name": "hourly", "schedule": {"kind": "cron", "expression": "0 * * * *"},
        "job": {"queue": "reports", "target": {"kind": "noop"}, "payload": {"until": "{{data_interval_end}}"}},
    });
    let made = world.post("/v1/templates", body).await.expect(201);
    format!("/v1/templates/{}", made["id"].as_str().unwrap())
}

fn day() -> Value {
    json!({"from": "2026-05-04T00:00:00Z", "to": "2026-05-04T09:59:59Z"})
}

fn with(mut body: Value, member: &str, value: Value) -> Value {
    body[member] = value;
    body
}

async fn drive(world: &World) {
    let now = seed::database_now(world.store()).await;
    while world.store().drive_backfills(now, 100).await.unwrap().more {}
}

/// The live jobs of the template's backfills, by nominal time.
async fn live(world: &World, path: &str) -> Vec<JobId> {
    let template = path.rsplit('/').next().unwrap().parse().unwrap();
    let jobs = templates::live_jobs(world.store(), world.merchant, template).await;
    jobs.iter().filter(|job| job.backfill_id.is_some()).map(|job| JobId(job.id)).collect()
}

#[tokio::test]
async fn a_backfill_is_foreseen_started_and_done() {
    let world = World::new().await;
    let path = hourly(&world).await;
    let foreseen = json!({
        "dry_run": true, "nominal": 10, "total": 10, "first": "2026-05-04T00:00:00Z", "last": "2026-05-04T09:00:00Z"
    });
    let start = format!("{path}/backfills");
    assert_eq!(world.post(&format!("{start}?dry_run=true"), day()).await.expect(200), foreseen);
    assert_eq!(world.post(&start, with(day(), "dry_run", json!(true))).await.expect(200), foreseen);
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM backfills").await, 0);

    let started = world.post(&start, with(day(), "max_active", json!(4))).await;
    let place = started.header("location").to_owned();
    let made = started.expect(201);
    assert_eq!(world.get(&place).await.expect(200), made);
    assert_eq!(
        (&made["state"], &made["order"], &made["reprocess"]),
        (&json!("running"), &json!("oldest_first"), &json!("none"))
    );
    drive(&world).await;
    let jobs = live(&world, &path).await;
    let job = world.get(&format!("/v1/jobs/{}", jobs[0])).await.expect(200);
    assert_eq!((&job["backfill_id"], &job["priority"], &job["queue"]), (&made["id"], &json!(9), &json!("reports")));
    assert_eq!(job["payload"], json!({"until": "2026-05-04T00:00:00Z"}));
    let executor = world.executor().await;
    for job in &jobs {
        let claim = executor.claim(*job).await;
        executor.finish(claim, ExecutionResult::success()).await;
    }
    let progress = world.get(&place).await.expect(200)["progress"].clone();
    let expected = json!({
        "total": 10, "created": 4, "running": 0, "succeeded": 4, "failed": 0, "other": 0, "remaining": 6
    });
    assert_eq!(progress, expected);
    let ended = world.get(&format!("/v1/jobs/{}", jobs[0])).await.expect(200);
    assert_eq!((&ended["state"], &ended["backfill_id"]), (&json!("succeeded"), &made["id"]));
    let explained = world.get(&format!("{path}/explain?at=2026-05-04T00:00:00Z")).await.expect(200);
    assert_eq!(explained["answer"], "backfilled");
    let sentence = explained["sentence"].as_str().unwrap();
    assert!(sentence.starts_with("A backfill made a job of it (had no record), which succeeded at "), "{sentence}");
    let rows = world.get(&format!("{path}/occurrences?to=2026-05-04T00:00:00Z")).await.expect(200);
    assert_eq!((&rows["data"][0]["outcome"], &rows["data"][0]["backfill_id"]), (&json!("backfilled"), &made["id"]));
}

#[tokio::test]
async fn each_end_is_followed_by_the_next() {
    let world = World::new().await;
    let path = hourly(&world).await;
    let started = world.post(&format!("{path}/backfills"), day()).await.expect(201);
    let place = format!("/v1/backfills/{}", started["id"].as_str().unwrap());
    let executor = world.executor().await;
    for _ in 0..10 {
        drive(&world).await;
        let job = live(&world, &path).await[0];
        let claim = executor.claim(job).await;
        executor.finish(claim, ExecutionResult::success()).await;
    }
    drive(&world).await;
    let done = world.get(&place).await.expect(200);
    assert_eq!(done["state"], "completed");
    assert_eq!((&done["progress"]["succeeded"], &done["progress"]["remaining"]), (&json!(10), &json!(0)));
    world.act(&format!("{place}/cancel")).await.problem(409, "already_ended");
}

#[tokio::test]
async fn a_backfill_is_steered_and_listed() {
    let world = World::new().await;
    let path = hourly(&world).await;
    let start = format!("{path}/backfills");
    let request = || world.request(Method::POST, &start).header("idempotency-key", "once").json(&day());
    let first = Answer::of(request()).await.expect(201);
    assert_eq!(Answer::of(request()).await.expect(201), first, "the same request is answered the same");
    let second = world.post(&start, with(day(), "order", json!("newest_first"))).await.expect(201);
    let place = |made: &Value| format!("/v1/backfills/{}", made["id"].as_str().unwrap());
    for (verb, state) in [("pause", "paused"), ("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")] {
        let shown = world.act(&format!("{}/{verb}", place(&first))).await.expect(200);
        assert_eq!(shown["state"], state, "{verb}");
    }
    world.act(&format!("{}/resume", place(&first))).await.problem(409, "already_ended");
    let ids = |list: Value| list["data"].as_array().unwrap().iter().map(|row| row["id"].clone()).collect::<Vec<_>>();
    let template = path.rsplit('/').next().unwrap();
    let list = |query: String| {
        let world = &world;
        async move { ids(world.get(&format!("/v1/backfills{query}")).await.expect(200)) }
    };
    assert_eq!(list(format!("?template={template}")).await, [second["id"].clone(), first["id"].clone()]);
    assert_eq!(list("?state=cancelled".to_owned()).await, [first["id"].clone()]);
    assert_eq!(list(format!("?template={}", uuid::Uuid::nil())).await, Vec::<Value>::new());
    let page = world.get("/v1/backfills?limit=1").await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(list(format!("?limit=1&cursor={cursor}")).await, [first["id"].clone()]);
    let (_, theirs) = world.stranger().await;
    let ask = |method, path: String| Answer::of(world.bare(method, &path).header("x-api-key", theirs.clone()));
    ask(Method::GET, place(&second)).await.problem(404, "not_found");
    ask(Method::POST, format!("{}/cancel", place(&second))).await.problem(404, "not_found");
    ask(Method::POST, format!("{start}?dry_run=true")).await.problem(415, "unsupported_media_type");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_where_it_is_wrong() {
    let world = World::new().await;
    let path = hourly(&world).await;
    let start = format!("{path}/backfills");
    let refused = |member: &'static str, value: Value| {
        let (world, start) = (&world, &start);
        async move { world.post(start, with(day(), member, value)).await.invalid(&format!("/{member}")) }
    };
    refused("from", Value::Null).await;
    refused("from", json!("2026-05-05T00:00:00Z")).await;
    refused("to", json!("2031-05-05T00:00:00Z")).await;
    refused("max_active", json!(0)).await;
    refused("max_active", json!(1001)).await;
    refused("order", json!("random")).await;
    refused("reprocess", json!("all")).await;
    refused("until", json!("2026-05-05T00:00:00Z")).await;
    let years = with(day(), "from", json!("2020-01-01T00:00:00Z"));
    let why = world.post(&start, years).await.invalid("/to");
    assert!(why.contains("more than 10000 times"), "{why}");
    world.post(&format!("/v1/templates/{}/backfills", uuid::Uuid::nil()), day()).await.problem(404, "not_found");
    let ends = json!({
        "name": "e", "schedule": {"kind": "interval", "every_seconds": 60, "anchor": "completion"},
        "job": {"target": {"kind": "noop"}},
    });
    let ends = world.post("/v1/templates", ends).await.expect(201);
    let path = format!("/v1/templates/{}/backfills", ends["id"].as_str().unwrap());
    world.post(&path, day()).await.problem(409, "no_past");
}

#[tokio::test]
async fn its_jobs_are_in_nobodys_way_and_nobody_is_in_theirs() {
    let world = World::new().await;
    let body = json!({
        "name": "t", "schedule": {"kind": "interval", "every_seconds": 20}, "overlap": "skip", "job": {"target": {"kind": "noop"}},
    });
    let made = world.post("/v1/templates", body).await.expect(201);
    let path = format!("/v1/templates/{}", made["id"].as_str().unwrap());
    let now = seed::database_now(world.store()).await;
    let options = MaterialiseOptions { lookahead: Duration::from_secs(60), templates: 100, occurrences: 1000 };
    while world.store().materialise(now, &options).await.unwrap().more {}
    let all = with(with(day(), "max_active", json!(2)), "to", json!("2026-05-04T00:00:40Z"));
    world.post(&format!("{path}/backfills"), all).await.expect(201);
    drive(&world).await;
    let executor = world.executor().await;
    let backfilled = live(&world, &path).await;
    executor.claim(backfilled[0]).await;
    let id = path.rsplit('/').next().unwrap().parse().unwrap();
    let jobs = templates::live_jobs(world.store(), world.merchant, id).await;
    let planned = jobs.iter().find(|job| job.backfill_id.is_none()).unwrap();
    let wish = ClaimKey { merchant: world.merchant, job: JobId(planned.id), token: Token::random() };
    let ahead = Duration::from_secs(60);
    let claimed = world.database.claims_store().claim(executor.session, &[wish], ahead).await.unwrap();
    assert!(matches!(claimed[0].answer, ClaimAnswer::Granted(_)), "{claimed:?}");
    executor.claim(backfilled[1]).await;
}

#[tokio::test]
async fn a_claim_and_a_cancel_at_the_same_time_have_one_winner() {
    let world = World::new().await;
    let path = hourly(&world).await;
    let (claims, executor) = (world.database.claims_store(), world.executor().await);
    let mut claimed = 0;
    for round in 0..20 {
        let body = with(with(day(), "max_active", json!(10)), "reprocess", json!("completed"));
        let made = world.post(&format!("{path}/backfills"), body).await.expect(201);
        let id: BackfillId = made["id"].as_str().unwrap().parse().unwrap();
        drive(&world).await;
        let jobs = live(&world, &path).await;
        let wishes: Vec<ClaimKey> =
            jobs.iter().map(|job| ClaimKey { merchant: world.merchant, job: *job, token: Token::random() }).collect();
        let now = seed::database_now(world.store()).await;
        let claim = async {
            let mut answers = Vec::new();
            for wish in wishes.chunks(1 + round % 4) {
                answers.extend(claims.claim(executor.session, wish, Duration::ZERO).await.unwrap());
            }
            answers
        };
        let cancel = world.store().change_backfill(world.merchant, id, BackfillChange::Cancel, now);
        let (answers, changed) = tokio::join!(claim, cancel);
        let granted = answers.iter().filter(|it| matches!(it.answer, ClaimAnswer::Granted(_))).count();
        assert!(
            answers.iter().all(|it| matches!(it.answer, ClaimAnswer::Granted(_) | ClaimAnswer::Gone)),
            "{answers:?}"
        );
        let BackfillChanged::Done { cancelled, .. } = changed.unwrap() else { panic!("not cancelled") };
        assert_eq!(granted + usize::try_from(cancelled).unwrap(), jobs.len());
        let backfilled =
            "SELECT count(*) FROM occurrences o JOIN claims c ON c.job_id = o.job_id WHERE o.outcome = 'backfilled'";
        assert_eq!(sql::number(world.store(), backfilled).await, i64::try_from(granted).unwrap());
        for answer in answers.iter().filter(|it| matches!(it.answer, ClaimAnswer::Granted(_))) {
            executor.finish(answer.key, ExecutionResult::success()).await;
        }
        claimed += granted;
    }
    assert!(claimed > 0, "somebody was quick enough");
}
