//! JSON merge patch (RFC 7396) on the texts themselves: what a patch does not touch stays digit for digit, also where
//! it holds numbers or texts that this program could not read into values of its own.

use serde_json::value::{RawValue, to_raw_value};
use std::collections::BTreeMap;

type Members = BTreeMap<String, Box<RawValue>>;

/// `target` with `patch` merged into it: members of objects one by one, null removes, everything else replaces.
///
/// # Errors
/// When the name of a member of an object that has to be merged cannot be read.
pub fn merged(target: &RawValue, patch: &RawValue) -> Result<Box<RawValue>, serde_json::Error> {
    if !is_object(patch) {
        return Ok(patch.to_owned());
    }
    let mut members = if is_object(target) { members(target)? } else { Members::new() };
    for (name, value) in self::members(patch)? {
        if value.get() == "null" {
            members.remove(&name);
            continue;
        }
        let value = match members.get(&name) {
            Some(old) => merged(old, &value)?,
            None => merged(RawValue::NULL, &value)?,
        };
        members.insert(name, value);
    }
    to_raw_value(&members)
}

/// Whether a value is an object; there is no white space before a raw value.
pub fn is_object(value: &RawValue) -> bool {
    value.get().starts_with('{')
}

fn members(object: &RawValue) -> Result<Members, serde_json::Error> {
    serde_json::from_str(object.get())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    /// The examples of the RFC's appendix A.
    #[test]
    fn the_rfc_says_so() {
        let cases: [(Value, Value, Value); 15] = [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a": "b"}), json!(["c"]), json!(["c"])),
            (json!({"a": "foo"}), json!(null), json!(null)),
            (json!({"a": "foo"}), json!("bar"), json!("bar")),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ];
        for (target, patch, result) in cases {
            let raw = |value: &Value| to_raw_value(value).unwrap();
            let got: Value = serde_json::from_str(merged(&raw(&target), &raw(&patch)).unwrap().get()).unwrap();
            assert_eq!(got, result, "{target} with {patch}");
        }
    }

    #[test]
    fn what_no_program_can_hold_is_carried_over() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let target = raw(r#"{"p":{"n":1e400,"s":"\ud800","m":1.50},"q":1}"#);
        let got = merged(&target, &raw(r#"{"p":{"m":null,"x":9e999},"q":2}"#)).unwrap();
        assert_eq!(got.get(), r#"{"p":{"n":1e400,"s":"\ud800","x":9e999},"q":2}"#);
        assert!(merged(&raw(r#"{"\ud800":1}"#), &raw(r#"{"a":1}"#)).is_err());
    }
}
