//! The REST API of the task scheduler.
//!
//! * **Reads**: API keys; jobs, executions, dead letters, queues and templates of the caller's merchant.
//! * **Writes**: new jobs (single creates share one insert and one commit), idempotency keys, cancels, redrives, paused
//!   queues, templates.
//! * **Wakes on**: requests.
//! * **Edges it owns**: blocked | scheduled | retrying | failed → cancelled; run-now.
//! * **If it dies**: requests under way are lost like on any broken connection (an `Idempotency-Key` makes repeating
//!   them safe); what was answered is committed. Any number of instances run side by side.

mod clock_sync;
mod connections;
mod extract;
mod hints;
mod idempotency;
mod ingest;
mod key_cache;
mod lanes;
mod middleware;
mod openapi;
mod paging;
mod problem;
mod router;
mod routes;
mod service;
mod state;

pub use router::document;
pub use service::{run, serve};
