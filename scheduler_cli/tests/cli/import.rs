//! `scheduler import`: its options, and that `apply` takes what it prints.

use crate::world::{Ran, World, run_alone};
use serde_json::{Value, json};

const CRONTAB: &str = "# the night\n30 2 * * * /usr/bin/backup --all\nCRON_TZ=Asia/Tokyo\n0 9 * * 1-5 report\n";

async fn import(arguments: &[&str], input: &str) -> Ran {
    run_alone(&[&["import"], arguments].concat(), input).await
}

fn schedules(ran: &Ran) -> Vec<Value> {
    let file: Value = serde_json::from_str(&ran.out).unwrap();
    file["templates"].as_array().unwrap().iter().map(|template| template["schedule"].clone()).collect()
}

fn cron(expression: &str, timezone: &str) -> Value {
    json!({"kind": "cron", "expression": expression, "timezone": timezone})
}

#[tokio::test]
async fn a_crontab_has_the_zone_of_its_machine() {
    let ran = import(&["crontab", "-"], CRONTAB).await.ok();
    assert_eq!(schedules(&ran), [cron("30 2 * * *", "UTC"), cron("0 9 * * 1-5", "Asia/Tokyo")]);
    assert!(ran.err.contains("give each its target"), "{}", ran.err);
    let ran = import(&["crontab", "-", "--tz", "Europe/Berlin"], CRONTAB).await.ok();
    assert_eq!(schedules(&ran)[0], cron("30 2 * * *", "Europe/Berlin"));
    let system = "17 * * * * root run-parts /etc/cron.hourly\n";
    let ran = import(&["crontab", "-", "--with-user"], system).await.ok();
    let file: Value = serde_json::from_str(&ran.out).unwrap();
    let payload = &file["templates"][0]["job"]["payload"];
    assert_eq!(payload, &json!({"command": "run-parts /etc/cron.hourly", "user": "root"}));
}

#[tokio::test]
async fn what_cannot_be_taken_over_fails_and_the_rest_is_printed() {
    let ran = import(&["crontab", "-"], "@reboot start\n0 9 * * * report\n").await;
    assert_eq!((ran.code, schedules(&ran)), (1, vec![cron("0 9 * * *", "UTC")]), "{ran:?}");
    assert!(ran.err.contains("line 1: not taken over: @reboot names no time"), "{}", ran.err);
    assert!(ran.err.contains("1 of 2 entries could not be taken over"), "{}", ran.err);
    let wrong_zone = import(&["quartz", "-", "--tz", "Europe/Berln"], "0 0 12 ? * MON-FRI\n").await;
    assert!(wrong_zone.code == 1 && wrong_zone.err.contains("Europe/Berln"), "{wrong_zone:?}");
    let missing = import(&["crontab", "/nowhere/at/all"], "").await;
    assert!(missing.code == 1 && missing.out.is_empty() && missing.err.contains("/nowhere/at/all"), "{missing:?}");
}

#[tokio::test]
async fn documents_expressions_and_units() {
    let document = "kind: CronJob\nmetadata: {name: a}\nspec: {schedule: '30 2 * * *', timeZone: America/New_York}\n---\nkind: Service\n";
    let kubernetes = schedules(&import(&["kubernetes", "-"], document).await.ok());
    assert_eq!((kubernetes.len(), &kubernetes[0]["dst_gap"]), (1, &json!("skip")));
    let no_yaml = import(&["kubernetes", "-"], "a: [").await;
    assert!(no_yaml.code == 1 && no_yaml.err.contains("this is no YAML"), "{no_yaml:?}");

    let quartz = import(&["quartz", "-", "--tz", "Asia/Tokyo"], "noon = 0 0 12 ? * MON-FRI\n").await.ok();
    let file: Value = serde_json::from_str(&quartz.out).unwrap();
    assert_eq!(
        (&file["templates"][0]["name"], &file["templates"][0]["schedule"]["timezone"]),
        (&json!("noon"), &json!("Asia/Tokyo"))
    );

    // The file's name is that of the timer.
    let folder = std::env::temp_dir().join(format!("scheduler-import-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let unit = folder.join("cleanup.timer");
    std::fs::write(&unit, "[Timer]\nOnCalendar=daily\n").unwrap();
    let systemd = import(&["systemd", unit.to_str().unwrap(), "--tz", "Europe/Berlin"], "").await;
    std::fs::remove_dir_all(&folder).unwrap();
    let file: Value = serde_json::from_str(&systemd.ok().out).unwrap();
    assert_eq!(
        (&file["templates"][0]["name"], &file["templates"][0]["schedule"]["timezone"]),
        (&json!("cleanup"), &json!("Europe/Berlin"))
    );
}

#[tokio::test]
async fn what_is_printed_can_be_applied() {
    let world = World::new().await;
    let printed = import(&["crontab", "-"], CRONTAB).await.ok().out;
    let applied = world.apply(&printed, &[]).await.ok();
    assert_eq!(applied.summary(), "2 to create, 0 to change, 0 to delete, 0 unchanged");
    assert_eq!(world.apply(&printed, &[]).await.ok().summary(), "0 to create, 0 to change, 0 to delete, 2 unchanged");
}
