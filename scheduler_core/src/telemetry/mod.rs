//! What a process tells about itself: logs on stderr, metrics as Prometheus text.
//!
//! [`metrics`] names every metric once. What may be logged, and what never, is in
//! `docs/logging.md`.

mod logging;
pub mod metrics;
mod prometheus;
mod reference;

pub use logging::{LogFormat, init_logging};
pub use metrics_exporter_prometheus::PrometheusHandle;
pub use prometheus::{init_metrics, run_upkeep};
pub use reference::reference_markdown;
