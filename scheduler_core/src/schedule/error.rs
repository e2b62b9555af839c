//! What is wrong with a schedule, and where.

/// One thing that is wrong with a schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {detail}")]
pub struct ScheduleError {
    /// JSON pointer relative to the schedule object, for example `/expression`; empty for the object itself.
    pub pointer: String,
    /// A sentence that helps: where, what was found, what is allowed, what may have been meant.
    pub detail: String,
}

impl ScheduleError {
    /// An error at the member `name` of the schedule object.
    pub(super) fn at(name: &str, detail: impl Into<String>) -> Self {
        let escaped = name.replace('~', "~0").replace('/', "~1");
        ScheduleError { pointer: format!("/{escaped}"), detail: detail.into() }
    }

    /// An error about the schedule as a whole.
    pub(super) fn whole(detail: impl Into<String>) -> Self {
        ScheduleError { pointer: String::new(), detail: detail.into() }
    }
}
