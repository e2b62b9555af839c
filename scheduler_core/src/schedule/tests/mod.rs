//! x
#![allow(clippy::unwrap_used)]
use super::*;
#[test]
fn real() {
    let text = std::fs::read_to_string("/work/shared/data/real_world_cron.jsonl").unwrap();
    let at = "2026-01-01T00:00:00Z".parse().unwrap();
    let ctx = EvalContext { start: at, template_id: Uuid::nil() };
    for line in text.lines() {
        let v: Value = serde_json::from_str(line).unwrap();
        match Schedule::parse(&serde_json::json!({"kind":"cron","expression":v["expression"],"timezone":"America/New_York"})) {
            Ok(s) => println!("{:30} {}   {:?} {:?}", v["expression"], s.describe(), s.next_after(at, &ctx).map(|o| o.at.to_rfc3339()), s.warnings(at)),
            Err(e) => println!("FAIL {} {:?}", v, e),
        }
    }
}
