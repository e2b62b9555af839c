//! Freeze windows: times in which nothing of a merchant's templates starts.

use crate::world::{Answer, World};
use reqwest::Method;
use serde_json::{Value, json};

fn window(name: &str, starts_at: &str, ends_at: &str) -> Value {
    json!({"name": name, "starts_at": starts_at, "ends_at": ends_at, "action": "skip"})
}

#[tokio::test]
async fn a_window_lives_from_its_creation_to_its_deletion() {
    let world = World::new().await;
    let later = window("later", "2031-05-02T00:00:00Z", "2031-05-03T00:00:00Z");
    let sooner = window("sooner/1", "2031-05-01T00:00:00Z", "2031-05-01T12:00:00Z");
    for freeze in [&later, &sooner] {
        assert_eq!(&world.post("/v1/freezes", freeze.clone()).await.expect(201), freeze);
    }
    assert_eq!(world.get("/v1/freezes").await.expect(200)["data"], json!([sooner, later]));
    // The same again changes nothing; another one of that name is refused.
    world.post("/v1/freezes", later.clone()).await.expect(201);
    let other = window("later", "2031-05-02T00:00:00Z", "2031-05-04T00:00:00Z");
    world.post("/v1/freezes", other).await.problem(409, "name_taken");
    assert_eq!(world.delete("/v1/freezes/sooner%2F1").await.status, 204);
    world.delete("/v1/freezes/sooner%2F1").await.problem(404, "not_found");
    assert_eq!(world.get("/v1/freezes").await.expect(200)["data"], json!([later]));
}

#[tokio::test]
async fn windows_of_others_are_neither_seen_nor_deleted() {
    let world = World::new().await;
    let (_, theirs) = world.stranger().await;
    world.post("/v1/freezes", window("w", "2031-05-01T00:00:00Z", "2031-05-02T00:00:00Z")).await.expect(201);
    let ask = |method, path| Answer::of(world.bare(method, path).header("x-api-key", &theirs));
    assert_eq!(ask(Method::GET, "/v1/freezes").await.expect(200)["data"], json!([]));
    ask(Method::DELETE, "/v1/freezes/w").await.problem(404, "not_found");
    assert_eq!(world.get("/v1/freezes").await.expect(200)["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn windows_that_make_no_sense_are_refused_where_they_are_wrong() {
    let world = World::new().await;
    let (start, end) = ("2031-05-01T00:00:00Z", "2031-05-02T00:00:00Z");
    world.post("/v1/freezes", window("w", end, start)).await.invalid("/ends_at");
    world.post("/v1/freezes", window("w", start, start)).await.invalid("/ends_at");
    world.post("/v1/freezes", window("w", start, "2035-01-01T00:00:00Z")).await.invalid("/ends_at");
    world.post("/v1/freezes", window("", start, end)).await.invalid("/name");
    world.post("/v1/freezes", window("w", "soon", end)).await.invalid("/starts_at");
    let mut unknown = window("w", start, end);
    unknown["action"] = json!("halt");
    world.post("/v1/freezes", unknown).await.invalid("/action");
    assert_eq!(world.get("/v1/freezes").await.expect(200)["data"], json!([]));
}
