//! Hostile and absurd input: refused with a sentence, never a panic, never a loop.

use proptest::prelude::*;

use super::*;

#[test]
fn long_expressions_are_refused_quickly() {
    let texts = [
        "1,".repeat(5_000),
        "*".repeat(10_000),
        " ".repeat(10_000),
        "9".repeat(10_000),
        format!("{} * * * *", "1,".repeat(1_000)),
        format!("0 0 {} * *", "L-".repeat(400)),
        format!("@{}", "daily".repeat(2_000)),
        "\u{1f389}".repeat(3_000),
    ];
    for text in texts {
        let found = cron_refusal(&text);
        assert!(found.len() < 600, "the answer repeats the input: {found}");
    }
    for digits in [5, 11, 21, 300] {
        let number = "9".repeat(digits);
        for expression in [format!("{number} * * * *"), format!("*/{number} * * * *"), format!("0 0 L-{number} * *")] {
            assert!(cron_refusal(&expression).contains("field "), "{expression}");
        }
    }
}

#[test]
fn full_lists_are_legal() {
    let list = |range: std::ops::RangeInclusive<u32>| range.map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let expression =
        format!("{} {} {} {} {} {}", list(0..=59), list(0..=59), list(0..=23), list(1..=31), list(1..=12), list(0..=6));
    assert_eq!(
        utc(&cron(&expression, "UTC"), "2026-01-01T00:00:00Z", 2),
        ["2026-01-01T00:00:01", "2026-01-01T00:00:02"]
    );
}

/// The ends of representable time, and instants far outside the tables.
#[test]
fn extreme_instants() {
    let schedules = [
        cron("* * * * *", "America/New_York"),
        cron("0 0 29 2 *", "Pacific/Apia"),
        cron("0 0 0 1 1 ? 2099", "UTC"),
        parsed(json!({"kind": "interval", "every_seconds": 1})),
        parsed(json!({"kind": "interval", "every_seconds": 3_153_600_000_u64, "anchor": "start"})),
        parsed(json!({"kind": "once", "at": "9999-12-31T23:59:59Z"})),
    ];
    let instants =
        [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC, at("0001-01-01T00:00:00Z"), at("9999-12-31T23:59:59Z")];
    for schedule in &schedules {
        for instant in instants {
            let next = schedule.next_after(instant, &context());
            assert!(next.is_none_or(|next| next.at > instant));
            schedule.warnings(instant);
        }
    }
    let late = cron("30 2 * * *", "America/New_York").next_after(at("2500-01-01T00:00:00Z"), &context());
    assert!(late.is_some(), "the end of the zone tables must not end a schedule");
}

/// Text that looks like cron to a parser.
fn cronish() -> impl Strategy<Value = String> {
    let token = "[0-9*?/,\\-LWH#@a-zA-Z.+xX\u{663}\u{ff15}]{0,8}";
    prop::collection::vec(token, 1..9).prop_map(|tokens| tokens.join(" "))
}

fn survives(value: &Value) {
    match Schedule::parse(value) {
        Err(errors) => {
            assert!(!errors.is_empty() && errors.iter().all(|error| !error.detail.is_empty()))
        }
        Ok(schedule) => {
            let from = at("2026-10-24T23:17:11Z");
            let times: Vec<_> =
                schedule.occurrences(from, &context()).take(20).map(|occurrence| occurrence.at).collect();
            assert!(times.is_sorted_by(|left, right| left < right), "{value}: {times:?}");
            assert!(!schedule.describe().is_empty());
            schedule.warnings(from);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_is_answered(text in "\\PC{0,60}") {
        survives(&json!({"kind": "cron", "expression": text}));
        survives(&json!({"kind": "cron", "expression": "0 2 * * *", "timezone": text}));
        survives(&json!({"kind": "interval", "every_seconds": 5, "anchor": text}));
        survives(&json!({"kind": "once", "at": text}));
        survives(&json!({"kind": text}));
        survives(&json!({"kind": "once", "at": "2026-01-01T00:00:00Z", text: 1}));
    }

    #[test]
    fn anything_like_cron_is_answered(text in cronish()) {
        survives(&json!({"kind": "cron", "expression": text, "timezone": "Europe/Berlin"}));
    }
}
