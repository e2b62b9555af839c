//! `scheduler apply` and `scheduler export`.

use crate::world::World;
use serde_json::Value;
use test_support::sql;

const FILE: &str = r#"
prefix: shop/
calendars:
- name: shop/closed
  definition: {yearly: ["12-25"], dates: ["2027-04-02"]}
templates:
- name: shop/report
  schedule: {kind: cron, expression: "0 9 * * 1-5", timezone: America/New_York, calendars: [{name: shop/closed, roll: following}]}
  job:
    queue: reports
    target: {kind: http, url: "https://example.com/{{job_id}}", headers: {X-Day: "{{scheduled_for}}"}}
    payload: {text: "yes\n- no", odd: ["012", "*/5", "", null, 1.5, {}], "{{x": "{{attempt}}"}
- name: shop/tick
  schedule: {kind: interval, every_seconds: 60}
  overlap: allow_all
  job: {target: {kind: noop}, priority: 1}
"#;

const NOTHING: &str = "0 to create, 0 to change, 0 to delete, 3 unchanged";

async fn versions(world: &World) -> i64 {
    sql::number(world.database.store(), "SELECT count(*) FROM template_versions").await
}

#[tokio::test]
async fn a_file_is_made_so_once_and_an_export_says_the_same() {
    let world = World::new().await;
    let dry = world.apply(FILE, &["--dry-run", "--exit-code"]).await;
    assert_eq!((dry.code, dry.summary()), (2, "3 to create, 0 to change, 0 to delete, 0 unchanged"), "{dry:?}");
    assert!(dry.out.contains("+ template shop/report") && !dry.out.contains('\x1b'), "{}", dry.out);
    assert_eq!(versions(&world).await, 0);
    assert_eq!(world.apply(FILE, &["--dry-run"]).await.code, 0);

    world.apply(FILE, &[]).await.ok();
    assert_eq!(versions(&world).await, 2);
    let again = world.apply(FILE, &["--prune"]).await.ok();
    assert_eq!(again.summary(), NOTHING);

    let exported = world.run(&["export", "--prefix", "shop/"], "").await.ok().out;
    let same = world.apply(&exported, &["--dry-run", "--exit-code", "--prune"]).await;
    assert_eq!((same.code, same.summary()), (0, NOTHING), "{exported}{same:?}");
    assert!(
        !exported.contains("version") && !exported.contains("priority: 5"),
        "no more than it has to say: {exported}"
    );
    let everything = world.run(&["export"], "").await.ok().out;
    assert_eq!(world.apply(&everything, &[]).await.ok().summary(), NOTHING);
    assert_eq!(versions(&world).await, 2);
}

#[tokio::test]
async fn a_change_is_shown_by_its_members_and_what_it_moves() {
    let world = World::new().await;
    world.apply(FILE, &[]).await.ok();
    let changed =
        FILE.replace("0 9 * * 1-5", "0 10 * * 1-5").replace("12-25", "12-26").replace("priority: 1", "priority: 2");
    let dry = world.apply(&changed, &["--dry-run", "--exit-code", "--color", "always"]).await;
    assert_eq!((dry.code, dry.summary()), (2, "0 to create, 3 to change, 0 to delete, 0 unchanged"));
    for part in [
        "\x1b[31m    - /schedule/expression: \"0 9 * * 1-5\"",
        "\x1b[32m    + /job/priority: 2",
        "moved",
        "- /definition/yearly/0: \"12-25\"",
    ] {
        assert!(dry.out.contains(part), "{part}: {}", dry.out);
    }
    let plan = world.run(&["apply", "-f", "-", "--dry-run", "-o", "json"], &changed).await.ok();
    let plan: Value = serde_json::from_str(&plan.out).unwrap();
    assert_eq!(
        (&plan[0]["action"], &plan[1]["changes"][0]["path"]),
        (&"change".into(), &"/schedule/expression".into())
    );
    world.apply(&changed, &[]).await.ok();
    assert_eq!(world.apply(&changed, &[]).await.ok().summary(), NOTHING);
}

#[tokio::test]
async fn a_paused_template_stays_paused_unless_the_file_says_otherwise() {
    let world = World::new().await;
    world.apply(FILE, &[]).await.ok();
    let ids = world.run(&["templates", "list", "-o", "json"], "").await.ok();
    let ids: Value = serde_json::from_str(&ids.out).unwrap();
    for row in ids["data"].as_array().unwrap() {
        world.run(&["templates", "pause", row["id"].as_str().unwrap()], "").await.ok();
    }
    assert_eq!(world.apply(FILE, &[]).await.ok().summary(), NOTHING);
    let active = FILE.replace("  overlap: allow_all", "  overlap: allow_all\n  active: true");
    let dry = world.apply(&active, &["--dry-run"]).await.ok();
    assert!(dry.out.contains("+ /active: true") && dry.out.contains("1 to change"), "{}", dry.out);
    let exported = world.run(&["export"], "").await.ok().out;
    assert_eq!(exported.matches("active: false").count(), 2, "{exported}");
}

#[tokio::test]
async fn pruning_stays_within_the_prefix() {
    let world = World::new().await;
    let foreign = FILE.replace("shop/", "other/");
    world.apply(&foreign, &[]).await.ok();
    world.apply(FILE, &[]).await.ok();
    let less = "prefix: shop/\ntemplates:\n- {name: shop/tick, schedule: {kind: interval, every_seconds: 60}, overlap: allow_all, job: {target: {kind: noop}, priority: 1}}\n";
    assert_eq!(world.apply(less, &[]).await.ok().summary(), "0 to create, 0 to change, 0 to delete, 1 unchanged");
    let pruned = world.apply(less, &["--prune"]).await.ok();
    assert_eq!(pruned.summary(), "0 to create, 0 to change, 2 to delete, 1 unchanged");
    assert!(pruned.out.contains("- template shop/report") && pruned.out.contains("- calendar shop/closed"));
    assert_eq!(world.apply(&foreign, &[]).await.ok().summary(), NOTHING);
    let unowned = world.apply("templates: []\n", &["--prune"]).await;
    assert!(unowned.code == 1 && unowned.err.contains("prefix"), "{unowned:?}");
}

#[tokio::test]
async fn a_mistake_anywhere_leaves_everything_as_it_was() {
    let world = World::new().await;
    let wrong = FILE.replace("priority: 1", "priority: 11");
    for flags in [&[][..], &["--dry-run"]] {
        let ran = world.apply(&wrong, flags).await;
        assert!(ran.code == 1 && ran.err.contains("shop/tick") && ran.err.contains("/job/priority"), "{ran:?}");
    }
    let unknown = world.apply(&FILE.replace("{name: shop/closed, roll", "{name: shop/clsoed, roll"), &[]).await;
    assert!(unknown.code == 1 && unknown.err.contains("shop/clsoed"), "{unknown:?}");
    assert_eq!(versions(&world).await, 0);
    assert_eq!(sql::number(world.database.store(), "SELECT count(*) FROM calendars").await, 0);
}

#[tokio::test]
async fn templates_are_named_by_id_or_name() {
    let world = World::new().await;
    world.apply(FILE, &[]).await.ok();
    let sentence = world.run(&["templates", "explain", "shop/tick", "2040-01-01T00:00:30Z"], "").await.ok().out;
    assert!(sentence.starts_with("It is no time of the template's schedule (Every minute"), "{sentence}");
    world.apply(&FILE.replace("every_seconds: 60", "every_seconds: 90"), &[]).await.ok();
    let diff = world.run(&["templates", "diff", "shop/tick"], "").await.ok().out;
    assert!(diff.contains("- /schedule/every_seconds: 60") && diff.contains("+ /schedule/every_seconds: 90"), "{diff}");
    world.run(&["templates", "rollback", "shop/tick", "1"], "").await.ok();
    let versions = world.run(&["templates", "versions", "shop/tick", "-o", "json"], "").await.ok();
    let versions: Value = serde_json::from_str(&versions.out).unwrap();
    assert_eq!(versions["data"].as_array().unwrap().len(), 3);
    let missing = world.run(&["templates", "explain", "shop/tock", "2040-01-01T00:00:30Z"], "").await;
    assert!(missing.code == 1 && missing.err.contains("shop/tock"), "{missing:?}");
}
