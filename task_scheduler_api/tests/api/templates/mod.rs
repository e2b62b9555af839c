//! The template endpoints over HTTP, against a real PostgreSQL and a real Redis.

mod api;
mod changes;
mod creation;
mod previews;
mod reads;
mod refusals;
