//! Calendars: named days that schedules refer to.

use crate::world::{Answer, World};
use reqwest::Method;
use serde_json::{Value, json};
use test_support::sql;

/// New Year and Christmas of every year.
fn feasts() -> Value {
    json!({"name": "feasts", "definition": {"yearly": ["01-01", "12-25"]}})
}

fn using(name: &str, calendars: Value) -> Value {
    json!({
        "name": name,
        "schedule": {"kind": "cron", "expression": "0 9 * * *", "calendars": calendars},
        "job": {"target": {"kind": "noop"}},
    })
}

async fn put(world: &World, path: &str, body: Value, if_match: Option<&str>) -> Answer {
    let mut request = world.request(Method::PUT, path).json(&body);
    if let Some(tag) = if_match {
        request = request.header("if-match", tag);
    }
    Answer::of(request).await
}

async fn import(world: &World, name: &str, text: &str) -> Answer {
    let request = world.request(Method::POST, &format!("/v1/calendars/{name}/import"));
    Answer::of(request.header("content-type", "text/calendar").body(text.to_owned())).await
}

#[tokio::test]
async fn a_calendar_lives_from_its_creation_to_its_deletion() {
    let world = World::new().await;
    let created = world.post("/v1/calendars", feasts()).await;
    assert_eq!((created.header("location"), created.header("etag")), ("/v1/calendars/feasts", "\"1\""));
    let created = created.expect(201);
    assert_eq!((&created["version"], &created["templates"]), (&json!(1), &json!(0)));
    assert_eq!(created["definition"], feasts()["definition"]);
    world.post("/v1/calendars", feasts()).await.problem(409, "name_taken");

    assert_eq!(world.get("/v1/calendars/feasts").await.expect(200), created);
    let days = json!({"definition": {"dates": ["2027-03-01"]}});
    let changed = put(&world, "/v1/calendars/feasts", days.clone(), Some("\"1\"")).await;
    assert_eq!(changed.header("etag"), "\"2\"");
    assert_eq!(changed.expect(200)["definition"], days["definition"]);
    let stale = put(&world, "/v1/calendars/feasts", feasts(), Some("\"1\"")).await;
    assert_eq!(stale.header("etag"), "\"2\"");
    stale.problem(412, "version_mismatch");
    let same = put(&world, "/v1/calendars/feasts", days, None).await;
    assert_eq!(same.expect(200)["version"], 2, "the same definition again is no new version");

    assert_eq!(world.delete("/v1/calendars/feasts").await.status, 204);
    world.get("/v1/calendars/feasts").await.problem(404, "not_found");
    world.delete("/v1/calendars/feasts").await.problem(404, "not_found");
    put(&world, "/v1/calendars/feasts", feasts(), None).await.problem(404, "not_found");
}

#[tokio::test]
async fn what_is_wrong_with_a_calendar_is_pointed_at() {
    let world = World::new().await;
    for (body, pointer) in [
        (json!({"name": "a b", "definition": {}}), "/name"),
        (json!({"name": "a", "definition": {"dates": ["2026-02-30"]}}), "/definition/dates/0"),
        (json!({"name": "a", "definition": {"datse": []}}), "/definition/datse"),
        (json!({"name": "a", "definition": 5}), "/definition"),
        (json!({"name": "a"}), "/definition"),
        (json!({"name": "a", "definition": {}, "x": 1}), "/x"),
    ] {
        world.post("/v1/calendars", body).await.invalid(pointer);
    }
    world.post("/v1/calendars", feasts()).await.expect(201);
    put(&world, "/v1/calendars/feasts", json!({"name": "other", "definition": {}}), None).await.invalid("/name");
    assert_eq!(sql::number(world.store(), "SELECT count(*) FROM calendars").await, 1);
}

#[tokio::test]
async fn lists_have_pages_and_merchants_are_apart() {
    let world = World::new().await;
    for name in ["c", "a", "b"] {
        world.post("/v1/calendars", json!({"name": name, "definition": {}})).await.expect(201);
    }
    let names = |page: &Value| -> Vec<String> {
        page["data"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    let first = world.get("/v1/calendars?limit=2").await.expect(200);
    assert_eq!(names(&first), ["a", "b"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(names(&world.get(&format!("/v1/calendars?limit=2&cursor={cursor}")).await.expect(200)), ["c"]);

    let (_, key) = world.stranger().await;
    let asked = |method, path: &str| Answer::of(world.bare(method, path).header("x-api-key", &key));
    assert_eq!(names(&asked(Method::GET, "/v1/calendars").await.expect(200)), Vec::<String>::new());
    asked(Method::GET, "/v1/calendars/a").await.problem(404, "not_found");
    asked(Method::DELETE, "/v1/calendars/a").await.problem(404, "not_found");
}

#[tokio::test]
async fn a_file_of_events_becomes_a_calendar() {
    let world = World::new().await;
    let ics = |day: &str| {
        format!(
            "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:{day}\r\nSUMMARY:Closed\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
    };
    let created = import(&world, "closed", &ics("20261224")).await;
    assert_eq!(created.header("location"), "/v1/calendars/closed");
    assert_eq!(created.expect(201)["definition"], json!({"dates": ["2026-12-24"]}));
    let again = import(&world, "closed", &ics("20271224")).await.expect(200);
    assert_eq!((&again["version"], &again["definition"]), (&json!(2), &json!({"dates": ["2027-12-24"]})));
    let refused = import(&world, "closed", &ics("2027122")).await.problem(422, "validation_failed");
    assert!(refused["detail"].as_str().unwrap().contains("line 3"), "{refused}");
    import(&world, "a b", &ics("20261224")).await.problem(422, "validation_failed");
}

#[tokio::test]
async fn a_preview_leaves_out_what_calendars_leave_out_and_shows_it_on_request() {
    let world = World::new().await;
    world.post("/v1/calendars", feasts()).await.expect(201);
    let schedule = using("t", json!([{"name": "feasts"}]))["schedule"].clone();
    let mut request = json!({"schedule": schedule, "from": "2026-12-24T10:00:00Z", "count": 2});
    let at = |preview: &Value| -> Vec<String> {
        let rows = preview["occurrences"].as_array().unwrap();
        rows.iter().map(|row| row["at"].as_str().unwrap().to_owned()).collect()
    };
    let preview = world.post("/v1/templates/preview", request.clone()).await.expect(200);
    assert_eq!(at(&preview), ["2026-12-26T09:00:00Z", "2026-12-27T09:00:00Z"]);
    request["include_suppressed"] = json!(true);
    request["second_timezone"] = json!("Asia/Kolkata");
    let preview = world.post("/v1/templates/preview", request.clone()).await.expect(200);
    assert_eq!(at(&preview), ["2026-12-25T09:00:00Z", "2026-12-26T09:00:00Z"]);
    assert_eq!(preview["occurrences"][0]["suppressed"], "calendar");
    assert_eq!(preview["occurrences"][0]["second_local"], "2026-12-25T14:30:00+05:30");
    request["second_timezone"] = json!("Asia/Kolkatta");
    let help = world.post("/v1/templates/preview", request.clone()).await.invalid("/second_timezone");
    assert!(help.contains("Asia/Kolkata"), "{help}");
    request["second_timezone"] = Value::Null;

    request["schedule"]["calendars"] = json!([{"name": "feasts", "roll": "following"}]);
    let rolled = world.post("/v1/templates/preview", request.clone()).await.expect(200);
    assert_eq!(rolled["occurrences"][0]["at"], "2026-12-26T09:00:00Z");

    request["schedule"]["calendars"] = json!([{"name": "feats"}]);
    let help = world.post("/v1/templates/preview", request).await.invalid("/schedule/calendars/0");
    assert!(help.contains("feasts"), "{help}");
}

#[tokio::test]
async fn a_preview_ends_also_where_calendars_leave_nothing() {
    let world = World::new().await;
    world.post("/v1/calendars", json!({"name": "once", "definition": {"dates": ["2060-01-01"]}})).await.expect(201);
    let schedule = json!({"kind": "cron", "expression": "* * * * * *", "calendars": [{"name": "once", "use": "only"}]});
    let preview = world.post("/v1/templates/preview", json!({"schedule": schedule})).await.expect(200);
    assert_eq!(preview["occurrences"], json!([]));
    let warnings = preview["warnings"].to_string();
    assert!(warnings.contains("later ones were not looked at"), "{warnings}");
}
