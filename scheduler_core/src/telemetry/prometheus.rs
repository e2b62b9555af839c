//! The Prometheus recorder: installed once per process, rendered by `/metrics`.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::lifecycle::Shutdown;
use crate::telemetry::metrics;

/// Upper bounds of the buckets of every `_seconds` histogram: 100 µs to 60 s.
const SECONDS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
    2.5, 5.0, 10.0, 30.0, 60.0,
];

/// Upper bounds of the buckets of every `_size` histogram: rows of a batch.
const SIZES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0, 16384.0];

/// How often recorded samples are folded into their buckets when nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

/// Installs the recorder for the whole process and describes every metric. Each later call
/// returns the same handle. When another recorder is already installed (a test harness), that
/// one stays and the handle renders nothing.
pub fn init_metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(install).clone()
}

fn install() -> PrometheusHandle {
    let recorder = builder().build_recorder();
    let handle = recorder.handle();
    if ::metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("another metrics recorder is installed; /metrics will be empty");
    }
    metrics::describe_all();
    handle
}

fn builder() -> PrometheusBuilder {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), SIZES))
        .expect("the lists of buckets are not empty")
}

/// Folds recorded samples into their buckets every few seconds, so that memory stays bounded
/// when nobody scrapes. Runs until the hard shutdown.
pub async fn run_upkeep(handle: PrometheusHandle, shutdown: Shutdown) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(UPKEEP) => handle.run_upkeep(),
            () = shutdown.hard() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn durations_and_sizes_become_histograms_with_our_buckets() {
        let recorder = builder().build_recorder();
        let handle = recorder.handle();
        ::metrics::with_local_recorder(&recorder, || {
            metrics::describe_all();
            ::metrics::histogram!(metrics::JOB_START_DELAY_SECONDS, "lane" => "default").record(0.0012);
            ::metrics::histogram!(metrics::INGEST_GROUP_SIZE).record(17.0);
        });
        let text = handle.render();
        assert!(text.contains("# TYPE job_start_delay_seconds histogram"), "{text}");
        assert!(text.contains(r#"job_start_delay_seconds_bucket{lane="default",le="0.001"} 0"#));
        assert!(text.contains(r#"job_start_delay_seconds_bucket{lane="default",le="0.0015"} 1"#));
        assert!(text.contains(r#"ingest_group_size_bucket{le="32"} 1"#), "{text}");
        assert!(text.contains("# HELP ingest_group_size "));
    }

    #[test]
    fn every_call_returns_the_same_recorder() {
        let (first, second) = (init_metrics(), init_metrics());
        ::metrics::counter!(metrics::JOBS_CREATED_TOTAL, "source" => "same-recorder").increment(3);
        for handle in [first, second] {
            assert!(handle.render().contains(r#"jobs_created_total{source="same-recorder"} 3"#));
        }
    }

    #[test]
    fn bucket_bounds_grow() {
        for bounds in [SECONDS, SIZES] {
            assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]));
        }
        assert_eq!((SECONDS[0], SECONDS[SECONDS.len() - 1]), (100e-6, 60.0));
    }
}
