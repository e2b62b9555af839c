//! Versions: every change keeps one, and each can be compared with another and come back.

use super::api::{Api, every};
use reqwest::Method;
use serde_json::{Value, json};

fn numbers(page: &Value) -> Vec<i64> {
    page["data"].as_array().unwrap().iter().map(|row| row["version"].as_i64().unwrap()).collect()
}

/// A template with three versions: created, another schedule and payload, paused.
async fn three_versions(api: &Api) -> String {
    let path = api.template(&every("n", 60)).await;
    let mut body = every("n", 90);
    body["job"]["payload"] = json!({"n": 2, "new/one": []});
    api.put(&path, &body).await.ok();
    api.act(&format!("{path}/pause")).await.ok();
    path
}

#[tokio::test]
async fn each_change_is_a_version() {
    let api = Api::start().await;
    let path = three_versions(&api).await;
    let page = api.get(&format!("{path}/versions?limit=2")).await.ok();
    assert_eq!(numbers(&page), [3, 2]);
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = api.get(&format!("{path}/versions?limit=2&cursor={cursor}")).await.ok();
    assert_eq!((numbers(&rest), &rest["next_cursor"]), (vec![1], &Value::Null));
    assert_eq!((&page["data"][0]["active"], &rest["data"][0]["active"]), (&json!(false), &json!(true)));

    let first = api.get(&format!("{path}/versions/1")).await;
    assert_eq!(first.header("etag"), "\"1\"");
    let first = first.ok();
    assert_eq!((&first["schedule"]["every_seconds"], &first["job"]["payload"]), (&json!(60), &json!({"n": 1})));
    assert_eq!(first, rest["data"][0]);
    for missing in ["0", "4", "99999999999", "x"] {
        assert_eq!(api.get(&format!("{path}/versions/{missing}")).await.code(404), "not_found");
    }
    let nobody = "/v1/templates/00000000-0000-7000-8000-000000000000";
    for path in ["versions", "versions/1", "diff"] {
        assert_eq!(api.get(&format!("{nobody}/{path}")).await.code(404), "not_found");
    }
}

#[tokio::test]
async fn versions_are_compared_by_pointers() {
    let api = Api::start().await;
    let path = three_versions(&api).await;
    let changes = |answer: Value| -> Vec<(String, String, Value, Value)> {
        let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
        let rows = answer["changes"].as_array().unwrap().clone();
        rows.iter().map(|row| (text(row, "op"), text(row, "path"), row["from"].clone(), row["to"].clone())).collect()
    };
    let shown = |op: &str, path: &str, from: Value, to: Value| (op.to_owned(), path.to_owned(), from, to);
    let last = api.get(&format!("{path}/diff")).await.ok();
    assert_eq!((&last["from"], &last["to"]), (&json!(2), &json!(3)), "the last change by default");
    assert_eq!(changes(last), [shown("changed", "/active", json!(true), json!(false))]);
    assert_eq!(
        changes(api.get(&format!("{path}/diff?from=1&to=2")).await.ok()),
        [
            shown("changed", "/job/payload/n", json!(1), json!(2)),
            shown("added", "/job/payload/new~1one", Value::Null, json!([])),
            shown("changed", "/schedule/every_seconds", json!(60), json!(90)),
        ]
    );
    let back = changes(api.get(&format!("{path}/diff?from=2&to=1")).await.ok());
    assert_eq!(back[1], shown("removed", "/job/payload/new~1one", json!([]), Value::Null));
    assert_eq!(changes(api.get(&format!("{path}/diff?from=2&to=2")).await.ok()), []);
    assert_eq!(api.get(&format!("{path}/diff?from=7")).await.code(404), "not_found");
    assert_eq!(api.get(&format!("{path}/diff?form=1")).await.pointers(422), ["/form"]);
}

#[tokio::test]
async fn a_rollback_is_a_new_version_and_does_not_resume() {
    let api = Api::start().await;
    let path = three_versions(&api).await;
    let rollback = format!("{path}/rollback");
    let back = api.post(&rollback, &json!({"version": 1})).await;
    assert_eq!(back.header("etag"), "\"4\"");
    let back = back.ok();
    assert_eq!((&back["version"], &back["active"]), (&json!(4), &json!(false)));
    assert_eq!(back["schedule"]["every_seconds"], 60);
    let again = api.post(&rollback, &json!({"version": 1})).await.ok();
    assert_eq!(again["version"], 4, "nothing is different");
    assert_eq!(api.post(&rollback, &json!({"version": 9})).await.code(404), "not_found");
    assert_eq!(api.post(&rollback, &json!({})).await.pointers(422), ["/version"]);

    let body = json!({"version": 2});
    let stale = api.send(Method::POST, &rollback, &[("if-match", "\"3\"")], Some(&body)).await;
    assert_eq!((stale.code(412), stale.header("etag")), ("version_mismatch", "\"4\""));
    let fresh = api.send(Method::POST, &rollback, &[("if-match", "\"4\"")], Some(&body)).await;
    assert_eq!(fresh.ok()["version"], 5);
}

#[tokio::test]
async fn a_rollback_is_judged_by_what_holds_today() {
    let api = Api::start().await;
    let calendar = json!({"name": "days", "definition": {"yearly": ["12-25"]}});
    api.post("/v1/calendars", &calendar).await.ok();
    let mut body = every("n", 60);
    body["schedule"]["calendars"] = json!([{"name": "days"}]);
    let path = api.template(&body).await;
    api.put(&path, &every("m", 60)).await.ok();
    api.delete("/v1/calendars/days").await.ok();
    api.template(&every("n", 60)).await;
    let back = json!({"version": 1});
    assert_eq!(api.post(&format!("{path}/rollback"), &back).await.pointers(422), ["/schedule/calendars/0"]);
    api.post("/v1/calendars", &calendar).await.ok();
    assert_eq!(api.post(&format!("{path}/rollback"), &back).await.code(409), "name_taken");
}
