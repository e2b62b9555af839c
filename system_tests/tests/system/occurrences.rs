//! Single occurrences and backfills, through all daemons.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use std::time::Duration;
use system_tests::cluster::{Cluster, PATIENCE};
use test_support::{Receiver, eventually};

fn shown(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

async fn template(cluster: &Cluster, receiver: &Receiver, name: &str, schedule: Value) -> String {
    let job = json!({ "target": { "kind": "http", "url": receiver.url("/hook") } });
    let made = cluster.post("/v1/templates", json!({ "name": name, "schedule": schedule, "job": job })).await;
    format!("/v1/templates/{}", made["id"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_occurrence_starts_at_its_new_time_and_once() {
    let (cluster, receiver) = (Cluster::start().await, Receiver::start().await);
    let now: DateTime<Utc> = cluster.database_now().await;
    // One that is planned in a moment, one that is not for an hour; they change places.
    let (soon, late) = (now + TimeDelta::seconds(8), now + TimeDelta::hours(1));
    let once = |at| json!({ "kind": "once", "at": shown(at) });
    let (first, second) = (
        template(&cluster, &receiver, "first", once(soon)).await,
        template(&cluster, &receiver, "second", once(late)).await,
    );
    let mv = |path: &str, at, to: DateTime<Utc>| {
        let path = format!("{path}/occurrences/{}/move", shown(at));
        let cluster = &cluster;
        async move { cluster.post(&path, json!({ "to": shown(to) })).await }
    };
    let to = now + TimeDelta::seconds(4);
    mv(&second, late, to).await;
    mv(&first, soon, late).await;
    let delivery = receiver.wait_for(1, PATIENCE).await.remove(0);
    let arrived = cluster.database_now().await;
    assert_eq!(delivery.header("x-scheduled-for").parse::<DateTime<Utc>>().unwrap(), late, "its name");
    assert!(arrived >= to, "{arrived} is before {to}");
    let past_both = soon + TimeDelta::seconds(2);
    eventually(PATIENCE, || async { (cluster.database_now().await > past_both).then_some(()) }).await;
    assert_eq!(receiver.deliveries().len(), 1);
    let explained = cluster.get(&format!("{first}/explain?at={}", shown(soon))).await;
    assert!(
        explained["sentence"].as_str().unwrap().contains(&format!("which starts at {}", shown(late))),
        "{explained}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_runs_its_times_in_order_and_once() {
    let (cluster, receiver) = (Cluster::start().await, Receiver::start().await);
    let hourly = json!({ "kind": "cron", "expression": "0 * * * *" });
    let path = template(&cluster, &receiver, "hourly", hourly).await;
    let day = json!({ "from": "2026-05-04T00:00:00Z", "to": "2026-05-04T23:59:59Z", "order": "newest_first" });
    let started = cluster.post(&format!("{path}/backfills"), day).await;
    let place = format!("/v1/backfills/{}", started["id"].as_str().unwrap());
    let done = eventually(Duration::from_secs(60), || async {
        let shown = cluster.get(&place).await;
        (shown["state"] == "completed").then_some(shown)
    })
    .await;
    assert_eq!((&done["progress"]["succeeded"], &done["progress"]["total"]), (&json!(24), &json!(24)));
    let times: Vec<_> = receiver.deliveries().iter().map(|it| it.header("x-scheduled-for").to_owned()).collect();
    let expected: Vec<_> = (0..24).rev().map(|hour| format!("2026-05-04T{hour:02}:00:00Z")).collect();
    assert_eq!(times, expected, "one at a time, each once, the newest first");
}
