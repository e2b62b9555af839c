//! Changing: replace, patch, delete, pause, resume, trigger; versions and their guards.

use super::api::{Api, every, id_of};
use reqwest::Method;
use serde_json::{Value, json};
use test_support::{sql, templates};

async fn live(api: &Api, path: &str) -> Vec<templates::LiveJob> {
    templates::live_jobs(api.store(), api.merchant, id_of(path)).await
}

#[tokio::test]
async fn a_replacement_takes_the_place_of_what_is_not_due() {
    let api = Api::start().await;
    let path = api.template(&every("n", 10)).await;
    api.plan().await;
    let before = live(&api, &path).await;
    let answer = api.put(&path, &every("renamed", 20)).await;
    assert_eq!((answer.status.as_u16(), answer.header("etag")), (200, "\"2\""));
    assert_eq!((&answer.body["name"], &answer.body["version"]), (&json!("renamed"), &json!(2)));
    let now = api.now().await;
    let not_due: Vec<_> = before.iter().filter(|job| job.run_at > now).map(|job| job.id).collect();
    let after = live(&api, &path).await;
    assert!(after.iter().all(|job| !not_due.contains(&job.id)), "the old ones are gone");
    assert!(after.iter().filter(|job| job.run_at > now).count() >= 2, "the new ones are there");
    let gone = templates::finished_jobs(api.store(), api.merchant, id_of(&path)).await;
    assert!(gone.len() >= not_due.len());
    let first = &before.last().unwrap().id;
    let shown = api.get(&format!("/v1/jobs/{first}")).await.ok();
    assert_eq!((&shown["state"], &shown["reason"]), (&json!("cancelled"), &json!("template_changed")));
    api.plan().await;
    let after = live(&api, &path).await;
    assert!(after.windows(2).all(|pair| (pair[1].scheduled_for - pair[0].scheduled_for).num_seconds() >= 10));
    assert_eq!(sql::number(api.store(), "SELECT count(*) FROM claims").await, 0);
}

#[tokio::test]
async fn a_patch_changes_what_it_names() {
    let api = Api::start().await;
    let mut body = every("n", 60);
    body["job"]["priority"] = json!(2);
    body["job"]["metadata"] = json!({"a": 1});
    let path = api.template(&body).await;
    let patch =
        json!({"job": {"priority": 7, "metadata": null}, "schedule": {"every_seconds": 120}, "overlap": "allow_all"});
    let changed = api.patch(&path, &patch).await.ok();
    assert_eq!(changed["job"]["priority"], 7);
    assert_eq!(changed["job"]["metadata"], Value::Null);
    assert_eq!(changed["job"]["payload"], json!({"n": 1}));
    assert_eq!(changed["schedule"], json!({"kind": "interval", "every_seconds": 120, "anchor": "start"}));
    assert_eq!(
        (&changed["name"], &changed["overlap"], &changed["version"]),
        (&json!("n"), &json!("allow_all"), &json!(2))
    );
    // Judged as a whole, and nothing of it is written when it is not valid.
    assert_eq!(api.patch(&path, &json!({"job": {"priority": 10}, "schedule": {"kind": "cron"}})).await.status, 422);
    assert_eq!(api.patch(&path, &json!({"name": null})).await.pointers(422), ["/name"]);
    assert_eq!(api.patch(&path, &json!([1])).await.status, 422);
    assert_eq!(api.get(&path).await.ok(), changed);
}

#[tokio::test]
async fn a_patch_leaves_a_payload_digit_for_digit() {
    let api = Api::start().await;
    let payload = r#"{"big":123456789012345678901234567890,"zero":1.500}"#;
    let path = api.template(&every("n", 60)).await;
    let job = format!(r#"{{"queue":"default","priority":5,"target":{{"kind":"noop"}},"payload":{payload}}}"#);
    templates::damage(api.store(), api.merchant, id_of(&path), &job).await;
    api.patch(&path, &json!({"name": "m", "job": {"priority": 1}})).await.ok();
    let stored = format!("SELECT count(*) FROM templates WHERE name = 'm' AND position('{payload}' IN job) > 0");
    assert_eq!(sql::number(api.store(), &stored).await, 1);
}

#[tokio::test]
async fn a_patch_keeps_a_job_whose_payload_no_program_can_hold() {
    let api = Api::start().await;
    for (n, number) in [r#""n":1e400"#, r#""n":"\ud800""#].into_iter().enumerate() {
        let path = api.template(&every(&format!("n{n}"), 60)).await;
        let job = format!(
            r#"{{"queue":"mail","priority":2,"target":{{"kind":"http","url":"https://example.com/hook"}},"payload":{{{number},"s":1}}}}"#
        );
        templates::damage(api.store(), api.merchant, id_of(&path), &job).await;
        let api = &api;
        let stored = |part: String| async move {
            let query = format!("SELECT count(*) FROM templates WHERE name = 'm{n}' AND position('{part}' IN job) > 0");
            assert_eq!(sql::number(api.store(), &query).await, 1, "{part}");
        };
        assert_eq!(api.patch(&path, &json!({"name": format!("m{n}")})).await.status, 200);
        for kept in [&format!(r#"{{{number},"s":1}}"#), "example.com/hook", r#""queue":"mail""#, r#""priority":2"#] {
            stored(kept.to_owned()).await;
        }
        // Merged inside the payload, member by member; replaced as a whole; removed.
        assert_eq!(api.patch(&path, &json!({"job": {"payload": {"s": 2}}})).await.status, 200);
        stored(format!(r#"{{{number},"s":2}}"#)).await;
        assert_eq!(api.patch(&path, &json!({"job": {"payload": 7}})).await.ok()["job"]["payload"], 7);
        assert_eq!(api.patch(&path, &json!({"job": {"payload": null}})).await.ok()["job"].get("payload"), None);
    }
}

#[tokio::test]
async fn many_patches_at_once_all_count() {
    let api = Api::start().await;
    let path = api.template(&every("n", 60)).await;
    let patches: Vec<_> = (0..12).map(|n| json!({"job": {"metadata": {format!("k{n}"): n}}})).collect();
    let answers = futures::future::join_all(patches.iter().map(|patch| api.patch(&path, patch))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    let shown = api.get(&path).await.ok();
    assert_eq!(shown["job"]["metadata"].as_object().unwrap().len(), 12);
    assert_eq!(shown["version"], 13);
}

#[tokio::test]
async fn patches_at_once_all_count() {
    let api = Api::start().await;
    let path = api.template(&every("n", 60)).await;
    let patches = [json!({"name": "m"}), json!({"overlap": "allow_all"}), json!({"job": {"priority": 1}})];
    let [a, b, c] = patches.each_ref().map(|patch| api.patch(&path, patch));
    let (a, b, c) = tokio::join!(a, b, c);
    assert!([a, b, c].iter().all(|answer| answer.status == 200));
    let shown = api.get(&path).await.ok();
    assert_eq!(
        (&shown["name"], &shown["overlap"], &shown["job"]["priority"]),
        (&json!("m"), &json!("allow_all"), &json!(1))
    );
    assert_eq!(shown["version"], 4);
}

#[tokio::test]
async fn if_match_guards_every_change() {
    let api = Api::start().await;
    let path = api.template(&every("n", 60)).await;
    api.put(&path, &every("n", 90)).await.ok();
    let body = every("n", 120);
    let patch = json!({"name": "m"});
    let tries: [(Method, String, Option<&Value>); 5] = [
        (Method::PUT, path.clone(), Some(&body)),
        (Method::PATCH, path.clone(), Some(&patch)),
        (Method::POST, format!("{path}/pause"), None),
        (Method::POST, format!("{path}/resume"), None),
        (Method::DELETE, path.clone(), None),
    ];
    for (method, at, body) in &tries {
        let answer = api.send(method.clone(), at, &[("if-match", "\"1\"")], *body).await;
        assert_eq!(answer.code(412), "version_mismatch", "{method} {at}");
        assert_eq!(answer.header("etag"), "\"2\"");
    }
    assert_eq!(api.get(&path).await.ok()["version"], 2);
    for (n, (method, at, body)) in tries.iter().enumerate() {
        let current = api.get(&path).await.header("etag").to_owned();
        let answer = api.send(method.clone(), at, &[("if-match", &current)], *body).await;
        assert!(answer.status.is_success(), "{n}: {:?}", answer.body);
    }
    assert_eq!(api.get(&path).await.code(404), "not_found");
}

#[tokio::test]
async fn a_rename_onto_another_template_is_refused() {
    let api = Api::start().await;
    api.template(&every("a", 60)).await;
    let path = api.template(&every("b", 60)).await;
    assert_eq!(api.put(&path, &every("a", 60)).await.code(409), "name_taken");
    assert_eq!(api.patch(&path, &json!({"name": "a"})).await.code(409), "name_taken");
    assert_eq!(api.get(&path).await.ok()["version"], 1);
}

#[tokio::test]
async fn pause_resume_and_delete_answer_alike_when_repeated() {
    let api = Api::start().await;
    let path = api.template(&every("n", 10)).await;
    api.plan().await;
    for _ in 0..2 {
        let paused = api.act(&format!("{path}/pause")).await.ok();
        assert_eq!(
            (&paused["active"], &paused["version"], &paused["next_at"]),
            (&json!(false), &json!(2), &Value::Null)
        );
    }
    let now = api.now().await;
    assert!(live(&api, &path).await.iter().all(|job| job.run_at <= now));
    for _ in 0..2 {
        let resumed = api.act(&format!("{path}/resume")).await.ok();
        assert_eq!((&resumed["active"], &resumed["version"]), (&json!(true), &json!(3)));
    }
    assert_eq!(api.delete(&path).await.status, 204);
    for answer in
        [api.delete(&path).await, api.act(&format!("{path}/pause")).await, api.put(&path, &every("n", 9)).await]
    {
        assert_eq!(answer.code(404), "not_found");
    }
    api.template(&every("n", 10)).await;
}

#[tokio::test]
async fn a_trigger_makes_a_job_that_is_due_now() {
    let api = Api::start().await;
    let path = api.template(&every("n", 3600)).await;
    let at = format!("{path}/trigger");
    let answer = api.act(&at).await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    let job = &answer.body;
    assert_eq!(answer.header("location"), format!("/v1/jobs/{}", job["id"].as_str().unwrap()));
    assert_eq!((&job["state"], &job["template_id"]), (&json!("scheduled"), &json!(id_of(&path))));
    assert_eq!(&api.get(answer.header("location")).await.ok(), job, "what was answered is what is stored");
    let due = "SELECT count(*) FROM jobs_live WHERE run_at <= clock_timestamp() AND NOT overlap_skip";
    assert_eq!(sql::number(api.store(), due).await, 1);
    assert_eq!(api.get(&format!("{path}/occurrences")).await.ok()["data"], json!([]));

    let keyed = || api.send(Method::POST, &at, &[("idempotency-key", "t-1")], None);
    assert_eq!(keyed().await.ok()["id"], keyed().await.ok()["id"]);
    assert_eq!(sql::number(api.store(), "SELECT count(*) FROM jobs_live").await, 2);
    assert_eq!(api.post(&at, &json!({"payload": 1})).await.pointers(422), ["/payload"]);
    assert_eq!(api.post(&at, &json!({"overlap": "bufer_one"})).await.pointers(422), ["/overlap"]);
    assert_eq!(api.post(&at, &json!([])).await.pointers(422), [""]);
    assert_eq!(api.post(&at, &json!({})).await.status, 201);
    assert_eq!(api.post(&at, &json!({"overlap": "buffer_one"})).await.status, 201);
    let waiting = "SELECT count(*) FROM jobs_live WHERE overlap = 'buffer_one' AND template_limit = 1";
    assert_eq!(sql::number(api.store(), waiting).await, 1);
    assert_eq!(api.act("/v1/templates/00000000-0000-7000-8000-000000000000/trigger").await.code(404), "not_found");
}
