//! API keys and scopes.

use crate::world::{Answer, SOON, World, key};
use chrono::TimeDelta;
use reqwest::Method;
use scheduler_core::domain::Scope;
use serde_json::json;
use std::time::Duration;
use test_support::{eventually, seed};

async fn with_key(world: &World, method: Method, path: &str, key: &str) -> Answer {
    Answer::of(world.bare(method, path).header("x-api-key", key).json(&json!({"target": {"kind": "noop"}}))).await
}

#[tokio::test]
async fn every_bad_key_hears_the_same_sentence() {
    let world = World::with(|settings| settings.api.key_cache = Duration::ZERO).await;
    let store = world.store();
    let past = seed::database_now(store).await - TimeDelta::seconds(1);
    let (_, expired) = store.create_api_key(world.merchant, "old", &Scope::ALL, Some(past)).await.unwrap();
    let (revoked_key, revoked) = store.create_api_key(world.merchant, "bad", &Scope::ALL, None).await.unwrap();
    store.revoke_api_key(&revoked_key.id).await.unwrap();
    let mut wrong_secret = world.api_key().to_owned();
    wrong_secret.push('x');
    let keys = ["", "nonsense", "sk_unknown_secret", &wrong_secret, &expired.reveal(), &revoked.reveal()];
    let mut details = Vec::new();
    for key in keys {
        let body = with_key(&world, Method::GET, "/v1/jobs", key).await.problem(401, "unauthorized");
        details.push(body["detail"].to_string());
    }
    let without = Answer::of(world.bare(Method::GET, "/v1/jobs")).await;
    assert_eq!(without.header("www-authenticate"), "ApiKey");
    details.push(without.problem(401, "unauthorized")["detail"].to_string());
    details.dedup();
    assert_eq!(details.len(), 1, "{details:?}");
    with_key(&world, Method::GET, "/v1/jobs", world.api_key()).await.expect(200);
}

#[tokio::test]
async fn a_missing_scope_is_named() {
    let world = World::new().await;
    let reader = key(world.store(), world.merchant, &[Scope::JobsRead]).await;
    let id = uuid::Uuid::nil();
    let forbidden = [
        (Method::POST, "/v1/jobs".to_owned(), "jobs:write"),
        (Method::POST, "/v1/jobs/batch".to_owned(), "jobs:write"),
        (Method::POST, format!("/v1/jobs/{id}/cancel"), "jobs:write"),
        (Method::DELETE, format!("/v1/dead-letters/{id}"), "jobs:write"),
        (Method::GET, "/v1/queues".to_owned(), "queues:read"),
        (Method::POST, "/v1/queues/q/pause".to_owned(), "queues:write"),
    ];
    for (method, path, scope) in forbidden {
        let body = with_key(&world, method, &path, &reader).await.problem(403, "missing_scope");
        assert!(body["detail"].as_str().unwrap().contains(scope), "{path}: {body}");
    }
    with_key(&world, Method::GET, "/v1/jobs", &reader).await.expect(200);
}

#[tokio::test]
async fn a_revoked_key_stops_working_once_the_cache_has_forgotten_it() {
    let world = World::with(|settings| settings.api.key_cache = Duration::from_millis(300)).await;
    let (stored, secret) = world.store().create_api_key(world.merchant, "k", &Scope::ALL, None).await.unwrap();
    let secret = secret.reveal();
    with_key(&world, Method::GET, "/v1/jobs", &secret).await.expect(200);
    world.store().revoke_api_key(&stored.id).await.unwrap();
    eventually(SOON, || async {
        (with_key(&world, Method::GET, "/v1/jobs", &secret).await.status == 401).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_last_use_is_written_in_batches() {
    let world = World::new().await;
    let before = seed::database_now(world.store()).await - TimeDelta::seconds(5);
    world.get("/v1/jobs").await.expect(200);
    let used = || async {
        let keys = world.store().api_keys(world.merchant).await.unwrap();
        keys[0].last_used_at.filter(|at| *at > before)
    };
    eventually(Duration::from_secs(25), used).await;
}
