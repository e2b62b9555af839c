//! What no client should send: always 4xx with a sentence, never 500.

use crate::world::{Answer, World, job};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn what_is_no_json_is_400() {
    let world = World::new().await;
    let bodies: [&[u8]; 9] = [
        b"",
        b"   ",
        b"{",
        b"{\"target\": {\"kind\": \"noop\"}} trailing",
        b"\xff\xfe",
        b"{\"target\": {\"kind\": \"no\0op\"}}",
        b"{'target': 1}",
        b"{\"target\": {\"kind\": \"noop\"}, \"metadata\": {\"n\": 1e999}}",
        b"{\"target\": {\"kind\": \"noop\"}, \"metadata\": {\"a\": \"\\ud800\"}}",
    ];
    for body in bodies {
        for path in ["/v1/jobs", "/v1/jobs/batch", "/v1/dead-letters/redrive"] {
            let answer = world.post_raw(path, body.to_vec()).await;
            let shown = String::from_utf8_lossy(body);
            assert!([400, 422].contains(&answer.status.as_u16()), "{shown}: {answer:?}");
        }
    }
    let problem = world.post_raw("/v1/jobs", "{\n \"a\": nope}").await.problem(400, "malformed_json");
    assert!(problem["detail"].as_str().unwrap().contains("line 2"), "{problem}");
}

#[tokio::test]
async fn wrong_types_are_422_everywhere() {
    let world = World::new().await;
    for body in [
        json!(null),
        json!([]),
        json!("job"),
        json!(7),
        json!({"target": null}),
        json!({"target": []}),
        json!({"target": {"kind": 1}}),
    ] {
        world.post("/v1/jobs", body.clone()).await.problem(422, "validation_failed");
        world.post("/v1/jobs/batch", json!({"jobs": [body]})).await.problem(422, "validation_failed");
    }
    world.post("/v1/jobs", job(json!({"max_attempts": 1e30}))).await.invalid("/max_attempts");
    world.post("/v1/jobs", job(json!({"delay_seconds": -1e308}))).await.invalid("/delay_seconds");
}

#[tokio::test]
async fn arrays_do_not_stand_for_objects() {
    let world = World::new().await;
    let noop = json!({"kind": "noop"});
    for (path, body, pointer) in [
        ("/v1/jobs", json!(["default", 5]), ""),
        ("/v1/jobs", json!({"target": ["noop"]}), "/target"),
        ("/v1/jobs", json!({"target": noop, "backoff": ["fixed"]}), "/backoff"),
        ("/v1/jobs/batch", json!([[]]), ""),
        ("/v1/jobs/batch", json!({"jobs": [job(json!({})), []]}), "/jobs/1"),
        ("/v1/jobs/batch", json!({"jobs": [{"target": ["noop"]}]}), "/jobs/0/target"),
        ("/v1/dead-letters/purge", json!(["default"]), ""),
        ("/v1/dead-letters/redrive", json!([]), ""),
        ("/v1/templates", json!(["n"]), ""),
        ("/v1/templates", json!({"name": "n", "schedule": {}, "job": ["default"]}), "/job"),
        ("/v1/templates", json!({"name": "n", "schedule": [], "job": {"target": noop}}), "/schedule"),
        ("/v1/templates", json!({"name": "n", "schedule": {}, "job": {"target": noop}, "overlap": 5}), "/overlap"),
        ("/v1/templates/preview", json!([{"kind": "cron"}]), ""),
        ("/v1/templates/preview", json!({"schedule": []}), "/schedule"),
    ] {
        let detail = world.post(path, body.clone()).await.invalid(pointer);
        assert!(detail.contains("object") || pointer == "/overlap", "{body}: {detail}");
    }
}

#[tokio::test]
async fn times_no_calendar_holds_are_refused_where_they_stand() {
    let world = World::new().await;
    let unknown = "/v1/templates/00000000-0000-7000-8000-000000000000/occurrences";
    let lists = [
        ("/v1/jobs", ["created_after", "created_before", "run_after", "run_before"].as_slice()),
        ("/v1/dead-letters", &["after", "before"]),
        (unknown, &["from", "to"]),
    ];
    let schedule = json!({"kind": "interval", "every_seconds": 60});
    for far in ["-262143-01-01T00:00:00Z", "+262142-12-31T23:59:59Z", "1969-12-31T23:59:59Z", "9999-01-01T00:00:00Z"] {
        for (path, parameters) in lists {
            for parameter in parameters {
                let at = far.replace('+', "%2B");
                world.get(&format!("{path}?{parameter}={at}")).await.invalid(&format!("/{parameter}"));
            }
        }
        for path in ["/v1/dead-letters/redrive", "/v1/dead-letters/purge"] {
            world.post(path, json!({"after": far})).await.invalid("/after");
            world.post(path, json!({"before": far})).await.invalid("/before");
        }
        let detail =
            world.post("/v1/templates/preview", json!({"schedule": schedule, "from": far})).await.invalid("/from");
        assert_eq!(detail, "the year must be from 1970 to 9998");
    }
    for edge in ["1970-01-01T00:00:00Z", "9998-12-31T23:59:59Z"] {
        for parameter in ["created_after", "created_before", "run_after", "run_before"] {
            world.get(&format!("/v1/jobs?{parameter}={edge}")).await.expect(200);
        }
        for schedule in [&schedule, &json!({"kind": "cron", "expression": "0 9 * * *"})] {
            let request = json!({"schedule": schedule, "from": edge, "count": 1000});
            world.post("/v1/templates/preview", request).await.expect(200);
        }
    }
}

#[tokio::test]
async fn a_cursor_of_another_list_is_refused() {
    let world = World::new().await;
    for _ in 0..2 {
        world.create(json!({})).await;
    }
    let page = world.get("/v1/jobs?limit=1").await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    world.get(&format!("/v1/jobs?cursor={cursor}")).await.expect(200);
    for path in ["/v1/dead-letters", "/v1/templates", "/v1/queues"] {
        world.get(&format!("{path}?cursor={cursor}")).await.invalid("/cursor");
    }
}

#[tokio::test]
async fn the_character_nul_is_refused_where_it_stands() {
    let world = World::new().await;
    let cases = [
        (json!({"payload": {"a": ["\u{0}"]}}), "/payload/a/0"),
        (json!({"metadata": {"a": "\u{0}"}}), "/metadata/a"),
        (json!({"external_id": "\u{0}"}), "/external_id"),
        (json!({"queue": "\u{0}"}), "/queue"),
        (json!({"target": {"kind": "http", "url": "http://a/\u{0}"}}), "/target/url"),
    ];
    for (fields, pointer) in cases {
        world.post("/v1/jobs", job(fields)).await.invalid(pointer);
    }
}

#[tokio::test]
async fn nesting_bombs_are_400() {
    let world = World::new().await;
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let bomb = format!(
            "{{\"target\":{{\"kind\":\"noop\"}},\"payload\":{}1{}}}",
            open.repeat(100_000),
            close.repeat(100_000)
        );
        let problem = world.post_raw("/v1/jobs", bomb).await.problem(400, "malformed_json");
        assert!(problem["detail"].as_str().unwrap().contains("nests deeper"));
    }
    world.post_raw("/v1/jobs", "[".repeat(100_000)).await.problem(400, "malformed_json");
}

#[tokio::test]
async fn bodies_that_are_too_large_are_413_and_the_client_hears_it() {
    let world = World::new().await;
    let large = format!("{{\"target\":{{\"kind\":\"noop\"}},\"payload\":\"{}\"}}", "x".repeat(10 << 20));
    world.post_raw("/v1/jobs", large.clone()).await.problem(413, "body_too_large");
    // Without a length the limit is found on the way.
    let chunks = futures::stream::iter(
        large.into_bytes().chunks(65_536).map(|c| Ok::<_, std::io::Error>(c.to_vec())).collect::<Vec<_>>(),
    );
    world.post_raw("/v1/jobs", reqwest::Body::wrap_stream(chunks)).await.problem(413, "body_too_large");
    // A batch may be larger.
    let jobs: Vec<_> = (0..4).map(|_| job(json!({"payload": "x".repeat(900 << 10)}))).collect();
    world.post("/v1/jobs/batch", json!({ "jobs": jobs })).await.expect(201);
}

#[tokio::test]
async fn bodies_must_be_declared_as_json() {
    let world = World::new().await;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/xml"] {
        let request = world.request(Method::POST, "/v1/jobs").header("content-type", kind).body("{}");
        Answer::of(request).await.problem(415, "unsupported_media_type");
    }
    Answer::of(world.request(Method::POST, "/v1/jobs").body("{}")).await.problem(415, "unsupported_media_type");
    let request = world.request(Method::POST, "/v1/jobs").header("content-type", "application/json; charset=utf-8");
    Answer::of(request.body(job(json!({})).to_string())).await.expect(201);
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there() {
    let world = World::new().await;
    world.get("/v2/jobs").await.problem(404, "not_found");
    world.get("/v1/jobs/a/b/c").await.problem(404, "not_found");
    let answer = world.delete("/v1/jobs").await;
    assert!(answer.header("allow").contains("POST"), "{answer:?}");
    let problem = answer.problem(405, "method_not_allowed");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("GET") && detail.contains("POST"), "{detail}");
}

#[tokio::test]
async fn request_ids_are_echoed_when_they_are_sane() {
    let world = World::new().await;
    let ask = |id: &str| Answer::of(world.request(Method::GET, "/v1/nowhere").header("x-request-id", id));
    assert_eq!(ask("abc-123").await.problem(404, "not_found")["request_id"], "abc-123");
    for bad in ["", "a b", &"x".repeat(129), "<script>"] {
        let answer = ask(bad).await;
        assert!(uuid::Uuid::try_parse(answer.header("x-request-id")).is_ok(), "{answer:?}");
    }
}
