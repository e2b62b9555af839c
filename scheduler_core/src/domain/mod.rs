//! The words of the system as types: pure, without I/O, async or clocks.

pub mod backoff;
pub mod calendar;
pub mod diff;
pub mod execution;
pub mod field_error;
pub mod freeze;
pub mod ids;
pub mod job;
pub mod job_spec;
pub mod merchant;
pub mod occurrence;
pub mod outlook;
pub mod policies;
pub mod state;
pub mod target;
pub mod template;
pub mod template_version;
pub mod timetable;
pub mod transitions;
pub mod variables;

pub use backoff::{Backoff, BackoffKind, Jitter};
pub use calendar::{CalendarSpec, NamedCalendar};
pub use execution::{Execution, ExecutionResult, Outcome};
pub use field_error::FieldError;
pub use freeze::{Freeze, FreezeAction};
pub use ids::{JobId, MerchantId, SessionId, TemplateId, Token};
pub use job::Job;
pub use job_spec::{JobSpec, RunIf};
pub use merchant::{ApiKeySecret, Scope};
pub use occurrence::OccurrenceOutcome;
pub use policies::{AfterCompletion, CatchupPolicy, OverlapPolicy, TemplatePolicies};
pub use state::JobState;
pub use target::{HttpTarget, Target};
pub use template::{Template, TemplateSpec};
pub use template_version::TemplateVersion;
pub use timetable::Timetable;
