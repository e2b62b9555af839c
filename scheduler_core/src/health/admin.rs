//! The admin endpoints over HTTP.

use std::net::SocketAddr;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;

use super::{Health, Status};
use crate::lifecycle::Shutdown;

#[derive(Clone)]
struct Admin {
    health: Health,
    metrics: Option<PrometheusHandle>,
}

/// The admin endpoints: `/health/live`, `/health/ready`, `/metrics`. The API merges this router
/// into its own; the other daemons serve it with [`serve_admin`].
pub fn router(health: Health, metrics: Option<PrometheusHandle>) -> Router {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/metrics", get(render_metrics))
        .with_state(Admin { health, metrics })
}

async fn live(State(admin): State<Admin>) -> Response {
    let body = serde_json::json!({ "status": "live", "service": admin.health.service });
    Json(body).into_response()
}

async fn ready(State(admin): State<Admin>) -> Response {
    let report = admin.health.report();
    let status = match report.status {
        Status::Ready => StatusCode::OK,
        Status::NotReady | Status::Draining => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(report)).into_response()
}

async fn render_metrics(State(admin): State<Admin>) -> Response {
    match admin.metrics {
        Some(handle) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], handle.render()).into_response(),
        None => (StatusCode::NOT_FOUND, "metrics are not recorded in this process\n").into_response(),
    }
}

/// Why the admin port could not be served.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The address could not be bound.
    #[error("cannot listen on {address} (setting admin.listen)")]
    Listen {
        /// The address of the setting.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Serving ended with an error.
    #[error("the admin port stopped serving")]
    Serve(#[source] std::io::Error),
}

/// Serves a router on `listen` until the *hard* shutdown, so that probes can watch a drain.
///
/// # Errors
/// When the address cannot be bound or serving fails.
pub async fn serve_admin(listen: SocketAddr, router: Router, shutdown: Shutdown) -> Result<(), AdminError> {
    let listener =
        tokio::net::TcpListener::bind(listen).await.map_err(|source| AdminError::Listen { address: listen, source })?;
    serve_admin_on(listener, router, shutdown).await
}

/// Like [`serve_admin`], on a listener that is already bound.
///
/// # Errors
/// When serving fails.
pub async fn serve_admin_on(
    listener: tokio::net::TcpListener,
    router: Router,
    shutdown: Shutdown,
) -> Result<(), AdminError> {
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "admin port open");
    }
    let stop = async move { shutdown.hard().await };
    axum::serve(listener, router).with_graceful_shutdown(stop).await.map_err(AdminError::Serve)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::Value;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    /// A GET without a client library: the status line's code and the body.
    async fn http_get(address: SocketAddr, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    #[tokio::test]
    async fn the_endpoints_answer_until_the_hard_shutdown() {
        let health = Health::new("test");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (trigger, shutdown) = Shutdown::new();
        let metrics = crate::telemetry::init_metrics();
        let app = router(health.clone(), Some(metrics));
        let serving = tokio::spawn(serve_admin_on(listener, app, shutdown));

        assert_eq!(http_get(address, "/health/live").await.0, 200);
        assert_eq!(http_get(address, "/health/ready").await.0, 200);
        health.set_fact("fsync", "on");
        health.unhealthy("redis", "not reachable");
        trigger.soft();
        let (code, body) = http_get(address, "/health/ready").await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((code, &body["status"]), (503, &Value::from("not_ready")));
        assert_eq!(body["components"][0]["reason"], "not reachable");
        assert_eq!(body["settings"]["fsync"], "on");
        metrics::counter!("results_stale_total").increment(1);
        let (code, text) = http_get(address, "/metrics").await;
        assert!(code == 200 && text.contains("# TYPE results_stale_total counter"), "{text}");

        trigger.hard();
        serving.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_taken_port_is_named_in_the_error() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let app = router(Health::new("test"), None);
        let error = serve_admin(address, app, Shutdown::never()).await.unwrap_err();
        assert!(error.to_string().contains(&address.to_string()));
    }
}
