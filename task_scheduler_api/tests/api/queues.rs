//! Queues.

use crate::world::{World, next_hint};
use scheduler_core::queue::Hint;
use scheduler_core::queue::hints::Topic;
use serde_json::json;
use test_support::seed::JobSeed;
use test_support::sql;

#[tokio::test]
async fn queues_show_their_depth() {
    let world = World::new().await;
    let later = world.create(json!({"delay_seconds": 60})).await;
    world.create(json!({"depends_on": [later]})).await;
    let running = world.create(json!({})).await;
    world.executor().await.claim(running).await;
    let due = || JobSeed { due_in_seconds: -100.0, ..JobSeed::due(world.merchant) };
    due().insert(world.store()).await;
    JobSeed { state: "retrying", attempt: 1, ..due() }.insert(world.store()).await;
    JobSeed::failed(world.merchant, 1, true).insert(world.store()).await;
    world.create(json!({"queue": "empty", "delay_seconds": 60})).await;
    let queues = world.get("/v1/queues").await.expect(200);
    let queue = &queues["data"][0];
    assert_eq!(
        (&queue["name"], &queue["lane"], &queue["paused_at"]),
        (&json!("default"), &json!("default"), &json!(null))
    );
    let each = json!({"due": 1, "later": 1, "running": 1, "retrying": 1, "blocked": 1, "failed": 1, "at_least": false});
    assert_eq!(queue["depth"], each);
    let age = queue["oldest_due_age_seconds"].as_f64().unwrap();
    assert!((100.0..160.0).contains(&age), "{age}");
    assert_eq!(
        (&queues["data"][1]["name"], &queues["data"][1]["oldest_due_age_seconds"]),
        (&json!("empty"), &json!(null))
    );

    let first = world.get("/v1/queues?limit=1").await.expect(200);
    let next = world.get(&format!("/v1/queues?cursor={}", first["next_cursor"].as_str().unwrap())).await.expect(200);
    assert_eq!((next["data"].as_array().unwrap().len(), &next["data"][0]["name"]), (1, &json!("empty")));
}

#[tokio::test]
async fn counting_stops_where_nobody_needs_it() {
    let world = World::new().await;
    world.create(json!({"delay_seconds": 60})).await;
    let many = format!(
        "INSERT INTO jobs_live (merchant_id, id, state, run_at, scheduled_for, created_at, queue, lane, priority,
                                max_attempts, timeout_ms, target)
         SELECT '{}', gen_random_uuid(), 'scheduled', t, t, t, 'default', 'default', n % 10, 5, 30000, '{{\"kind\":\"noop\"}}'
           FROM generate_series(1, 10050) AS n, LATERAL (SELECT clock_timestamp() - interval '1 min') AS due (t)",
        world.merchant
    );
    sql::execute(world.store(), &many).await;
    let depth = world.act("/v1/queues/default/pause").await.expect(200)["depth"].clone();
    assert_eq!((&depth["due"], &depth["later"], &depth["at_least"]), (&json!(10_000), &json!(1), &json!(true)));
}

#[tokio::test]
async fn a_queue_is_paused_and_resumed() {
    let world = World::new().await;
    world.create(json!({"queue": "mail/out", "priority": 7})).await;
    let paused = world.act("/v1/queues/mail%2Fout/pause").await.expect(200);
    assert!(paused["paused_at"].is_string());
    assert_eq!(world.act("/v1/queues/mail%2Fout/pause").await.expect(200)["paused_at"], paused["paused_at"]);
    let mut hints = world.listen(&[Topic::Lane]).await;
    assert_eq!(world.act("/v1/queues/mail%2Fout/resume").await.expect(200)["paused_at"], json!(null));
    assert_eq!(next_hint(&mut hints).await, Hint::Lane("default".to_owned()));
    world.act("/v1/queues/mail%2Fout/resume").await.expect(200);
}

#[tokio::test]
async fn only_queues_that_were_used_exist() {
    let world = World::new().await;
    let (stranger, _) = world.stranger().await;
    world.store().ensure_queues(stranger, &["theirs"]).await.unwrap();
    for name in ["theirs", "none", "a%00b", "%20"] {
        for action in ["pause", "resume"] {
            world.act(&format!("/v1/queues/{name}/{action}")).await.problem(404, "not_found");
        }
    }
    assert_eq!(world.get("/v1/queues").await.expect(200)["data"], json!([]));
}

async fn change(world: &World, name: &str, body: serde_json::Value) -> crate::world::Answer {
    let request = world.request(reqwest::Method::PATCH, &format!("/v1/queues/{name}"));
    crate::world::Answer::of(request.json(&body)).await
}

#[tokio::test]
async fn a_queue_is_made_and_changed() {
    let world = World::new().await;
    let made = change(&world, "mail%2Fout", json!({"concurrency": 20, "concurrency_key_limit": 3})).await.expect(201);
    assert_eq!((&made["name"], &made["lane"], &made["warnings"]), (&json!("mail/out"), &json!("default"), &json!([])));
    assert_eq!((&made["concurrency"], &made["concurrency_key_limit"]), (&json!(20), &json!(3)));
    let changed = change(&world, "mail%2Fout", json!({"concurrency": null})).await.expect(200);
    assert_eq!((&changed["concurrency"], &changed["concurrency_key_limit"]), (&json!(null), &json!(3)));
    change(&world, "mail%2Fout", json!({})).await.expect(200);
    let shown = world.get("/v1/queues").await.expect(200);
    assert_eq!(shown["data"][0]["concurrency_key_limit"], json!(3));
}

#[tokio::test]
async fn a_lane_that_nobody_serves_is_warned_about_and_new_jobs_go_there() {
    let world = World::new().await;
    let first = world.create(json!({})).await;
    let moved = change(&world, "default", json!({"lane": "slow"})).await.expect(200);
    assert!(moved["warnings"][0].as_str().unwrap().contains("no executor serves the lane `slow`"), "{moved}");
    let second = world.create(json!({})).await;
    let lane = |job| format!("SELECT lane FROM jobs_live WHERE id = '{job}'");
    assert_eq!(test_support::sql::text(world.store(), &lane(second)).await.as_deref(), Some("slow"));
    assert_eq!(test_support::sql::text(world.store(), &lane(first)).await.as_deref(), Some("default"), "not yet");
    let session = scheduler_core::domain::SessionId::random();
    world.store().open_session(session, "test", 1, &["slow".to_owned()]).await.unwrap();
    assert_eq!(change(&world, "default", json!({"lane": "slow"})).await.expect(200)["warnings"], json!([]));
}

#[tokio::test]
async fn bad_settings_of_a_queue_are_pointed_at() {
    let world = World::new().await;
    for (body, pointer) in [
        (json!({"concurrency": 0}), "/concurrency"),
        (json!({"concurrency": 1_000_001}), "/concurrency"),
        (json!({"concurrency_key_limit": 0}), "/concurrency_key_limit"),
        (json!({"lane": ""}), "/lane"),
        (json!({"lane": "a b"}), "/lane"),
        (json!({"concurency": 1}), "/concurency"),
        (json!({"concurrency": "2"}), "/concurrency"),
    ] {
        change(&world, "default", body).await.invalid(pointer);
    }
    change(&world, "a%20b", json!({})).await.invalid("/name");
    assert_eq!(world.get("/v1/queues").await.expect(200)["data"], json!([]));
}

#[tokio::test]
async fn a_concurrency_key_is_shown_with_its_job() {
    let world = World::new().await;
    let id = world.create(json!({"concurrency_key": "customer-17"})).await;
    assert_eq!(world.get(&format!("/v1/jobs/{id}")).await.expect(200)["concurrency_key"], json!("customer-17"));
}
