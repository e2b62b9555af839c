//! Creating: what is stored, repeated, announced.

use super::api::{Api, every, id_of};
use reqwest::Method;
use scheduler_core::queue::hints::Topic;
use scheduler_core::queue::{Hint, HintReceiver};
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{sql, templates};

#[tokio::test]
async fn a_template_is_stored_shown_and_versioned() {
    let api = Api::start().await;
    let body = json!({
        "name": "report",
        "schedule": {"kind": "cron", "expression": "0 9 * * 1-5", "timezone": "America/New_York"},
        "job": {"queue": "reports", "target": {"kind": "http", "url": "https://example.com/hook"}, "max_attempts": 3},
    });
    let answer = api.post("/v1/templates", &body).await;
    assert_eq!((answer.status.as_u16(), answer.header("etag")), (201, "\"1\""));
    let made = &answer.body;
    assert_eq!(answer.header("location"), format!("/v1/templates/{}", made["id"].as_str().unwrap()));
    assert_eq!((&made["active"], &made["overlap"], &made["version"]), (&json!(true), &json!("skip"), &json!(1)));
    assert_eq!(made["schedule"], body["schedule"]);
    assert_eq!(made["job"]["target"]["url"], "https://example.com/hook");
    assert!(made["next_at"].is_string());

    let shown = api.get(answer.header("location")).await;
    assert_eq!((&shown.body, shown.header("etag")), (made, "\"1\""));
    assert_eq!(sql::number(api.store(), "SELECT count(*) FROM template_versions WHERE version = 1").await, 1);
    assert_eq!(sql::number(api.store(), "SELECT count(*) FROM queues WHERE name = 'reports'").await, 1);
}

#[tokio::test]
async fn a_name_is_taken_once_per_merchant() {
    let api = Api::start().await;
    api.template(&every("n", 60)).await;
    assert_eq!(api.post("/v1/templates", &every("n", 90)).await.code(409), "name_taken");
    let other = test_support::seed::merchant(api.store(), "other").await;
    let key = super::api::key_of(api.store(), other, &scheduler_core::domain::Scope::ALL).await;
    let api = api.with_key(key);
    api.template(&every("n", 60)).await;
}

#[tokio::test]
async fn an_idempotency_key_makes_one_template() {
    let api = Api::start().await;
    let keyed = |body: Value| {
        let api = &api;
        async move { api.send(Method::POST, "/v1/templates", &[("idempotency-key", "k-1")], Some(&body)).await }
    };
    // A refusal leaves the key free.
    api.template(&every("taken", 60)).await;
    assert_eq!(keyed(every("taken", 60)).await.code(409), "name_taken");
    let first = keyed(every("n", 60)).await;
    let again = keyed(every("n", 60)).await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201));
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &first.body));
    assert_eq!(keyed(every("m", 60)).await.code(422), "idempotency_key_reused");
    assert_eq!(sql::number(api.store(), "SELECT count(*) FROM templates").await, 2);
}

#[tokio::test]
async fn equal_creates_at_once_make_one_template() {
    let api = Api::start().await;
    let body = every("n", 60);
    let headers = [("idempotency-key", "k-1")];
    let one = || api.send(Method::POST, "/v1/templates", &headers, Some(&body));
    let (a, b, c, d) = tokio::join!(one(), one(), one(), one());
    for answer in [&b, &c, &d] {
        assert_eq!((answer.status.as_u16(), &answer.body["id"]), (201, &a.body["id"]));
    }
    assert_eq!(sql::number(api.store(), "SELECT count(*) FROM templates").await, 1);
}

#[tokio::test]
async fn managers_hear_of_a_new_template() {
    let api = Api::start().await;
    let redis = api.redis.redis().await;
    let mut hints = HintReceiver::subscribe(&redis, &[Topic::Template]).await.unwrap();
    let limit = Duration::from_secs(30);
    let mut n = 0;
    // Subscriptions come to be in their own time; until then a hint is lost.
    let heard = tokio::time::timeout(limit, async {
        loop {
            n += 1;
            api.template(&every(&format!("n{n}"), 60)).await;
            if let Ok(hint) = tokio::time::timeout(Duration::from_millis(200), hints.next()).await {
                break hint;
            }
        }
    });
    assert_eq!(heard.await.unwrap(), Hint::Template);
}

#[tokio::test]
async fn an_inactive_template_waits_to_be_resumed() {
    let api = Api::start().await;
    let mut body = every("n", 20);
    body["active"] = json!(false);
    let path = api.template(&body).await;
    api.plan().await;
    assert_eq!(api.get(&path).await.ok()["next_at"], Value::Null);
    assert_eq!(templates::live_jobs(api.store(), api.merchant, id_of(&path)).await, vec![]);
    assert!(api.act(&format!("{path}/resume")).await.ok()["next_at"].is_string());
    api.plan().await;
    assert_eq!(templates::live_jobs(api.store(), api.merchant, id_of(&path)).await.len(), 3);
}
