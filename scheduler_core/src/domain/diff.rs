//! What changes from one JSON document to another, by JSON pointers.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// What happens to a part of a document.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeOp {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is another.
    Changed,
}

/// One difference of two documents.
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct Change {
    /// What happens.
    pub op: ChangeOp,
    /// JSON pointer to the part.
    pub path: String,
    /// What it was; absent when it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// What it becomes; absent when it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

/// The differences, in the order of the documents' members. Objects are compared member by member, lists item by item,
/// everything else as a whole.
pub fn diff(from: &Value, to: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(String::new(), Some(from), Some(to), &mut changes);
    changes
}

fn compare(path: String, from: Option<&Value>, to: Option<&Value>, changes: &mut Vec<Change>) {
    let op = match (from, to) {
        (Some(from), Some(to)) if from == to => return,
        (Some(Value::Object(from)), Some(Value::Object(to))) => {
            let added = to.keys().filter(|name| !from.contains_key(*name));
            for name in from.keys().chain(added) {
                compare(child(&path, name), from.get(name), to.get(name), changes);
            }
            return;
        }
        (Some(Value::Array(from)), Some(Value::Array(to))) => {
            for index in 0..from.len().max(to.len()) {
                compare(format!("{path}/{index}"), from.get(index), to.get(index), changes);
            }
            return;
        }
        (Some(_), Some(_)) => ChangeOp::Changed,
        (None, Some(_)) => ChangeOp::Added,
        (Some(_), None) => ChangeOp::Removed,
        (None, None) => return,
    };
    changes.push(Change { op, path, from: from.cloned(), to: to.cloned() });
}

fn child(path: &str, name: &str) -> String {
    format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_difference_has_its_pointer() {
        let from = json!({"a": 1, "b": {"x/y": [1, 2, 3], "same": true}, "gone": null, "kind": {"was": 1}});
        let to = json!({"a": 2, "b": {"x/y": [1, 5], "same": true, "~": {}}, "kind": [1]});
        let shown: Vec<_> = diff(&from, &to).into_iter().map(|it| (it.op, it.path, it.from, it.to)).collect();
        assert_eq!(
            shown,
            [
                (ChangeOp::Changed, "/a".to_owned(), Some(json!(1)), Some(json!(2))),
                (ChangeOp::Changed, "/b/x~1y/1".to_owned(), Some(json!(2)), Some(json!(5))),
                (ChangeOp::Removed, "/b/x~1y/2".to_owned(), Some(json!(3)), None),
                (ChangeOp::Added, "/b/~0".to_owned(), None, Some(json!({}))),
                (ChangeOp::Removed, "/gone".to_owned(), Some(json!(null)), None),
                (ChangeOp::Changed, "/kind".to_owned(), Some(json!({"was": 1})), Some(json!([1]))),
            ]
        );
        assert_eq!(diff(&from, &from), []);
    }
}
