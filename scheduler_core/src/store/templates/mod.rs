//! Templates, their versions, and the ledger of their occurrences.
//!
//! Whoever changes a template holds its row's lock, as does whoever materialises it ([`super::materialise`]): the two
//! never interleave. Every change makes a new version and keeps it in `template_versions`.

mod change;
mod create;
pub(crate) mod job_columns;
pub(crate) mod keyed;
mod ledger;
mod occurrence;
mod paused;
mod read;
mod replan;
mod review;
pub(crate) mod reviews;
pub(crate) mod row;
mod trigger;
mod versions;
pub(crate) mod withdraw;

pub use change::{TemplateChange, TemplateChanged};
pub use create::{NewTemplate, TemplateCreated};
pub use keyed::Keyed;
pub use ledger::{LedgerEntry, LedgerQuery};
pub use occurrence::{
    ChangeOccurrence, ChangedOccurrence, OccurrenceChange, OccurrenceChanged, Refusal, WhichOccurrence,
};
pub use read::TemplateQuery;
pub use review::Reviewed;
pub use trigger::{Trigger, Triggered};
