//! Webhooks through the whole executor.

use crate::support::{SOON, World};
use scheduler_core::domain::JobId;
use std::time::Duration;
use test_support::{Receiver, Script};

async fn error_of(world: &World, job: JobId) -> String {
    world.until_state(job, "failed").await;
    test_support::sql::text(world.db.store(), &format!("SELECT last_error FROM jobs_live WHERE id = '{job}'"))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_delivered_with_its_headers_and_its_answer_is_kept() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    receiver.answer(vec![Script::status(200).body("thanks, a lot")]);
    let target = format!(
        r#"{{"kind":"http","url":"{}","headers":{{"X-Own":"1","Authorization":"Bearer t"}}}}"#,
        receiver.url("/hook?a=b")
    );
    let seed = test_support::seed::JobSeed { target, ..world.webhook_seed("") };
    let job = seed.insert(world.db.store()).await;
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    world.execute(&format!("UPDATE jobs_live SET traceparent = '{traceparent}'")).await;
    let executor = world.start(&[("executor.capture_body_bytes", "6"), ("executor.user_agent", "tester")]);
    world.push(&[job]).await;

    let delivery = receiver.wait_for(1, SOON).await.remove(0);
    world.until_state(job, "succeeded").await;
    assert_eq!((delivery.method.as_str(), delivery.uri.to_string().as_str()), ("POST", "/hook?a=b"));
    assert_eq!(&delivery.body[..], br#"{"n":1}"#);
    let job_id = job.to_string();
    for (name, value) in [
        ("x-job-id", job_id.as_str()),
        ("idempotency-key", &job_id),
        ("x-attempt", "1"),
        ("traceparent", traceparent),
        ("content-type", "application/json"),
        ("user-agent", "tester"),
        ("x-own", "1"),
        ("authorization", "Bearer t"),
    ] {
        assert_eq!(delivery.header(name), value, "{name}");
    }
    assert!(delivery.header("x-scheduled-for").ends_with('Z'));
    let kept = format!(
        "SELECT count(*) FROM jobs_finished WHERE execution_id = '{}' AND response_status = 200
            AND response_body = 'thanks' AND response_truncated AND finished_at >= started_at",
        delivery.header("x-execution-id")
    );
    assert_eq!(world.number(&kept).await, 1);
    executor.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_of_the_attempt_are_for_the_jobs_of_templates() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    let target = format!(
        r#"{{"kind":"http","url":"{}","headers":{{"X-Try":"{{{{attempt}}}}"}}}}"#,
        receiver.url("/{{attempt}}")
    );
    let payload = r#"{"try":"{{ attempt }}","{{attempt}}":1e400,"plain":"{{{{name}}"}"#;
    let seed = |template| test_support::seed::JobSeed {
        target: target.clone(),
        payload: Some(payload.to_owned()),
        template,
        ..world.webhook_seed("")
    };
    let executor = world.start(&[]);
    let direct = seed(None).insert(world.db.store()).await;
    world.push(&[direct]).await;
    let sent = receiver.wait_for(1, SOON).await.remove(0);
    assert_eq!((&sent.body[..], sent.header("x-try")), (payload.as_bytes(), "{{attempt}}"), "left alone");

    let of_template = seed(Some(uuid::Uuid::from_u128(7))).insert(world.db.store()).await;
    world.push(&[of_template]).await;
    let sent = receiver.wait_for(2, SOON).await.remove(1);
    assert_eq!(std::str::from_utf8(&sent.body).unwrap(), r#"{"try":"1","{{attempt}}":1e400,"plain":"{{name}}"}"#);
    assert_eq!((sent.uri.path(), sent.header("x-try")), ("/1", "1"));
    executor.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_decide_what_may_be_retried() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    let executor = world.start(&[]);
    for (status, after, retryable) in
        [(503, Some("7"), true), (429, None, true), (404, None, false), (304, None, false)]
    {
        let script = Script::status(status);
        receiver.answer(vec![match after {
            Some(after) => script.header("retry-after", after),
            None => script,
        }]);
        let job = world.webhook(&receiver.url("/")).await;
        world.push(&[job]).await;
        let error = error_of(&world, job).await;
        assert!(error.starts_with(&format!("answered {status}")), "{error}");
        let row = format!(
            "SELECT count(*) FROM jobs_live WHERE id = '{job}' AND retryable = {retryable}
                AND (retry_not_before IS NOT NULL) = {}",
            after.is_some()
        );
        assert_eq!(world.number(&row).await, 1, "{status}");
    }
    executor.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_followed_without_giving_secrets_away() {
    let (world, first, second) = (World::new().await, Receiver::start().await, Receiver::start().await);
    first.answer(vec![
        Script::status(307).header("location", "/same"),
        Script::status(302).header("location", &second.url("/other")),
    ]);
    let target =
        format!(r#"{{"kind":"http","url":"{}","headers":{{"Authorization":"Bearer t","X-Own":"1"}}}}"#, first.url("/"));
    let seed = test_support::seed::JobSeed { target, ..world.webhook_seed("") };
    let job = seed.insert(world.db.store()).await;
    let executor = world.start(&[]);
    world.push(&[job]).await;
    world.until_state(job, "succeeded").await;
    let same = &first.deliveries()[1];
    assert_eq!((same.uri.path(), same.header("authorization")), ("/same", "Bearer t"));
    let other = &second.deliveries()[0];
    assert_eq!((other.method.as_str(), &other.body[..]), ("POST", &br#"{"n":1}"#[..]));
    assert_eq!((other.header("authorization"), other.header("x-own")), ("", ""));
    assert_eq!(other.header("x-job-id"), job.to_string());
    executor.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_end_somewhere() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    receiver.answer(vec![Script::status(308).header("location", "/again")]);
    let executor = world.start(&[("executor.max_redirects", "2")]);
    let job = world.webhook(&receiver.url("/")).await;
    world.push(&[job]).await;
    let error = error_of(&world, job).await;
    assert!(error.contains("executor.max_redirects = 2"), "{error}");
    assert_eq!(receiver.deliveries().len(), 3);
    executor.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn private_addresses_are_refused_by_literal_and_by_name() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    let executor = world.start(&[("executor.allow_private_addresses", "false")]);
    let port = receiver.address().port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"] {
        let job = world.webhook(&format!("http://{host}:{port}/")).await;
        world.push(&[job]).await;
        let error = error_of(&world, job).await;
        assert!(error.contains("set executor.allow_private_addresses"), "{host}: {error}");
        assert_eq!(
            world.number(&format!("SELECT count(*) FROM jobs_live WHERE id = '{job}' AND NOT retryable")).await,
            1
        );
    }
    assert!(receiver.deliveries().is_empty());
    executor.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_on_the_way_are_told_in_plain_words() {
    let world = World::new().await;
    let executor = world.start(&[]);
    let closed = Receiver::start().await.address();
    let unknown = "http://no-such-host.invalid/".to_owned();
    for (url, words) in [(format!("http://{closed}/"), "connection refused"), (unknown, "could not be resolved")] {
        let job = world.webhook(&url).await;
        world.push(&[job]).await;
        let error = error_of(&world, job).await;
        assert!(error.contains(words), "{error}");
        assert_eq!(world.number(&format!("SELECT count(*) FROM jobs_live WHERE id = '{job}' AND retryable")).await, 1);
    }
    executor.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_ends_at_its_time_limit() {
    let (world, receiver) = (World::new().await, Receiver::start().await);
    receiver.answer(vec![Script::status(200).delay(Duration::from_secs(60))]);
    let job = world.webhook(&receiver.url("/")).await;
    world.execute("UPDATE jobs_live SET timeout_ms = 200").await;
    let executor = world.start(&[]);
    world.push(&[job]).await;
    assert_eq!(error_of(&world, job).await, "timed out after 0.2 s");
    assert_eq!(world.number("SELECT count(*) FROM executions WHERE outcome = 'timed_out'").await, 1);
    executor.drain().await;
}
