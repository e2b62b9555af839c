//! A look ahead, clock changes included.

use super::api::Api;
use serde_json::{Value, json};

fn column<'a>(preview: &'a Value, name: &str) -> Vec<&'a Value> {
    preview["occurrences"].as_array().unwrap().iter().map(|row| &row[name]).collect()
}

#[tokio::test]
async fn a_preview_goes_through_a_clock_change() {
    let api = Api::start().await;
    let body = json!({
        "schedule": {"kind": "cron", "expression": "30 2 * * *", "timezone": "America/New_York"},
        "from": "2026-03-07T00:00:00Z", "count": 3,
    });
    let preview = api.post("/v1/templates/preview", &body).await.ok();
    assert_eq!(column(&preview, "at"), ["2026-03-07T07:30:00Z", "2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"]);
    let local = ["2026-03-07T02:30:00-05:00", "2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"];
    assert_eq!(column(&preview, "local"), local);
    assert_eq!(column(&preview, "note"), [&Value::Null, &json!("dst_gap"), &Value::Null]);
    assert_eq!(preview["timezone"], "America/New_York");
    assert!(preview["description"].as_str().unwrap().contains("02:30"), "{preview}");
    let warnings = preview["warnings"].as_array().unwrap();
    assert!(warnings.iter().any(|w| w.as_str().unwrap().contains("2026-03-08")), "{warnings:?}");
    assert!(preview["timezone_database"].as_str().unwrap().starts_with("20"));
}

#[tokio::test]
async fn a_preview_looks_from_now_when_nobody_says() {
    let api = Api::start().await;
    let before = api.now().await;
    let preview =
        api.post("/v1/templates/preview", &json!({"schedule": {"kind": "interval", "every_seconds": 1}})).await.ok();
    let at = column(&preview, "at");
    assert_eq!(at.len(), 10);
    let first: chrono::DateTime<chrono::Utc> = at[0].as_str().unwrap().parse().unwrap();
    assert!(first > before && first - api.now().await < chrono::TimeDelta::seconds(2));
}

#[tokio::test]
async fn a_schedule_that_ends_shows_less_than_was_asked_for() {
    let api = Api::start().await;
    let once =
        json!({"schedule": {"kind": "once", "at": "2030-01-01T00:00:00Z"}, "from": "2026-01-01T00:00:00Z", "count": 5});
    assert_eq!(column(&api.post("/v1/templates/preview", &once).await.ok(), "at"), ["2030-01-01T00:00:00Z"]);
}

#[tokio::test]
async fn a_preview_says_what_is_wrong() {
    let api = Api::start().await;
    let refused = |body: Value| {
        let api = &api;
        async move { api.post("/v1/templates/preview", &body).await.pointers(422) }
    };
    let cron = |expression: &str| json!({"kind": "cron", "expression": expression});
    assert_eq!(refused(json!({"schedule": cron("0 0 30 2 *")})).await, ["/schedule/expression"]);
    assert_eq!(refused(json!({"schedule": cron("* * *"), "count": 0})).await, ["/schedule/expression", "/count"]);
    assert_eq!(refused(json!({"schedule": cron("* * * * *"), "count": 1001})).await, ["/count"]);
    assert_eq!(refused(json!({"schedule": cron("* * * * *"), "from": "yesterday"})).await, ["/from"]);
    assert_eq!(
        refused(json!({"schedule": {"kind": "rrule", "expression": "FREQ=DAILY"}})).await,
        ["/schedule/expression"]
    );
    assert_eq!(refused(json!({})).await, ["/schedule"]);
    assert_eq!(refused(json!({"schedule": cron("* * * * *"), "cuont": 1})).await, ["/cuont"]);
    let thousand = json!({"schedule": cron("* * * * * *"), "count": 1000});
    assert_eq!(column(&api.post("/v1/templates/preview", &thousand).await.ok(), "at").len(), 1000);
}
