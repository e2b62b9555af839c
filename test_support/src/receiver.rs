//! A webhook receiver: the target that stands outside the system.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// One request that arrived.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// When, on the monotonic clock.
    pub at: Instant,
    /// Request method.
    pub method: Method,
    /// Path and query.
    pub uri: Uri,
    /// Request headers.
    pub headers: HeaderMap,
    /// Request body.
    pub body: Bytes,
}

impl Delivery {
    /// A header's value; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// What the receiver answers.
#[derive(Clone, Debug)]
pub struct Script {
    /// Status code.
    pub status: u16,
    /// Extra response headers.
    pub headers: Vec<(String, String)>,
    /// Response body.
    pub body: String,
    /// Wait before answering.
    pub delay: Duration,
}

impl Script {
    /// An empty answer with this status, at once.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new(), delay: Duration::ZERO }
    }

    /// The same with a header more.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with a body.
    pub fn body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }

    /// The same after a wait.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

#[derive(Default)]
struct Shared {
    deliveries: Mutex<Vec<Delivery>>,
    /// Answers still to give; the last one repeats.
    scripts: Mutex<Vec<Script>>,
    arrived: Notify,
}

/// Listens on a loopback port and records what arrives; answers 200 unless told otherwise.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

impl Receiver {
    /// Starts on a free port.
    pub async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let app = Router::new().fallback(receive).with_state(shared.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, shared, server }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A URL of it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What to answer from now on: one script a request, the last one for ever.
    pub fn answer(&self, mut scripts: Vec<Script>) {
        scripts.reverse();
        *self.shared.scripts.lock() = scripts;
    }

    /// Everything that has arrived so far.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.deliveries.lock().clone()
    }

    /// Waits until `n` requests have arrived; panics after `limit`.
    pub async fn wait_for(&self, n: usize, limit: Duration) -> Vec<Delivery> {
        let enough = async {
            loop {
                let arrived = self.shared.arrived.notified();
                let deliveries = self.deliveries();
                if deliveries.len() >= n {
                    return deliveries;
                }
                arrived.await;
            }
        };
        match tokio::time::timeout(limit, enough).await {
            Ok(deliveries) => deliveries,
            Err(_) => panic!("{} of {n} deliveries within {limit:?}", self.deliveries().len()),
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    shared.deliveries.lock().push(Delivery { at: Instant::now(), method, uri, headers, body });
    shared.arrived.notify_waiters();
    let script = {
        let mut scripts = shared.scripts.lock();
        match scripts.len() {
            0 => Script::status(200),
            1 => scripts[0].clone(),
            _ => scripts.pop().expect("not empty"),
        }
    };
    tokio::time::sleep(script.delay).await;
    let mut response = (StatusCode::from_u16(script.status).unwrap(), script.body).into_response();
    for (name, value) in script.headers {
        let name: HeaderName = name.parse().unwrap();
        response.headers_mut().append(name, HeaderValue::from_str(&value).unwrap());
    }
    response
}
