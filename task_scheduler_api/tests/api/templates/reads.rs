//! Lists, the ledger, and who may see what.

use super::api::{Api, every, id_of, key_of};
use scheduler_core::domain::Scope;
use serde_json::{Value, json};
use test_support::{seed, templates};

fn names(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_list_has_pages_and_filters() {
    let api = Api::start().await;
    let mut paths = Vec::new();
    for n in 0..5 {
        paths.push(api.template(&every(&format!("n{n}"), 60)).await);
    }
    api.act(&format!("{}/pause", paths[1])).await.ok();
    api.delete(&paths[3]).await;
    let first = api.get("/v1/templates?limit=3").await.ok();
    assert_eq!(names(&first), ["n4", "n2", "n1"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = api.get(&format!("/v1/templates?limit=3&cursor={cursor}")).await.ok();
    assert_eq!((names(&second), &second["next_cursor"]), (vec!["n0"], &Value::Null));
    assert_eq!(names(&api.get("/v1/templates?active=false").await.ok()), ["n1"]);
    assert_eq!(names(&api.get("/v1/templates?name=n2").await.ok()), ["n2"]);
    assert_eq!(names(&api.get("/v1/templates?name=n3").await.ok()), Vec::<&str>::new());
    assert_eq!(api.get("/v1/templates?actve=true").await.pointers(422), ["/actve"]);
    assert_eq!(api.get("/v1/templates?cursor=x").await.pointers(422), ["/cursor"]);
}

#[tokio::test]
async fn the_ledger_has_pages_and_bounds() {
    let api = Api::start().await;
    let path = api.template(&every("n", 10)).await;
    api.plan().await;
    let at = format!("{path}/occurrences");
    let all = api.get(&at).await.ok()["data"].clone();
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), 6);
    assert!(all.windows(2).all(|pair| pair[0]["at"].as_str() > pair[1]["at"].as_str()), "latest first");
    assert!(all.iter().all(|row| row["outcome"] == "dispatched" && row["version"] == 1));
    let jobs = templates::live_jobs(api.store(), api.merchant, id_of(&path)).await;
    assert_eq!(all[5]["job_id"], json!(jobs[0].id));

    let page = api.get(&format!("{at}?limit=4")).await.ok();
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = api.get(&format!("{at}?limit=4&cursor={cursor}")).await.ok();
    assert_eq!((page["data"].as_array().unwrap().len(), rest["data"].as_array().unwrap().len()), (4, 2));
    assert_eq!(rest["data"][1], all[5]);
    let (from, to) = (all[4]["at"].as_str().unwrap(), all[2]["at"].as_str().unwrap());
    let bounded = api.get(&format!("{at}?from={from}&to={to}")).await.ok();
    assert_eq!(bounded["data"].as_array().unwrap().as_slice(), &all[2..=4], "both bounds are inclusive");
    let none = api.get("/v1/templates/00000000-0000-7000-8000-000000000000/occurrences").await;
    assert_eq!(none.code(404), "not_found");
}

#[tokio::test]
async fn another_merchant_sees_and_changes_nothing() {
    let api = Api::start().await;
    let path = api.template(&every("n", 10)).await;
    api.plan().await;
    let other = seed::merchant(api.store(), "other").await;
    let key = key_of(api.store(), other, &Scope::ALL).await;
    let api = api.with_key(key);
    assert_eq!(names(&api.get("/v1/templates").await.ok()), Vec::<&str>::new());
    for answer in [
        api.get(&path).await,
        api.get(&format!("{path}/occurrences")).await,
        api.put(&path, &every("n", 5)).await,
        api.patch(&path, &json!({"name": "m"})).await,
        api.act(&format!("{path}/pause")).await,
        api.act(&format!("{path}/trigger")).await,
        api.delete(&path).await,
    ] {
        assert_eq!(answer.code(404), "not_found");
    }
}

#[tokio::test]
async fn reading_and_writing_are_scopes_of_their_own() {
    let api = Api::start().await;
    let path = api.template(&every("n", 60)).await;
    let key = key_of(api.store(), api.merchant, &[Scope::TemplatesRead]).await;
    let api = api.with_key(key);
    api.get(&path).await.ok();
    let preview = json!({"schedule": {"kind": "interval", "every_seconds": 5}});
    api.post("/v1/templates/preview", &preview).await.ok();
    assert_eq!(api.post("/v1/templates", &every("m", 60)).await.code(403), "missing_scope");
    assert_eq!(api.act(&format!("{path}/trigger")).await.code(403), "missing_scope");
}
