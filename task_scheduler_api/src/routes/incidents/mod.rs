//! Incidents: what somebody was told about, and what has become of it.

pub mod acknowledge;
pub mod get;
pub mod list;
pub mod resolve;

use crate::problem::Problem;
use scheduler_core::domain::Incident;
use uuid::Uuid;

fn found(incident: Option<Incident>, id: Uuid) -> Result<axum::Json<Incident>, Problem> {
    incident.map(axum::Json).ok_or_else(|| Problem::not_found("incident", id))
}
