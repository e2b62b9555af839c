//! Kubernetes CronJobs.

use serde_json::{Value, json};

use super::{Draft, Import, cron, is_touched_by_clock_changes};

/// Reads documents of `kind: CronJob`, and lists of them; documents of other kinds are passed over.
pub fn kubernetes(documents: &[Value]) -> Import {
    let mut import = Import::default();
    for (document, number) in documents.iter().zip(1..) {
        let place = format!("document {number}");
        match document["kind"].as_str() {
            Some("CronJob") => cron_job(document, &place, &mut import),
            Some("List" | "CronJobList") => {
                let items = document["items"].as_array().map(Vec::as_slice).unwrap_or_default();
                let jobs = items.iter().zip(1..).filter(|(item, _)| item["kind"] == "CronJob");
                jobs.for_each(|(item, n)| cron_job(item, &format!("{place}, item {n}"), &mut import));
            }
            _ => {}
        }
    }
    if import.templates.is_empty() && import.problems.is_empty() {
        import.problem("the file", "it holds no document of kind CronJob");
    }
    import
}

fn cron_job(document: &Value, place: &str, import: &mut Import) {
    let (spec, name) = (&document["spec"], document["metadata"]["name"].as_str().unwrap_or("cronjob"));
    let place = format!("{place} ({name})");
    let Some(given) = spec["schedule"].as_str() else {
        return import.problem(place, "spec.schedule is missing");
    };
    let (zone, expression) = match given.trim().strip_prefix("CRON_TZ=").or(given.trim().strip_prefix("TZ=")) {
        Some(rest) => rest.split_once(' ').map_or((None, rest), |(zone, rest)| (Some(zone), rest)),
        None => (spec["timeZone"].as_str(), given.trim()),
    };
    let mut draft = Draft::new(place, name, cron(expression, zone.unwrap_or("UTC")));
    if zone.is_none() {
        let detail = "spec.timeZone is not set: the controller's zone was meant, which is UTC as a rule";
        draft.warnings.push(detail.to_owned());
    }
    if steps_on_days(expression) {
        let detail = "a step such as */2 beside a weekday: Kubernetes runs on days that match either, here both must";
        draft.warnings.push(detail.to_owned());
    }
    if is_touched_by_clock_changes(&draft.schedule) {
        draft.schedule["dst_gap"] = json!("skip");
        draft.schedule["dst_fold"] = json!("both");
        let detail = "like Kubernetes, it leaves out times that a clock change removes and runs twice those that come \
                      twice: without dst_gap and dst_fold, it would run once in either case";
        draft.warnings.push(detail.to_owned());
    }
    policies(spec, &mut draft);
    draft.payload = json!({"kubernetes": spec["jobTemplate"]["spec"]["template"]["spec"]["containers"]});
    draft.finish(import);
}

fn policies(spec: &Value, draft: &mut Draft) {
    let overlap = match spec["concurrencyPolicy"].as_str() {
        Some("Forbid") => "skip",
        Some("Replace") => "cancel_other",
        _ => "allow_all",
    };
    draft.policies.insert("overlap".to_owned(), json!(overlap));
    if spec["suspend"].as_bool() == Some(true) {
        draft.policies.insert("active".to_owned(), json!(false));
    }
    if let Some(seconds) = spec["startingDeadlineSeconds"].as_u64() {
        draft.policies.insert("catchup_window_seconds".to_owned(), json!(seconds));
    }
}

/// A day field like `*/2` beside a restricted other one.
fn steps_on_days(expression: &str) -> bool {
    let fields: Vec<&str> = expression.split_ascii_whitespace().collect();
    let [_, _, day, _, week] = fields[..] else { return false };
    let stepped = |field: &str| field.starts_with("*/") && field != "*/1";
    let free = |field: &str| ["*", "?", "*/1"].contains(&field);
    (stepped(day) && !free(week)) || (stepped(week) && !free(day))
}
