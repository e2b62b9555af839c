//! `?dry_run=true`: the answer to "what would that change?".

use super::api::{Api, every};
use reqwest::Method;
use serde_json::{Value, json};
use test_support::sql;

fn daily(name: &str, expression: &str) -> Value {
    json!({
        "name": name, "schedule": {"kind": "cron", "expression": expression},
        "job": {"queue": "nightly", "target": {"kind": "noop"}},
    })
}

fn len(list: &Value) -> usize {
    list.as_array().unwrap().len()
}

#[tokio::test]
async fn a_creation_is_judged_and_not_done() {
    let api = Api::start().await;
    let seen = api.post("/v1/templates?dry_run=true", &daily("n", "0 9 * * *")).await;
    assert_eq!(seen.status, 200);
    let seen = seen.ok();
    assert_eq!(seen["dry_run"], true);
    assert_eq!(seen["definition"]["job"]["priority"], 5, "what was left out is filled in");
    assert!(seen["changes"].as_array().unwrap().iter().all(|change| change["op"] == "added"), "{}", seen["changes"]);
    assert_eq!((len(&seen["occurrences"]["added"]), len(&seen["occurrences"]["removed"])), (100, 0));
    for table in ["templates", "template_versions", "queues"] {
        assert_eq!(sql::number(api.store(), &format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
    assert_eq!(
        api.post("/v1/templates?dry_run=true", &daily("n", "0 9 * *")).await.pointers(422),
        ["/schedule/expression"]
    );
    assert_eq!(api.post("/v1/templates?dry_rum=true", &daily("n", "0 9 * * *")).await.pointers(422), ["/dry_rum"]);
    api.template(&daily("n", "0 9 * * *")).await;
    assert_eq!(api.post("/v1/templates?dry_run=true", &daily("n", "0 9 * * *")).await.code(409), "name_taken");
    assert_eq!(api.post("/v1/templates?dry_run=false", &daily("m", "0 9 * * *")).await.status, 201);
}

#[tokio::test]
async fn a_replacement_tells_what_moves_and_changes_nothing() {
    let api = Api::start().await;
    let path = api.template(&daily("n", "0 9 * * *")).await;
    let put = format!("{path}?dry_run=true");
    let same = api.put(&put, &daily("n", "0 9 * * *")).await.ok();
    assert_eq!((len(&same["changes"]), &same["occurrences"]["unchanged"]), (0, &json!(100)));

    let later = api.put(&put, &daily("n", "0 10 * * *")).await.ok();
    assert_eq!(later["changes"][0]["path"], "/schedule/expression");
    let occurrences = &later["occurrences"];
    let moved = occurrences["moved"].as_array().unwrap();
    assert!(moved.len() >= 99 && len(&occurrences["added"]) <= 1 && len(&occurrences["removed"]) <= 1, "{occurrences}");
    assert!(
        moved[0]["from"].as_str().unwrap().ends_with("T09:00:00Z")
            && moved[0]["to"].as_str().unwrap().ends_with("T10:00:00Z")
    );

    let denser =
        api.patch(&put, &json!({"schedule": {"expression": "0 */12 * * *"}, "overlap": "allow_all"})).await.ok();
    assert_eq!(len(&denser["changes"]), 2);
    let off = api.patch(&put, &json!({"active": false})).await.ok();
    assert_eq!(len(&off["occurrences"]["removed"]), 100);
    let stale = api.send(Method::PUT, &put, &[("if-match", "\"7\"")], Some(&daily("n", "0 9 * * *"))).await;
    assert_eq!(stale.code(412), "version_mismatch");
    let stays = api.get(&path).await.ok();
    assert_eq!((&stays["version"], &stays["schedule"]["expression"]), (&json!(1), &json!("0 9 * * *")));
    assert_eq!(
        api.put("/v1/templates/00000000-0000-7000-8000-000000000000?dry_run=true", &every("n", 9)).await.code(404),
        "not_found"
    );
}

#[tokio::test]
async fn calendars_and_bounds_count() {
    let api = Api::start().await;
    let weekend = json!({"name": "weekend", "definition": {"weekdays": ["SAT", "SUN"]}});
    api.post("/v1/calendars", &weekend).await.ok();
    let path = api.template(&daily("n", "0 9 * * *")).await;
    let mut body = daily("n", "0 9 * * *");
    body["schedule"]["calendars"] = json!([{"name": "weekend"}]);
    let without = api.put(&format!("{path}?dry_run=true"), &body).await.ok();
    let removed = len(&without["occurrences"]["removed"]);
    assert!((28..=30).contains(&removed), "{removed} weekend days of 100");
    body["schedule"]["calendars"] = json!([{"name": "weekends"}]);
    let unknown = api.put(&format!("{path}?dry_run=true"), &body).await;
    assert_eq!(unknown.pointers(422), ["/schedule/calendars/0"]);
    let ended = api.patch(&format!("{path}?dry_run=true"), &json!({"end_at": "2026-01-01T00:00:00Z"})).await.ok();
    assert_eq!((len(&ended["occurrences"]["removed"]), &ended["occurrences"]["unchanged"]), (100, &json!(0)));
}
