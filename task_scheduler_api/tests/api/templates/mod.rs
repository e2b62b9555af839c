//! The template endpoints over HTTP, against a real PostgreSQL and a real Redis.

mod api;
mod changes;
mod creation;
mod dry_runs;
mod explanations;
mod previews;
mod reads;
mod refusals;
mod single;
mod variables;
mod versions;
