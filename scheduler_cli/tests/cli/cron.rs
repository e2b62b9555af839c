//! `scheduler cron explain`: its options, without any server.

use crate::world::run_alone;
use serde_json::Value;

const FROM: &str = "2026-03-07T12:00:00Z";

async fn explained(arguments: &[&str]) -> Value {
    let all = [&["cron", "explain", "-o", "json", "--from", FROM], arguments].concat();
    serde_json::from_str(&run_alone(&all, "").await.ok().out).unwrap()
}

fn times(answer: &Value) -> Vec<&str> {
    answer["occurrences"].as_array().unwrap().iter().map(|row| row["local"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn words_times_and_clock_changes_in_a_zone() {
    let answer = explained(&["30 2 * * *", "--tz", "America/New_York", "--count", "2"]).await;
    assert_eq!(answer["description"], "At 02:30 (America/New_York)");
    assert_eq!(times(&answer), ["2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"]);
    assert_eq!(
        (&answer["occurrences"][0]["note"], &answer["occurrences"][1]["note"]),
        (&"dst_gap".into(), &Value::Null)
    );
    assert!(answer["warnings"][0].as_str().unwrap().ends_with("02:30 does not exist and runs at 03:00"), "{answer}");
    // For people: a table, and the notes below it.
    let table =
        run_alone(&["cron", "explain", "30 2 * * *", "--tz", "America/New_York", "--from", FROM], "").await.ok().out;
    assert!(table.starts_with("At 02:30 (America/New_York)\n"), "{table}");
    assert_eq!(table.lines().filter(|line| line.contains("T0")).count(), 5, "five times without --count: {table}");
    assert!(table.lines().last().unwrap().starts_with("note: on 2027-03-14 the clocks"), "{table}");
}

#[tokio::test]
async fn the_zone_is_utc_and_the_present_is_now_unless_told() {
    let answer = explained(&["0 9 * * 1-5", "--count", "1"]).await;
    assert_eq!(answer["description"], "At 09:00, Monday to Friday (UTC)");
    assert_eq!(times(&answer), ["2026-03-09T09:00:00+00:00"]);
    let now = run_alone(&["cron", "explain", "0 0 0 1 1 ? 2020", "-o", "json"], "").await.ok().out;
    let now: Value = serde_json::from_str(&now).unwrap();
    assert_eq!(now["occurrences"], Value::Array(Vec::new()));
    assert!(now["warnings"][0].as_str().unwrap().starts_with("no run is left after 20"), "{now}");
}

#[tokio::test]
async fn the_template_decides_what_h_means() {
    let of = async |id: &str| explained(&["H H * * *", "--template", id, "--count", "1"]).await;
    let (one, other) = ("0192f0c1-0000-7000-8000-000000000001", "0192f0c1-0000-7000-8000-000000000002");
    let (first, second) = (of(one).await, of(other).await);
    assert_eq!(first, of(one).await);
    assert_ne!(times(&first), times(&second));
    assert!(first["description"].as_str().unwrap().starts_with("At "), "{first}");
    let unknown = explained(&["H H * * *"]).await;
    assert!(unknown["description"].as_str().unwrap().contains("each H a fixed value that the template's id decides"));
    let refused = run_alone(&["cron", "explain", "H H * * *", "--template", "seven"], "").await;
    assert!(refused.code == 2 && refused.err.contains("--template"), "{refused:?}");
}

#[tokio::test]
async fn any_schedule_as_json() {
    let rule = r#"{"kind":"rrule","expression":"DTSTART;TZID=Europe/Berlin:20260105T090000\nRRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"}"#;
    let answer = explained(&[rule, "--count", "1"]).await;
    assert_eq!(answer["description"], "Every week, Monday to Friday, at 09:00, from 2026-01-05 09:00 (Europe/Berlin)");
    assert_eq!(times(&answer), ["2026-03-09T09:00:00+01:00"]);
    let windows = r#"{"kind":"windows","timezone":"America/New_York","windows":[{"start":"01:00","end":"04:00","every_seconds":3600}]}"#;
    let warnings = explained(&[windows]).await["warnings"].to_string();
    assert!(warnings.contains("is open for 2 hours instead of 3 hours"), "{warnings}");
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let run = async |arguments: &[&str]| run_alone(&[&["cron", "explain"], arguments].concat(), "").await;
    let table: [(&[&str], &str); 6] = [
        (&["0 0 30 2 *"], "February has no 30th: this never runs"),
        (&["0 9 * JANUARY *"], "JAN"),
        (&["0 9 * * *", "--tz", "Europe/Berln"], "did you mean \"Europe/Berlin\"?"),
        (&["{"], "this is no JSON"),
        (&[r#"{"kind":"cron","expression":"0 9 * * *","calendars":[{"name":"holidays"}]}"#], "holidays"),
        (&["0 9 * * *", "--from", "yesterday"], "--from"),
    ];
    for (arguments, expected) in table {
        let ran = run(arguments).await;
        assert!(ran.code != 0 && ran.out.is_empty() && ran.err.contains(expected), "{arguments:?}: {ran:?}");
    }
}
