//! What has to be done so that the scheduler holds what the files say.

use super::files::{Entry, Wanted};
use super::remote::{self, text};
use crate::client::{ApiError, Client};
use anyhow::Context as _;
use reqwest::Method;
use scheduler_core::domain::diff::diff;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashSet};

/// What is to be done with one thing.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// It is not there yet.
    Create,
    /// It is there and says something else: `changes` of the form `{op, path, from, to}`.
    Change(Vec<Value>),
    /// No file has it any longer.
    Delete,
    /// It is as the files say.
    Keep,
}

/// A calendar or a template.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A calendar.
    Calendar,
    /// A template.
    Template,
}

impl Kind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Calendar => "calendar",
            Self::Template => "template",
        }
    }
}

/// One thing and what is to be done with it.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What is to be done.
    pub action: Action,
    /// Its path, if it is there.
    pub path: String,
    /// The version that was compared, if it is there.
    pub version: Option<i64>,
    /// What it shall be; empty for what is deleted.
    pub body: Map<String, Value>,
    /// What becomes of its next occurrences: `{added, removed, moved}`, where the scheduler could say.
    pub occurrences: Option<Value>,
}

/// Steps in the order in which they can be done: calendars before the templates that use them, deletions last and the other
/// way round.
pub async fn plan(client: &Client, wanted: &Wanted, prune: bool) -> anyhow::Result<Vec<Step>> {
    let calendars = remote::calendars(client).await.context("the calendars cannot be read")?;
    let calendars: BTreeMap<&str, &Value> = calendars.iter().map(|row| (text(row, "name"), row)).collect();
    let mut steps: Vec<Step> = wanted.calendars.iter().map(|entry| calendar(entry, &calendars)).collect();
    let created = steps.iter().filter(|step| step.action == Action::Create);
    let new_calendars: HashSet<String> = created.map(|step| step.name.clone()).collect();
    for entry in &wanted.templates {
        let step = template(client, entry, &new_calendars).await;
        steps.push(step.with_context(|| format!("{}: template {}", entry.file, entry.name))?);
    }
    if prune {
        steps.extend(pruned(client, wanted, &calendars).await?);
    }
    Ok(steps)
}

fn calendar(entry: &Entry, there: &BTreeMap<&str, &Value>) -> Step {
    let Some(current) = there.get(entry.name.as_str()) else { return new(Kind::Calendar, entry) };
    let member = |row: Option<&Value>| row.cloned().unwrap_or(Value::Null);
    let (from, to) = (member(current.get("definition")), member(entry.body.get("definition")));
    let changes: Vec<Value> = diff(&json!({ "definition": from }), &json!({ "definition": to }))
        .into_iter()
        .filter_map(|change| serde_json::to_value(change).ok())
        .collect();
    let action = if changes.is_empty() { Action::Keep } else { Action::Change(changes) };
    let path = remote::calendar_path(&entry.name);
    Step { action, path, version: version(current), ..new(Kind::Calendar, entry) }
}

fn new(kind: Kind, entry: &Entry) -> Step {
    let (name, body) = (entry.name.clone(), entry.body.clone());
    Step { kind, name, action: Action::Create, path: String::new(), version: None, body, occurrences: None }
}

fn version(row: &Value) -> Option<i64> {
    row.get("version").and_then(Value::as_i64)
}

/// The scheduler judges and compares: it knows what is left out in a file and has a default.
async fn template(client: &Client, entry: &Entry, new_calendars: &HashSet<String>) -> anyhow::Result<Step> {
    let step = new(Kind::Template, entry);
    let Some(current) = remote::template(client, &entry.name).await? else {
        let (answer, _) = dry_run(client, Method::POST, "/v1/templates", &step.body, new_calendars).await?;
        return Ok(Step { occurrences: answer.get("occurrences").cloned(), ..step });
    };
    let mut body = step.body.clone();
    // Whether it is paused is not said by a file that does not say it.
    if let (false, Some(active)) = (body.contains_key("active"), current.get("active")) {
        body.insert("active".to_owned(), active.clone());
    }
    let path = format!("/v1/templates/{}", text(&current, "id"));
    let (answer, unseen) = dry_run(client, Method::PUT, &path, &body, new_calendars).await?;
    let mut changes = answer.get("changes").and_then(Value::as_array).cloned().unwrap_or_default();
    changes.extend(unseen.map(|to| json!({"op": "changed", "path": "/schedule/calendars", "to": to})));
    let action = if changes.is_empty() { Action::Keep } else { Action::Change(changes) };
    let occurrences = answer.get("occurrences").cloned();
    Ok(Step { action, path, version: version(&current), body, occurrences, ..step })
}

/// Asks what would be if `body` were written. A calendar that only the same files bring is not known to the scheduler yet:
/// the rest is judged without it then, and the `calendars` that were not judged are given back.
async fn dry_run(
    client: &Client,
    method: Method,
    path: &str,
    body: &Map<String, Value>,
    new_calendars: &HashSet<String>,
) -> anyhow::Result<(Value, Option<Value>)> {
    let ask = async |body: &Value| {
        client.send(client.request(method.clone(), path).query(&[("dry_run", "true")]).json(body)).await
    };
    let mut body = Value::Object(body.clone());
    let error = match ask(&body).await {
        Ok(answer) => return Ok((answer, None)),
        Err(error) => error,
    };
    let unseen = body.pointer("/schedule/calendars").cloned().filter(|_| is_about_calendars(&error));
    let used = body.pointer_mut("/schedule/calendars").and_then(Value::as_array_mut);
    let (Some(unseen), Some(used)) = (unseen, used) else { return Err(error) };
    used.retain(|it| !new_calendars.contains(text(it, "name")));
    Ok((ask(&body).await?, Some(unseen)))
}

/// Whether the scheduler refuses nothing but calendars that a schedule names.
fn is_about_calendars(error: &anyhow::Error) -> bool {
    let Some(problem) = error.downcast_ref::<ApiError>() else { return false };
    let pointers = problem.pointers();
    !pointers.is_empty() && pointers.iter().all(|pointer| pointer.starts_with("/schedule/calendars"))
}

/// What begins with a prefix of the files and is in none of them.
async fn pruned(client: &Client, wanted: &Wanted, calendars: &BTreeMap<&str, &Value>) -> anyhow::Result<Vec<Step>> {
    let kept = |entries: &[Entry], name: &str| entries.iter().any(|entry| entry.name == name);
    let gone = |kind, row: &Value, path| Step {
        kind,
        name: text(row, "name").to_owned(),
        action: Action::Delete,
        path,
        version: version(row),
        body: Map::new(),
        occurrences: None,
    };
    let mut steps: Vec<Step> = Vec::new();
    for prefix in &wanted.prefixes {
        for row in remote::templates(client, prefix).await? {
            if !kept(&wanted.templates, text(&row, "name")) && steps.iter().all(|step| step.name != text(&row, "name"))
            {
                steps.push(gone(Kind::Template, &row, format!("/v1/templates/{}", text(&row, "id"))));
            }
        }
    }
    let owned = |name: &str| wanted.prefixes.iter().any(|prefix| name.starts_with(prefix));
    let unwanted = calendars.iter().filter(|(name, _)| owned(name) && !kept(&wanted.calendars, name));
    steps.extend(unwanted.map(|(name, row)| gone(Kind::Calendar, row, remote::calendar_path(name))));
    Ok(steps)
}
