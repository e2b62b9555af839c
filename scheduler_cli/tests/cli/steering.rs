//! Steering templates: `scheduler templates skip|unskip|move`, `scheduler freezes`, `scheduler backfills`.

use crate::world::World;
use serde_json::Value;

impl World {
    /// Runs the command and reads its answer.
    async fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[arguments, &["-o", "json"]].concat(), "").await.ok();
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.out))
    }
}

#[tokio::test]
async fn one_occurrence_is_skipped_moved_and_given_back() {
    let world = World::new().await;
    world.json(&["templates", "create", "--name", "daily", "--cron", "0 9 * * *"]).await;
    let day = "2031-12-24T09:00:00Z";
    let dry = world.json(&["templates", "skip", "daily", "--at", day, "--dry-run"]).await;
    assert_eq!(dry["outcome"], "skipped_user");
    let back = world.json(&["templates", "unskip", "daily", "--at", day]).await;
    assert_eq!(back["outcome"], "planned", "the dry run was one");
    world.json(&["templates", "skip", "daily", "--at", day]).await;
    let moved = world.json(&["templates", "move", "daily", "--next", "--to", "2032-02-01T00:00:00Z"]).await;
    assert_eq!(moved["moved_to"], "2032-02-01T00:00:00Z");
    let back = world.json(&["templates", "unskip", "daily", "--next"]).await;
    assert_eq!(back["at"], moved["at"]);
    assert_eq!(world.json(&["templates", "unskip", "daily", "--next"]).await["at"], day);
    // One of the two has to be said, and not both.
    for wrong in [&["templates", "skip", "daily"][..], &["templates", "skip", "daily", "--next", "--at", day]] {
        assert_eq!(world.run(wrong, "").await.code, 2);
    }
    let none = world.run(&["templates", "skip", "daily", "--at", "2031-12-24T09:30:00Z"], "").await;
    assert!(none.code == 1 && none.err.contains("the nearest are 2031-12-24T09:00:00Z"), "{}", none.err);
}

#[tokio::test]
async fn a_freeze_window_comes_and_goes() {
    let world = World::new().await;
    let times = ["--from", "2031-05-01T00:00:00Z", "--to", "2031-05-02T00:00:00Z"];
    let made = world.json(&[&["freezes", "create", "release/1"][..], &times].concat()).await;
    assert_eq!((made["action"].as_str(), made["name"].as_str()), (Some("hold"), Some("release/1")));
    assert_eq!(world.json(&["freezes", "list"]).await["data"].as_array().unwrap().len(), 1);
    world.run(&["freezes", "delete", "release/1"], "").await.ok();
    assert!(world.run(&["freezes", "list"], "").await.ok().out.contains("none"));
}

#[tokio::test]
async fn a_backfill_is_foreseen_started_and_steered() {
    let world = World::new().await;
    world.json(&["templates", "create", "--name", "daily", "--cron", "0 9 * * *"]).await;
    let week = ["--from", "2026-05-04T00:00:00Z", "--to", "2026-05-10T23:59:59Z"];
    let dry = world.json(&[&["backfills", "start", "daily", "--dry-run"][..], &week].concat()).await;
    assert_eq!((dry["total"].as_i64(), dry["last"].as_str()), (Some(7), Some("2026-05-10T09:00:00Z")));
    let flags = ["--newest-first", "--max-active", "3", "--reprocess", "failed"];
    let made = world.json(&[&["backfills", "start", "daily"][..], &week, &flags].concat()).await;
    assert_eq!((&made["order"], &made["max_active"]), (&"newest_first".into(), &3.into()));
    let id = made["id"].as_str().unwrap();
    for (verb, state) in [("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")] {
        assert_eq!(world.json(&["backfills", verb, id]).await["state"], state);
    }
    let shown = world.run(&["backfills", "show", id], "").await.ok();
    assert!(shown.out.contains("remaining") && shown.out.contains("cancelled"), "{}", shown.out);
    let list = world.json(&["backfills", "list", "--template", "daily", "--state", "cancelled"]).await;
    assert_eq!(list["data"][0]["id"], id);
    let over = world.run(&["backfills", "resume", id], "").await;
    assert!(over.code == 1 && over.err.contains("cancelled already"), "{}", over.err);
}
