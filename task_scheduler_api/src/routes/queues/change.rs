//! `PATCH /v1/queues/{name}`

use super::find;
use crate::extract::{Caller, JsonBody, PathId, QueuesWrite};
use crate::problem::Problem;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use scheduler_core::domain::FieldError;
use scheduler_core::domain::job_spec::{validate_lane, validate_name};
use scheduler_core::store::queue_settings::QueueChange;
use scheduler_core::store::queues::Queue;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// The largest limit; more than any installation runs.
const MOST: i32 = 1_000_000;

/// What is to change; what is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueSettings {
    /// The executor pool that serves the queue (`default` for a new one).
    #[serde(default)]
    lane: Option<String>,
    /// Jobs of the queue that run at once; null: any number (so is a new queue).
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i32>, minimum = 1)]
    concurrency: Option<Option<i32>>,
    /// Jobs with the same `concurrency_key` that run at once (1 for a new queue).
    #[serde(default)]
    #[schema(minimum = 1)]
    concurrency_key_limit: Option<i32>,
}

/// A queue as it is now, and what its owner should know.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangedQueue {
    /// The queue.
    #[serde(flatten)]
    queue: Queue,
    /// What may not be as intended.
    warnings: Vec<String>,
}

/// A field that is there, be it null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<i32>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl QueueSettings {
    fn validate(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        errors.extend(self.lane.as_deref().and_then(validate_lane).map(|why| FieldError::new("/lane", why)));
        let mut bounded = |limit: Option<i32>, pointer: &str, otherwise: &str| {
            if limit.is_some_and(|n| !(1..=MOST).contains(&n)) {
                errors.push(FieldError::new(pointer, format!("must be from 1 to {MOST}; {otherwise}")));
            }
        };
        bounded(self.concurrency.flatten(), "/concurrency", "to start nothing, pause the queue; null is no limit");
        bounded(self.concurrency_key_limit, "/concurrency_key_limit", "1 runs the jobs of a key one after the other");
        errors
    }
}

/// Change a queue
///
/// Makes the queue if it is new (201). A limit counts at once, with what runs already: if more runs than the limit allows,
/// nothing starts until it is less. On a new lane the jobs that wait follow within seconds; what runs goes on where it is.
#[utoipa::path(
    patch, path = "/v1/queues/{name}", tag = "queues",
    params(("name" = String, Path, description = "The queue's name; escape `/` as `%2F`.")),
    request_body(content = QueueSettings, example = json!({"concurrency": 20, "concurrency_key_limit": 1})),
    responses(
        (status = 200, description = "The queue.", body = ChangedQueue),
        (status = 201, description = "The new queue.", body = ChangedQueue),
    ),
)]
pub async fn change_queue(
    app: State<AppState>,
    caller: Caller<QueuesWrite>,
    name: PathId<String>,
    body: JsonBody<QueueSettings>,
) -> Result<(StatusCode, Json<ChangedQueue>), Problem> {
    let PathId(name) = name;
    let bad_name = validate_name(&name).map(|why| FieldError::new("/name", format!("the queue's name {why}")));
    Problem::check(bad_name.into_iter().chain(body.value.validate()).collect())?;
    let QueueSettings { lane, concurrency, concurrency_key_limit } = body.value;
    let named_lane = lane.clone();
    let change = QueueChange { lane, concurrency, concurrency_key_limit };
    let changed = app.store.change_queue(caller.merchant, &name, &change).await?;
    app.lanes.forget(caller.merchant, &name);
    let queue = find(&app, caller.merchant, &name).await?;
    // More may run by now, or on another lane.
    app.hints.lane(queue.lane.clone());
    let mut warnings = Vec::new();
    if let Some(lane) = named_lane
        && !app.store.is_lane_served(&lane).await?
    {
        warnings.push(format!(
            "no executor serves the lane `{lane}` at present; nothing of the queue starts until one does \
             (executor.lanes)"
        ));
    }
    let status = if changed.created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(ChangedQueue { queue, warnings })))
}
