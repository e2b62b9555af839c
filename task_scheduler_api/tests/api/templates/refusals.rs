//! What is refused at creation, with a pointer and a sentence.

use super::api::{Api, every};
use serde_json::{Value, json};
use test_support::sql;

/// A valid body with one field changed.
fn with(pointer: &str, value: Value) -> Value {
    let mut body = every("n", 60);
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let object = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    object.insert(name.to_owned(), value);
    body
}

#[tokio::test]
async fn each_mistake_is_pointed_at() {
    let api = Api::start().await;
    let cases = [
        (with("/name", json!("")), "/name"),
        (with("/name", json!(5)), "/name"),
        (with("/schedule", json!({"kind": "cron", "expression": "61 * * * *"})), "/schedule/expression"),
        (
            with("/schedule", json!({"kind": "cron", "expression": "* * * * *", "timezone": "Mars/Base"})),
            "/schedule/timezone",
        ),
        (with("/schedule", json!("daily")), "/schedule"),
        (with("/schedule/every_seconds", json!(0)), "/schedule/every_seconds"),
        (with("/job/run_at", json!("2030-01-01T00:00:00Z")), "/job/run_at"),
        (with("/job/delay_seconds", json!(1)), "/job/delay_seconds"),
        (with("/job/dedupe_key", json!("k")), "/job/dedupe_key"),
        (with("/job/target", json!({"kind": "grpc"})), "/job/target/kind"),
        (with("/job/target", json!({"kind": "http", "url": "nowhere"})), "/job/target/url"),
        (with("/job/priority", json!(10)), "/job/priority"),
        (with("/job/payload", json!("x".repeat((1 << 20) + 1))), "/job/payload"),
        (with("/nmae", json!("x")), "/nmae"),
        (with("/jitter_seconds", json!(-1)), "/jitter_seconds"),
        (with("/jitter_seconds", json!("5")), "/jitter_seconds"),
        (with("/catchup_policy", json!("some")), "/catchup_policy"),
        (with("/catchup_max_runs", json!(0)), "/catchup_max_runs"),
        (with("/max_concurrent", json!(1_001)), "/max_concurrent"),
        (with("/start_at", json!("tomorrow")), "/start_at"),
        (with("/max_runs", json!(1.5)), "/max_runs"),
        (with("/job/payload", json!("a\u{0}b")), "/job/payload"),
    ];
    for (body, pointer) in cases {
        assert_eq!(api.post("/v1/templates", &body).await.pointers(422), [pointer]);
    }
    assert_eq!(sql::number(api.store(), "SELECT count(*) FROM templates").await, 0);
}

#[tokio::test]
async fn what_belongs_into_the_schedule_is_named_as_such() {
    let api = Api::start().await;
    let cases = [(with("/calendars", json!(["holidays"])), "/calendars")];
    for (body, pointer) in cases {
        let answer = api.post("/v1/templates", &body).await;
        assert_eq!(answer.pointers(422), [pointer]);
        let detail = answer.body["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains("belongs into `schedule`"), "{pointer}: {detail}");
    }
    let unknown = api.post("/v1/templates", &with("/overlap", json!("skpi"))).await;
    assert_eq!(unknown.pointers(422), ["/overlap"]);
    assert!(unknown.body["detail"].as_str().unwrap().contains("did you mean `skip`"), "{:?}", unknown.body);
}

#[tokio::test]
async fn several_mistakes_are_told_together() {
    let api = Api::start().await;
    let mut body = with("/name", json!("a b"));
    body["schedule"] = json!({"kind": "cron", "expression": "* * * *", "timezone": "Mars/Base"});
    body["job"]["priority"] = json!(-1);
    let mut pointers = api.post("/v1/templates", &body).await.pointers(422);
    pointers.sort();
    assert_eq!(pointers, ["/job/priority", "/name", "/schedule/expression", "/schedule/timezone"]);
}

#[tokio::test]
async fn ids_that_are_none_are_not_found() {
    let api = Api::start().await;
    assert_eq!(api.get("/v1/templates/nonsense").await.code(404), "not_found");
    assert_eq!(api.get("/v1/templates/preview").await.code(405), "method_not_allowed");
}
