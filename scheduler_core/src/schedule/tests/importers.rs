//! Importers: what each system means, in our form, and what is said where they differ.

use super::super::import::{Import, crontab, kubernetes, quartz, systemd};
use super::*;

/// The schedules of an import, shortened: expressions of cron, everything of other kinds.
fn schedules(import: &Import) -> Vec<String> {
    let shown = |schedule: &Value| match schedule["kind"].as_str() {
        Some("cron") => {
            format!("{} ({})", schedule["expression"].as_str().unwrap(), schedule["timezone"].as_str().unwrap())
        }
        _ => schedule.to_string(),
    };
    import.templates.iter().map(|it| shown(&it.template["schedule"])).collect()
}

fn problems(import: &Import) -> Vec<String> {
    import.problems.iter().map(|it| format!("{}: {}", it.place, it.detail)).collect()
}

#[test]
fn crontabs() {
    let text = "# comment\nMAILTO=root\n\n*/5 * * * *  /usr/bin/backup --all\n@daily env X=1 rotate\n\
        CRON_TZ=Asia/Tokyo\n0 9 * * 1-5 echo 100% done\n@reboot start\n61 * * * * x\n0~30 4 * * * /usr/bin/backup\n* * * *\n";
    let import = crontab(text, "Europe/Berlin", false);
    assert_eq!(
        schedules(&import),
        [
            "*/5 * * * * (Europe/Berlin)",
            "@daily (Europe/Berlin)",
            "0 9 * * 1-5 (Asia/Tokyo)",
            "H(0-30) 4 * * * (Asia/Tokyo)"
        ]
    );
    let first = &import.templates[0];
    assert_eq!((first.place.as_str(), &first.template["name"]), ("line 4", &json!("backup")));
    assert_eq!(first.template["job"]["payload"], json!({"command": "/usr/bin/backup --all"}));
    assert_eq!(first.template["overlap"], json!("allow_all"), "cron starts whatever still runs");
    assert_eq!(import.templates[3].template["name"], json!("backup-2"));
    assert!(import.templates[2].warnings[0].contains("`%` in the command"));
    assert!(import.templates[3].warnings[0].contains("fixed for the template"));
    let problems = problems(&import);
    assert!(problems[0].starts_with("line 8: @reboot names no time"), "{problems:?}");
    assert!(problems[1].starts_with("line 9: field 1 (minute), character 1: \"61\" is out of range"), "{problems:?}");
    assert!(problems[2].starts_with("line 11: found fewer than 5 fields"), "{problems:?}");
    let system = crontab("17 * * * * root run-parts /etc/cron.hourly\n", "UTC", true);
    assert_eq!(
        system.templates[0].template["job"]["payload"],
        json!({"command": "run-parts /etc/cron.hourly", "user": "root"})
    );
}

#[test]
fn kubernetes_cron_jobs() {
    let job = |name: &str, spec: Value| json!({"kind": "CronJob", "metadata": {"name": name}, "spec": spec});
    let documents = [
        job(
            "a",
            json!({"schedule": "30 2 * * *", "timeZone": "America/New_York", "concurrencyPolicy": "Forbid", "suspend": true}),
        ),
        json!({"kind": "Service"}),
        json!({"kind": "List", "items": [
            job("b", json!({"schedule": "*/5 * * * *", "startingDeadlineSeconds": 60})),
            job("c", json!({"schedule": "CRON_TZ=Asia/Tokyo 0 0 */2 * 1", "concurrencyPolicy": "Replace"})),
            job("d", json!({"schedule": "@every 1h30m"})),
            job("e", json!({"schedule": "0 0 31 2 *"})),
            job("f", json!({})),
        ]}),
    ];
    let import = kubernetes(&documents);
    assert_eq!(
        schedules(&import),
        ["30 2 * * * (America/New_York)", "*/5 * * * * (UTC)", "0 0 */2 * 1 (Asia/Tokyo)", "@every 1h30m (UTC)"]
    );
    let of = |index: usize| &import.templates[index];
    assert_eq!(
        (&of(0).template["schedule"]["dst_gap"], &of(0).template["schedule"]["dst_fold"]),
        (&json!("skip"), &json!("both"))
    );
    assert_eq!((&of(0).template["overlap"], &of(0).template["active"]), (&json!("skip"), &json!(false)));
    assert_eq!((&of(1).template["overlap"], &of(2).template["overlap"]), (&json!("allow_all"), &json!("cancel_other")));
    assert_eq!(of(1).template["catchup_window_seconds"], json!(60));
    assert!(of(0).warnings[0].starts_with("like Kubernetes, it leaves out times"));
    assert!(of(1).warnings[0].contains("spec.timeZone is not set"));
    assert!(of(2).warnings[0].contains("days that match either, here both must"));
    assert_eq!(
        problems(&import),
        [
            "document 3, item 4 (e): February has no 31st: this never runs",
            "document 3, item 5 (f): spec.schedule is missing"
        ]
    );
    assert!(problems(&kubernetes(&[json!({"kind": "Pod"})]))[0].contains("no document of kind CronJob"));
}

#[test]
fn quartz_expressions() {
    let text = "0 0 12 ? * MON-FRI\nnightly report = 0 15 10 ? * 6L\n0 0 12 ? * 2-6\n0 0 12 ? * 6#3\n0 0 12 ? * 2/2\n0 0 12 ? * L\n\
        0 0 12 L * ?\n0 0 12 L-3W * ?\n0 0 12 * *\n0 0 12 ? * 8\n";
    let import = quartz(text, "UTC");
    assert_eq!(
        schedules(&import),
        [
            "0 0 12 ? * MON-FRI (UTC)",
            "0 15 10 ? * 5L (UTC)",
            "0 0 12 ? * 1-5 (UTC)",
            "0 0 12 ? * 5#3 (UTC)",
            "0 0 12 ? * 1-6/2 (UTC)",
            "0 0 12 ? * SAT (UTC)",
            "0 0 12 L * ? (UTC)"
        ]
    );
    assert_eq!(import.templates[1].template["name"], json!("nightly-report"));
    let problems = problems(&import);
    assert!(problems[0].starts_with("line 8: \"L-3W\""), "{problems:?}");
    assert!(problems[1].starts_with("line 9: found 5 fields; Quartz has 6"), "{problems:?}");
    assert!(problems[2].contains("\"8\" is no weekday of Quartz"), "{problems:?}");
    let zoned = quartz("0 30 1 * * ?", "America/New_York");
    assert_eq!(zoned.templates[0].template["schedule"]["dst_fold"], json!("last"));
}

#[test]
fn systemd_calendar_expressions() {
    let table = [
        ("daily", "0 0 * * *"),
        ("weekly", "0 0 * * MON"),
        ("quarterly", "0 0 1 1,4,7,10 *"),
        ("Mon..Fri 08:30", "30 8 * * MON-FRI"),
        ("Sat,Sunday *-*-* 10:00:00", "0 10 * * SAT,SUN"),
        ("*:0/15", "0/15 * * * *"),
        ("*-*-01/2 00:00", "0 0 1/2 * *"),
        ("*-*~01 23:00", "0 23 L * *"),
        ("*-02~03 00:00", "0 0 L-2 2 *"),
        ("*-*~03/1 00:00", "0 0 L-2,L-1,L * *"),
        ("2026..2028-12-24 18:00:30", "30 0 18 24 12 * 2026-2028"),
        ("12-24", "0 0 24 12 *"),
        ("*-*-* 08..18:00,30", "0,30 8-18 * * *"),
    ];
    for (expression, expected) in table {
        let import = systemd(expression, "timer", "UTC");
        assert_eq!(schedules(&import), [format!("{expected} (UTC)")], "{expression}: {:?}", import.problems);
    }
    // Weekday and date have to match both.
    let friday_13 = systemd("Fri *-*-13 12:00 Europe/Berlin", "timer", "UTC");
    let schedule = parsed(friday_13.templates[0].template["schedule"].clone());
    assert_eq!(utc(&schedule, "2026-01-01T00:00:00Z", 2), ["2026-02-13T11:00:00", "2026-03-13T11:00:00"]);
    for (expression, expected) in [
        ("*-*-* 12:00:00.5", "fractions of a second"),
        ("Frey 12:00", "\"Frey\" is not a weekday"),
        ("12:00:00:00", "is not a time such as 08:30"),
        ("1x-*-* 12:00", "\"1x\" is not a number"),
    ] {
        let problems = problems(&systemd(expression, "timer", "UTC"));
        assert!(problems[0].contains(expected), "{expression}: {problems:?}");
    }
}

#[test]
fn systemd_units() {
    let unit = "[Unit]\nDescription=Backup\n[Timer]\nOnCalendar=Mon 09:00\nOnCalendar=Fri 17:00\nPersistent=true\n\
        RandomizedDelaySec=1h 30min\nOnBootSec=5min\n[Install]\nWantedBy=timers.target\n";
    let import = systemd(unit, "backup", "Europe/Berlin");
    let template = &import.templates[0].template;
    assert_eq!(template["name"], json!("backup"));
    assert_eq!(template["schedule"]["kind"], json!("union"));
    assert_eq!((&template["jitter_seconds"], &template["catchup_policy"]), (&json!(5_400), &json!("latest")));
    assert!(problems(&import)[0].starts_with("line 8: OnBootSec counts from an event"));
    let schedule = parsed(template["schedule"].clone());
    assert_eq!(utc(&schedule, "2026-01-01T00:00:00Z", 2), ["2026-01-02T16:00:00", "2026-01-05T08:00:00"]);
    let single = systemd("[Timer]\nOnCalendar=*-*-* 02:30:00\n", "night", "Europe/Berlin");
    assert_eq!(single.templates[0].template["schedule"]["dst_gap"], json!("skip"));
    assert!(single.templates[0].warnings[0].starts_with("like systemd"));
}
