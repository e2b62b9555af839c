//! What handlers take out of a request; each refuses with a [`crate::problem::Problem`].

pub mod auth;
pub mod body;
pub mod decode;
pub mod path;
pub mod query;
mod strict;
pub mod time;
pub mod trace;
mod words;

pub use auth::{Caller, JobsRead, JobsWrite, QueuesRead, QueuesWrite, TemplatesRead, TemplatesWrite};
pub use body::{BodyLimit, JsonBody, OptionalBody, TextBody};
pub use path::{PathId, PathOccurrence};
pub use query::Query;
pub use trace::Traceparent;
