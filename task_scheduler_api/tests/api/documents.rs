//! `/openapi.json`, `/docs`, the probes.

use crate::world::{Answer, World};
use reqwest::Method;
use serde_json::Value;
use std::collections::BTreeSet;

fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let each = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    });
    each.collect()
}

/// Every `$ref` in a document.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(fields) => {
            if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                found.insert(reference);
            }
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_is_served_whole() {
    let world = World::new().await;
    let served = Answer::of(world.bare(Method::GET, "/openapi.json")).await.expect(200);
    assert_eq!(served, task_scheduler_api::document());
    assert_eq!(served["openapi"], "3.1.0");
    assert_eq!(served["components"]["securitySchemes"]["api_key"]["name"], "x-api-key");
    let mut found = BTreeSet::new();
    references(&served, &mut found);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(served.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

#[test]
fn every_operation_is_documented_alike() {
    let document = task_scheduler_api::document();
    let operations = operations(&document);
    assert!(operations.len() >= 15, "{}", operations.len());
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations {
        let name = format!("{method} {path}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{name}: its operationId is not its own");
        assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{name} has no summary");
        assert!(operation["tags"][0].is_string(), "{name} has no tag");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{name}");
        for status in ["401", "403", "422", "503"] {
            let schema = &responses[status]["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(schema, "#/components/schemas/Problem", "{name} {status}");
        }
        if method == "post" && operation.get("requestBody").is_some() {
            let content = operation["requestBody"]["content"].as_object().unwrap();
            let body = content.values().next().unwrap();
            assert!(body["schema"].is_object() && body.get("example").is_some(), "{name} has no example body");
        }
    }
}

#[tokio::test]
async fn every_documented_route_is_there_and_asks_for_a_key() {
    let world = World::new().await;
    let document = task_scheduler_api::document();
    for (path, method, _) in operations(&document) {
        if !path.starts_with("/v1/") || path.contains("preview") {
            continue;
        }
        let concrete =
            path.replace("{id}", &uuid::Uuid::nil().to_string()).replace("{name}", "q").replace("{at}", "next");
        let method: Method = method.to_uppercase().parse().unwrap();
        Answer::of(world.bare(method, &concrete)).await.problem(401, "unauthorized");
    }
}

#[tokio::test]
async fn the_page_works_without_a_network() {
    let world = World::new().await;
    let page = world.bare(Method::GET, "/docs").send().await.unwrap();
    assert_eq!((page.status().as_u16(), page.url().path()), (200, "/docs/"));
    let html = page.text().await.unwrap();
    assert!(html.contains("swagger-ui"));
    assert!(!html.contains("http://") && !html.contains("https://"), "the page asks others:\n{html}");
    for part in ["swagger-ui-bundle.js", "swagger-ui.css", "swagger-initializer.js"] {
        let found = world.bare(Method::GET, &format!("/docs/{part}")).send().await.unwrap();
        assert_eq!(found.status(), 200, "{part}");
    }
}

#[tokio::test]
async fn the_probes_and_metrics_are_there() {
    let world = World::new().await;
    world.get("/v1/jobs").await.expect(200);
    Answer::of(world.bare(Method::GET, "/health/live")).await.expect(200);
    let ready = Answer::of(world.bare(Method::GET, "/health/ready")).await.expect(200);
    assert_eq!(ready["status"], "ready");
    let metrics = world.bare(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains(r#"http_requests_total{route="/v1/jobs""#), "{metrics}");
}
