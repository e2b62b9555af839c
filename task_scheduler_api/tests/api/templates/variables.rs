//! Variables in the jobs of templates.

use super::api::{Api, every, id_of};
use serde_json::{Value, json};
use test_support::templates;

#[tokio::test]
async fn each_job_gets_its_own_times() {
    let api = Api::start().await;
    let mut body = every("n", 20);
    body["job"]["payload"] = json!({
        "when": "{{scheduled_for}}", "window": ["{{data_interval_start}}", "{{data_interval_end}}"], "next": "{{next_scheduled_for}}",
        "ids": "{{merchant_id}} {{template_id}} {{job_id}}", "later": "{{attempt}} {{{{x}}", "{{job_id}}": 1,
    });
    body["job"]["target"] =
        json!({"kind": "http", "url": "https://example.com/{{job_id}}", "headers": {"X-At": "{{scheduled_for}}"}});
    let path = api.template(&body).await;
    assert_eq!(api.get(&path).await.ok()["job"]["payload"]["when"], "{{scheduled_for}}", "the template keeps them");
    api.plan().await;
    let jobs = templates::live_jobs(api.store(), api.merchant, id_of(&path)).await;
    assert_eq!(jobs.len(), 3);
    let times: Vec<String> = jobs.iter().map(|job| json!(job.scheduled_for).as_str().unwrap().to_owned()).collect();
    for (n, job) in jobs.iter().enumerate() {
        let payload: Value = serde_json::from_str(job.payload.as_deref().unwrap()).unwrap();
        assert_eq!(payload["when"], times[n]);
        assert_eq!(payload["window"][1], times[n]);
        if n > 0 {
            assert_eq!(payload["window"][0], times[n - 1]);
            assert_eq!(
                serde_json::from_str::<Value>(jobs[n - 1].payload.as_deref().unwrap()).unwrap()["next"],
                times[n]
            );
        }
        assert_eq!(payload["ids"], format!("{} {} {}", api.merchant, id_of(&path), job.id));
        assert_eq!((&payload["later"], &payload["{{job_id}}"]), (&json!("{{attempt}} {{{{x}}"), &json!(1)));
        let shown = api.get(&format!("/v1/jobs/{}", job.id)).await.ok();
        assert_eq!(shown["target"]["url"], format!("https://example.com/{}", job.id));
        assert_eq!(shown["target"]["headers"]["X-At"], times[n]);
    }
    let triggered = api.act(&format!("{path}/trigger")).await.ok();
    assert_eq!(triggered["payload"]["when"], triggered["scheduled_for"]);
    assert_eq!(triggered["payload"]["next"], times[0]);
    assert_eq!(triggered["target"]["url"], format!("https://example.com/{}", triggered["id"].as_str().unwrap()));
}

#[tokio::test]
async fn unknown_ones_are_refused_with_what_was_meant() {
    let api = Api::start().await;
    let mut body = every("n", 20);
    body["job"]["payload"] = json!({"a": [{"b": "at {{shceduled_for}}"}]});
    body["job"]["target"] =
        json!({"kind": "http", "url": "https://example.com/{{id}}", "headers": {"X-A": "{{attempt}"}});
    let refused = api.post("/v1/templates", &body).await;
    assert_eq!(refused.pointers(422), ["/job/payload/a/0/b", "/job/target/url", "/job/target/headers/X-A"]);
    let details = refused.body["errors"].to_string();
    assert!(details.contains("{{scheduled_for}}?") && details.contains("{{job_id}}?"), "{details}");
}

#[tokio::test]
async fn a_direct_job_is_left_alone() {
    let api = Api::start().await;
    let body = json!({"target": {"kind": "noop"}, "payload": "{{scheduled_for}} {{anything}}", "delay_seconds": 60});
    assert_eq!(api.post("/v1/jobs", &body).await.ok()["payload"], body["payload"]);
}
