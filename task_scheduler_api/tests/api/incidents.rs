//! Incidents.

use crate::world::{Answer, World};
use reqwest::Method;
use serde_json::json;
use test_support::sql;

async fn raise(world: &World, key: &str) {
    let insert = format!(
        "INSERT INTO alert_outbox (id, merchant_id, kind, opens, dedupe_key, body)
         VALUES (gen_random_uuid(), '{}', 'job.dead', true, '{key}', '{{\"data\": {{}}}}')",
        world.merchant
    );
    sql::execute(world.store(), &insert).await;
}

#[tokio::test]
async fn incidents_are_listed_acknowledged_and_resolved() {
    let world = World::new().await;
    for key in ["first", "second", "second"] {
        raise(&world, key).await;
    }
    let page = world.get("/v1/incidents?limit=1").await.expect(200);
    assert_eq!((&page["data"][0]["key"], &page["data"][0]["alerts"]), (&json!("second"), &json!(2)));
    let next = world.get(&format!("/v1/incidents?cursor={}", page["next_cursor"].as_str().unwrap())).await.expect(200);
    assert_eq!((&next["data"][0]["key"], next["data"].as_array().unwrap().len()), (&json!("first"), 1));
    let path = format!("/v1/incidents/{}", page["data"][0]["id"].as_str().unwrap());
    assert_eq!(world.get(&path).await.expect(200)["state"], json!("open"));

    let taken = world.post(&format!("{path}/acknowledge"), json!({"by": "kim"})).await.expect(200);
    assert_eq!((&taken["state"], &taken["acknowledged_by"]), (&json!("acknowledged"), &json!("kim")));
    assert_eq!(world.act(&format!("{path}/acknowledge")).await.expect(200), taken, "the first one counts");
    let over = world.act(&format!("{path}/resolve")).await.expect(200);
    assert_eq!((&over["state"], &over["resolution"]), (&json!("resolved"), &json!("resolved")));
    assert_eq!(world.act(&format!("{path}/resolve")).await.expect(200), over);
    let open = world.get("/v1/incidents?open=true").await.expect(200);
    assert_eq!((&open["data"][0]["key"], open["data"].as_array().unwrap().len()), (&json!("first"), 1));
}

#[tokio::test]
async fn other_merchants_incidents_do_not_exist_and_bad_names_are_refused() {
    let world = World::new().await;
    raise(&world, "k").await;
    let id = world.get("/v1/incidents").await.expect(200)["data"][0]["id"].as_str().unwrap().to_owned();
    let (_, key) = world.stranger().await;
    for action in ["acknowledge", "resolve"] {
        let request = world.bare(Method::POST, &format!("/v1/incidents/{id}/{action}")).header("x-api-key", &key);
        Answer::of(request).await.problem(404, "not_found");
    }
    let long = json!({"by": "x".repeat(201)});
    world.post(&format!("/v1/incidents/{id}/acknowledge"), long).await.invalid("/by");
    world.get("/v1/incidents/nonsense").await.problem(404, "not_found");
}
