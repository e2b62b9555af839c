//! Why a template did or did not run, and what is planned.

use super::api::{Api, every, id_of};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use test_support::{sql, templates};

async fn explain(api: &Api, path: &str, at: DateTime<Utc>) -> Value {
    let at = at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    api.get(&format!("{path}/explain?at={at}")).await.ok()
}

fn sentence(explanation: &Value) -> &str {
    explanation["sentence"].as_str().unwrap()
}

/// A template that fires at nine each day, in New York, but at the weekend.
async fn office(api: &Api) -> String {
    let weekend = json!({"name": "weekend", "definition": {"weekdays": ["SAT", "SUN"]}});
    api.post("/v1/calendars", &weekend).await.ok();
    let body = json!({
        "name": "office", "job": {"target": {"kind": "noop"}},
        "schedule": {"kind": "cron", "expression": "0 9 * * *", "timezone": "America/New_York", "calendars": [{"name": "weekend"}]},
    });
    api.template(&body).await
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_job_is_explained_by_what_became_of_it() {
    let api = Api::start().await;
    let path = api.template(&every("n", 20)).await;
    api.plan().await;
    let job = templates::live_jobs(api.store(), api.merchant, id_of(&path)).await.remove(0);
    let waiting = explain(&api, &path, job.scheduled_for).await;
    assert_eq!((waiting["answer"].as_str(), waiting["job"]["state"].as_str()), (Some("dispatched"), Some("scheduled")));
    assert!(sentence(&waiting).contains("which starts at"), "{waiting}");
    assert_eq!((&waiting["nominal_at"], &waiting["version"]), (&json!(job.scheduled_for), &json!(1)));

    // The times of an interval that counts from a creation have fractions; people write whole seconds.
    let whole = time(&job.scheduled_for.to_rfc3339_opts(SecondsFormat::Secs, true));
    assert_eq!(explain(&api, &path, whole).await["nominal_at"], json!(job.scheduled_for));

    api.act(&format!("/v1/jobs/{}/cancel", job.id)).await.ok();
    let cancelled = explain(&api, &path, job.scheduled_for).await;
    assert!(sentence(&cancelled).contains("was cancelled"), "{cancelled}");
    sql::execute(api.store(), "DELETE FROM jobs_finished").await;
    let forgotten = explain(&api, &path, job.scheduled_for).await;
    assert!(sentence(&forgotten).contains("not kept any longer") && forgotten["job"].is_null(), "{forgotten}");
}

#[tokio::test]
async fn times_without_a_record_are_explained_by_the_schedule() {
    let api = Api::start().await;
    let path = office(&api).await;
    // A Friday and the Saturday after it, years ahead.
    let planned = explain(&api, &path, time("2031-05-09T13:00:00Z")).await;
    assert_eq!(planned["answer"], "planned");
    assert!(sentence(&planned).contains("Fri 09:00:00 in America/New_York"), "{planned}");
    let left_out = explain(&api, &path, time("2031-05-10T13:00:00Z")).await;
    assert_eq!(left_out["answer"], "suppressed");
    assert!(sentence(&left_out).contains("weekend"), "{left_out}");
    let between = explain(&api, &path, time("2031-05-10T14:30:00Z")).await;
    assert_eq!(between["answer"], "not_nominal");
    let nearest = json!({"before": "2031-05-09T13:00:00Z", "after": "2031-05-12T13:00:00Z"});
    assert_eq!(between["nearest"], nearest, "what runs");
    let mut rolling = api.get(&path).await.ok()["schedule"].clone();
    rolling["calendars"][0]["roll"] = json!("following");
    rolling["expression"] = json!("0 9 * * 6");
    let saturdays = json!({"name": "rolling", "schedule": rolling, "job": {"target": {"kind": "noop"}}});
    let saturdays = api.template(&saturdays).await;
    let moved = explain(&api, &saturdays, time("2031-05-10T13:00:00Z")).await;
    assert!(sentence(&moved).contains("move this time to 2031-05-12T13:00:00Z"), "{moved}");
    let before = explain(&api, &path, time("2020-05-05T13:00:00Z")).await;
    assert_eq!(before["answer"], "not_created_yet");

    api.patch(&path, &json!({"end_at": "2031-01-01T00:00:00Z"})).await.ok();
    let after_the_end = explain(&api, &path, time("2031-05-09T13:00:00Z")).await;
    assert_eq!(after_the_end["answer"], "out_of_bounds");
    assert!(sentence(&after_the_end).contains("`end_at` is 2031-01-01"), "{after_the_end}");
    api.patch(&path, &json!({"end_at": null, "active": false})).await.ok();
    let paused = explain(&api, &path, time("2031-05-09T13:00:00Z")).await;
    assert_eq!(paused["answer"], "paused");
}

#[tokio::test]
async fn an_edit_is_told_from_the_version_in_force() {
    let api = Api::start().await;
    let path = api.template(&json!({
        "name": "n", "schedule": {"kind": "once", "at": "2031-01-01T00:00:00Z"}, "job": {"target": {"kind": "noop"}},
    })).await;
    let created = api.now().await;
    // As if the template had been there for a day.
    sql::execute(api.store(), "UPDATE template_versions SET created_at = created_at - interval '1 day'").await;
    api.put(&path, &every("n", 1)).await.ok();
    let missed = explain(&api, &path, created - TimeDelta::hours(1)).await;
    assert_eq!((missed["answer"].as_str(), missed["version"].as_i64()), (Some("not_nominal"), Some(1)));
    assert!(sentence(&missed).contains("by version 1") && sentence(&missed).contains("Once"), "{missed}");
}

#[tokio::test]
async fn a_list_that_reaches_ahead_shows_what_is_planned() {
    let api = Api::start().await;
    let path = office(&api).await;
    let page = api.get(&format!("{path}/occurrences?from=2031-05-08T00:00:00Z&to=2031-05-13T00:00:00Z")).await.ok();
    let rows: Vec<(&str, &str)> = page["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["at"].as_str().unwrap(), row["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(
        rows,
        [
            ("2031-05-12T13:00:00Z", "planned"),
            ("2031-05-11T13:00:00Z", "skipped_calendar"),
            ("2031-05-10T13:00:00Z", "skipped_calendar"),
            ("2031-05-09T13:00:00Z", "planned"),
            ("2031-05-08T13:00:00Z", "planned"),
        ]
    );
    assert!(page["data"][0]["recorded_at"].is_null() && page["next_cursor"].is_null());
    let first = api.get(&format!("{path}/occurrences?to=2031-05-13T00:00:00Z&limit=2")).await.ok();
    assert_eq!(first["data"][0]["at"], "2031-05-12T13:00:00Z");
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = api.get(&format!("{path}/occurrences?to=2031-05-13T00:00:00Z&limit=1&cursor={cursor}")).await.ok();
    assert_eq!(second["data"][0]["at"], "2031-05-10T13:00:00Z");
    assert_eq!(
        api.get(&format!("{path}/occurrences")).await.ok()["data"],
        json!([]),
        "without `to` only what is recorded"
    );
    assert_eq!(api.get(&format!("{path}/explain")).await.pointers(422), ["/at"]);
}
