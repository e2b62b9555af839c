//! What happens to local times that a clock change removes or repeats.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What happens to a local time that does not exist because the clocks go forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DstGap {
    /// It runs at the first instant after the gap; several run once. The default of wall-clock schedules.
    NextValid,
    /// It runs as if the clocks had not changed: 02:30 becomes 03:30.
    Shift,
    /// It does not run. The default of elapsed schedules, whose real-time rhythm goes on through the gap.
    Skip,
}

impl DstGap {
    pub(super) const NAMES: [(&'static str, DstGap); 3] =
        [("next_valid", DstGap::NextValid), ("shift", DstGap::Shift), ("skip", DstGap::Skip)];
}

/// What happens to a local time that comes twice because the clocks go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DstFold {
    /// It runs the first time. The default of wall-clock schedules.
    First,
    /// It runs the second time.
    Last,
    /// It runs both times. The default of elapsed schedules.
    Both,
}

impl DstFold {
    pub(super) const NAMES: [(&'static str, DstFold); 3] =
        [("first", DstFold::First), ("last", DstFold::Last), ("both", DstFold::Both)];
}
