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

    /// The same error, of an object that lies at `pointer`.
    pub(super) fn under(self, pointer: &str) -> Self {
        ScheduleError { pointer: format!("{pointer}{}", self.pointer), ..self }
    }

    /// The same error, one step deeper.
    pub(super) fn child(self, step: &str) -> Self {
        ScheduleError { pointer: format!("{}/{step}", self.pointer), ..self }
    }

    /// An error about the schedule as a whole.
    pub(super) fn whole(detail: impl Into<String>) -> Self {
        ScheduleError { pointer: String::new(), detail: detail.into() }
    }
}
