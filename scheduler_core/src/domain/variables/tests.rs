//! Variables in the texts of a job: what is filled in, what is refused, what is left alone.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::domain::{JobId, MerchantId, TemplateId};
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

fn values() -> Values {
    let at = |text: &str| text.parse().unwrap();
    Values {
        merchant: MerchantId(Uuid::from_u128(1)),
        template: TemplateId(Uuid::from_u128(2)),
        job: JobId(Uuid::from_u128(3)),
        scheduled_for: at("2026-05-04T09:00:00Z"),
        previous: Some(at("2026-05-03T09:00:00.5Z")),
        next: None,
    }
}

fn born(json: &Value) -> Value {
    serde_json::from_str(&at_birth(&json.to_string(), &values())).unwrap()
}

#[test]
fn every_variable_has_its_value() {
    let id = |n: u128| Uuid::from_u128(n).to_string();
    let body = json!({"a": ["{{scheduled_for}}/{{ previous_scheduled_for }}", {"b": "<{{next_scheduled_for}}>"}],
        "ids": "{{merchant_id}} {{template_id}} {{job_id}}", "i": "[{{data_interval_start}}, {{data_interval_end}})"});
    let expected = json!({"a": ["2026-05-04T09:00:00Z/2026-05-03T09:00:00.500Z", {"b": "<>"}],
        "ids": format!("{} {} {}", id(1), id(2), id(3)), "i": "[2026-05-03T09:00:00.500Z, 2026-05-04T09:00:00Z)"});
    assert_eq!(born(&body), expected);
}

#[test]
fn the_attempt_and_the_escape_wait_for_the_start() {
    let body = json!({"n": "{{attempt}} of {{job_id}}", "t": "{{{{name}}"});
    let stored = at_birth(&body.to_string(), &values()).into_owned();
    assert!(stored.contains("{{attempt}}") && stored.contains("{{{{name}}"), "{stored}");
    let sent: Value = serde_json::from_str(&at_start(&stored, 3)).unwrap();
    assert_eq!(sent, json!({"n": format!("3 of {}", Uuid::from_u128(3)), "t": "{{name}}"}));
}

#[test]
fn names_of_members_and_everything_that_is_no_string_stay() {
    let text =
        r#" {"{{job_id}}" : "x", "n": 1e400, "s": "\ud800 \"{{attempt}}\" \\", "e": {} , "l": [[],["{{attempt}}"]]} "#;
    let expected = r#" {"{{job_id}}" : "x", "n": 1e400, "s": "\ud800 \"7\" \\", "e": {} , "l": [[],["7"]]} "#;
    assert_eq!(at_start(text, 7), expected);
    assert!(matches!(at_start(r#"{"a":"{b}"}"#, 1), Cow::Borrowed(_)));
    assert!(!differs_by_occurrence(&json!({"{{job_id}}": "{{attempt}}"}).to_string()));
    assert!(differs_by_occurrence(&json!(["{{job_id}}"]).to_string()));
}

#[test]
fn unknown_names_are_pointed_at_with_what_was_meant() {
    let found = |value: Value| {
        let errors = check(&value.to_string());
        errors.into_iter().map(|error| (error.pointer, error.detail)).collect::<Vec<_>>()
    };
    assert_eq!(found(json!({"a": "{{scheduled_for}} {{ attempt }} {{{{anything}}", "{{x}}": 1})), []);
    for (text, meant) in [
        ("{{shceduled_for}}", "{{scheduled_for}}?"),
        ("{{Scheduled-For}}", "{{scheduled_for}}?"),
        ("{{execution_date}}", "{{data_interval_start}}?"),
        ("{{customer}}", "there are scheduled_for, "),
        ("{{}}", "there are scheduled_for, "),
        ("{{{attempt}}}", "{{attempt}}?"),
        ("{{attempt", "no }} ends"),
    ] {
        let errors = found(json!({"a/b": [0, {"c~": text}]}));
        assert_eq!(errors.len(), 1, "{text}: {errors:?}");
        assert_eq!(errors[0].0, "/a~1b/1/c~0");
        assert!(errors[0].1.contains(meant), "{text}: {}", errors[0].1);
    }
    assert_eq!(found(json!("{{a}} {{b}}")).len(), 2);
}

#[test]
fn a_target_has_variables_in_its_url_and_in_the_values_of_headers() {
    let target: Target =
        serde_json::from_value(json!({"kind": "http", "url": "https://{{merchant_id}}.example.com:80{{attempt}}/",
        "headers": {"X-Try": "{{attempt}}"}}))
        .unwrap();
    let Cow::Owned(Target::Http(sent)) = target_at_start(&target, 2) else { panic!("something is replaced") };
    assert_eq!((sent.url.as_str(), sent.headers["X-Try"].as_str()), ("https://{{merchant_id}}.example.com:802/", "2"));
    assert!(target.validate().len() == 1 && with_examples(&target).validate().is_empty());
}

proptest! {
    #[test]
    fn any_json_stays_json_and_text_without_braces_stays_itself(text in "[{}a\"\\\\ :,\\n]{0,40}", key in "[{}a\"]{0,6}") {
        let body = json!({key: [text.clone(), {"x": text}]}).to_string();
        let rendered = at_start(&at_birth(&body, &values()), 1).into_owned();
        prop_assert!(serde_json::from_str::<Value>(&rendered).is_ok(), "{rendered}");
        if check(&body).is_empty() && !body.contains("{{{{") && !differs_by_occurrence(&body) {
            prop_assert_eq!(rendered, body);
        }
    }

    #[test]
    fn the_pieces_are_the_text(text in "[{}a-z_ é]{0,60}") {
        let whole: String = pieces(&text).map(Piece::as_written).collect();
        prop_assert_eq!(whole, text);
    }
}
