//! One occurrence skipped, moved, given back over HTTP; and who wins against a claim.

use super::api::{Api, every, id_of};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use scheduler_core::domain::{JobId, SessionId, Token};
use scheduler_core::store::templates::{
    ChangeOccurrence, OccurrenceChange, OccurrenceChanged, Refusal, WhichOccurrence,
};
use scheduler_core::store::transitions::claim::{ClaimAnswer, ClaimKey};
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{sql, templates};

fn shown(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn daily() -> Value {
    json!({
        "name": "daily", "schedule": {"kind": "cron", "expression": "0 9 * * *"},
        "job": {"target": {"kind": "noop"}, "payload": {"for": "{{scheduled_for}}"}},
    })
}

async fn explain(api: &Api, path: &str, at: &str) -> (String, String) {
    let answer = api.get(&format!("{path}/explain?at={at}")).await.ok();
    let text = |member: &str| answer[member].as_str().unwrap().to_owned();
    (text("answer"), text("sentence"))
}

#[tokio::test]
async fn a_day_far_ahead_is_skipped_moved_and_given_back() {
    let api = Api::start().await;
    let path = api.template(&daily()).await;
    let (christmas, new_year) = ("2031-12-24T09:00:00Z", "2032-01-01T09:00:00Z");
    let skipped = api.act(&format!("{path}/occurrences/{christmas}/skip")).await.ok();
    assert_eq!((&skipped["at"], &skipped["outcome"]), (&json!(christmas), &json!("skipped_user")));
    let later = json!({"to": "2032-01-01T13:30:00+01:00"});
    let moved = api.post(&format!("{path}/occurrences/{new_year}/move"), &later).await.ok();
    assert_eq!((&moved["outcome"], &moved["reason"]), (&json!("dispatched"), &json!("moved")));
    assert_eq!(moved["moved_to"], "2032-01-01T12:30:00Z");
    let job = api.get(&format!("/v1/jobs/{}", moved["job_id"].as_str().unwrap())).await.ok();
    assert_eq!((&job["state"], &job["run_at"]), (&json!("scheduled"), &json!("2032-01-01T12:30:00Z")));
    assert_eq!(job["payload"], json!({"for": new_year}), "its nominal time stays its name");

    let list = api.get(&format!("{path}/occurrences?from=2031-12-23T12:00:00Z&to=2031-12-25T12:00:00Z")).await.ok();
    let rows: Vec<_> = list["data"].as_array().unwrap().iter().map(|row| row["outcome"].as_str().unwrap()).collect();
    assert_eq!(rows, ["planned", "skipped_user"]);
    let (answer, sentence) = explain(&api, &path, christmas).await;
    assert_eq!((answer.as_str(), sentence.as_str()), ("skipped_user", "It will not run: somebody skipped this one."));
    let (answer, sentence) = explain(&api, &path, new_year).await;
    assert_eq!(answer, "dispatched");
    assert!(sentence.contains("moved to 2032-01-01T12:30:00Z, which starts at 2032-01-01T12:30:00Z"), "{sentence}");

    for at in [christmas, new_year] {
        let back = api.act(&format!("{path}/occurrences/{at}/unskip")).await.ok();
        assert_eq!((&back["outcome"], &back["recorded_at"]), (&json!("planned"), &Value::Null));
        assert_eq!(explain(&api, &path, at).await.0, "planned");
    }
    assert_eq!(templates::live_jobs(api.store(), api.merchant, id_of(&path)).await.len(), 0);
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let api = Api::start().await;
    let path = api.template(&every("n", 20)).await;
    api.plan().await;
    let before = templates::live_jobs(api.store(), api.merchant, id_of(&path)).await;
    let at = shown(before[2].scheduled_for);
    let seen = api.act(&format!("{path}/occurrences/{at}/skip?dry_run=true")).await.ok();
    assert_eq!(seen["outcome"], "skipped_user");
    let to = json!({"to": "2031-01-01T00:00:00Z"});
    let seen = api.post(&format!("{path}/occurrences/next/move?dry_run=true"), &to).await.ok();
    assert_eq!(seen["moved_to"], "2031-01-01T00:00:00Z");
    assert_eq!(templates::live_jobs(api.store(), api.merchant, id_of(&path)).await, before);
    assert_eq!(sql::number(api.store(), "SELECT count(*) FROM claims").await, 0);
    // The dry run of an edit says what becomes of them.
    api.act(&format!("{path}/occurrences/{at}/skip")).await.ok();
    let edit = api.put(&format!("{path}?dry_run=true"), &every("n", 40)).await.ok();
    assert_eq!(edit["occurrences"]["lost"], json!([{"at": at, "moved_to": null}]));
    let same = api.put(&format!("{path}?dry_run=true"), &every("n", 20)).await.ok();
    assert_eq!(same["occurrences"]["kept"], json!([{"at": at, "moved_to": null}]));
    assert_eq!(same["occurrences"]["unchanged"], 100);
}

#[tokio::test]
async fn next_with_a_key_is_asked_for_once() {
    let api = Api::start().await;
    let path = api.template(&daily()).await;
    let skip = format!("{path}/occurrences/next/skip");
    let headers = [("idempotency-key", "one-skip")];
    let first = api.send(reqwest::Method::POST, &skip, &headers, None).await.ok();
    let again = api.send(reqwest::Method::POST, &skip, &headers, None).await.ok();
    assert_eq!(first, again);
    let second = api.act(&skip).await.ok();
    let at = |row: &Value| row["at"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert_eq!(at(&second) - at(&first), TimeDelta::days(1));
}

#[tokio::test]
async fn refusals_say_what_is_possible() {
    let api = Api::start().await;
    let path = api.template(&daily()).await;
    let act = |at: &'static str, verb: &'static str| {
        let (api, path) = (&api, &path);
        async move { api.act(&format!("{path}/occurrences/{at}/{verb}")).await }
    };
    let no_time = act("2031-12-24T10:00:00Z", "skip").await;
    assert_eq!(no_time.code(404), "not_nominal");
    let detail = no_time.body["detail"].as_str().unwrap();
    assert!(detail.contains("2031-12-24T09:00:00Z and 2031-12-25T09:00:00Z"), "{detail}");
    assert_eq!(act("2020-12-24T09:00:00Z", "skip").await.code(409), "already_past");
    assert_eq!(act("tomorrow", "skip").await.code(404), "not_found");
    assert_eq!(act("next", "unskip").await.code(404), "not_nominal");
    assert_eq!(act("2031-12-24T09:00:00Z", "move").await.status, 415);
    let to = |to: Value| {
        let (api, path) = (&api, &path);
        async move { api.post(&format!("{path}/occurrences/2031-12-24T09:00:00Z/move"), &to).await }
    };
    assert_eq!(to(json!({"to": "2020-01-01T00:00:00Z"})).await.pointers(422), ["/to"]);
    assert_eq!(to(json!({})).await.pointers(422), ["/to"]);
    assert_eq!(to(json!({"too": "2032-01-01T00:00:00Z"})).await.pointers(422), ["/too"]);
    api.act(&format!("{path}/pause")).await.ok();
    assert_eq!(to(json!({"to": "2032-01-01T00:00:00Z"})).await.code(409), "template_paused");
    let nobody = "/v1/templates/00000000-0000-7000-8000-000000000000/occurrences/next/skip";
    assert_eq!(api.act(nobody).await.code(404), "not_found");
}

#[tokio::test]
async fn a_claim_and_a_skip_at_the_same_time_have_one_winner() {
    let api = Api::start().await;
    let mut body = every("n", 1);
    body["overlap"] = json!("allow_all");
    let path = api.template(&body).await;
    api.plan().await;
    let session = SessionId::random();
    let claims = api.database.claims_store();
    claims.open_session(session, "test", 1, &[]).await.unwrap();
    let now = api.now().await + TimeDelta::seconds(10);
    let jobs = templates::live_jobs(api.store(), api.merchant, id_of(&path)).await;
    let (mut claimed, mut skipped) = (0, 0);
    for (round, job) in jobs.iter().filter(|job| job.run_at > now).take(40).enumerate() {
        let wish = ClaimKey { merchant: api.merchant, job: JobId(job.id), token: Token::random() };
        let change = if round % 4 < 2 {
            OccurrenceChange::Skip
        } else {
            OccurrenceChange::Move { to: job.run_at + TimeDelta::hours(1) }
        };
        let wanted = ChangeOccurrence {
            merchant: api.merchant,
            template: id_of(&path),
            which: WhichOccurrence::At(job.scheduled_for),
            change,
            now: api.now().await,
            dry_run: false,
            key: None,
        };
        // As an executor does, a moment before it is due; here the moment is a minute.
        let claim = async {
            if round % 2 == 0 {
                tokio::task::yield_now().await;
            }
            claims.claim(session, &[wish], Duration::from_secs(60)).await.unwrap()
        };
        let (answers, changed) = tokio::join!(claim, api.store().change_occurrence(&wanted));
        match (&answers[0].answer, changed.unwrap()) {
            (ClaimAnswer::Granted(_), OccurrenceChanged::Refused { why: Refusal::Started(started), .. }) => {
                assert_eq!(started.0, job.id);
                claimed += 1;
            }
            (ClaimAnswer::Gone, OccurrenceChanged::Done(_)) => skipped += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(claimed + skipped, 40);
    assert_eq!(sql::number(api.store(), "SELECT count(*) FROM claims").await, claimed);
    assert_eq!(
        sql::number(
            api.store(),
            "SELECT count(*) FROM occurrences WHERE outcome = 'skipped_user' OR moved_to IS NOT NULL"
        )
        .await,
        skipped
    );
}
