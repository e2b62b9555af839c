//! Incidents: what alerts of one key have in common.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Something that went wrong and that somebody was told about. Of one key at most one is open.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Incident {
    /// Its id, in every alert about it.
    pub id: Uuid,
    /// What it is about, such as `job.dead:queue:emails`.
    #[schema(example = "job.dead:queue:emails")]
    pub key: String,
    /// The kind of its alerts.
    #[schema(example = "job.dead")]
    pub kind: String,
    /// `open`, `acknowledged` (somebody looks after it: it does not escalate any more) or `resolved`.
    #[schema(example = "open")]
    pub state: &'static str,
    /// The first alert.
    pub opened_at: DateTime<Utc>,
    /// The last one so far.
    pub last_at: DateTime<Utc>,
    /// How many there were; only the first one was sent.
    pub alerts: i64,
    /// How often it was escalated.
    pub escalations: i32,
    /// When somebody acknowledged it.
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// Who, in their own words.
    pub acknowledged_by: Option<String>,
    /// When it was closed.
    pub resolved_at: Option<DateTime<Utc>>,
    /// How: `resolved` by somebody, or `quiet`: nothing more happened for long.
    pub resolution: Option<String>,
}
