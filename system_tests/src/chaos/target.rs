//! The target that the jobs call: outside of the system, and the oracle of what was executed.

use super::wall_clock;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// How a visit ended.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum End {
    /// It was answered with this status.
    Answered(u16),
    /// The caller hung up first.
    HungUp,
}

/// One call of a job.
#[derive(Clone, Debug)]
pub struct Visit {
    /// `X-Job-Id`.
    pub job: Uuid,
    /// `X-Execution-Id`.
    pub execution: Uuid,
    /// `X-Attempt`.
    pub attempt: i32,
    /// The merchant for whom the payload was written.
    pub merchant: usize,
    /// When it arrived.
    pub arrived: DateTime<Utc>,
    /// How and when it ended; `None`: it is still here.
    pub ended: Option<(DateTime<Utc>, End)>,
}

type Visits = Arc<Mutex<Vec<Visit>>>;

/// Listens on a loopback port; does what the job's payload says.
pub struct Target {
    address: SocketAddr,
    visits: Visits,
    server: tokio::task::JoinHandle<()>,
}

impl Target {
    /// Starts on a free port.
    pub async fn start() -> Self {
        let visits = Visits::default();
        let app = Router::new().fallback(visit).with_state(Arc::clone(&visits));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, visits, server }
    }

    /// Where jobs call it.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// All visits so far, in the order of their arrival.
    pub fn visits(&self) -> Vec<Visit> {
        self.visits.lock().clone()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A visit under way; dropped by the server when the caller hangs up.
struct Guest {
    visits: Visits,
    index: usize,
    end: End,
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.visits.lock()[self.index].ended = Some((wall_clock(), self.end));
    }
}

async fn visit(State(visits): State<Visits>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let payload: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let (Ok(job), Ok(execution), Ok(attempt)) =
        (header("x-job-id").parse(), header("x-execution-id").parse(), header("x-attempt").parse::<i32>())
    else {
        return StatusCode::BAD_REQUEST;
    };
    let merchant = payload["merchant"].as_u64().unwrap_or(u64::MAX) as usize;
    let index = {
        let mut all = visits.lock();
        all.push(Visit { job, execution, attempt, merchant, arrived: wall_clock(), ended: None });
        all.len() - 1
    };
    let mut guest = Guest { visits, index, end: End::HungUp };
    // The n-th attempt does the n-th thing, the last one for ever.
    let steps = payload["steps"].as_array().cloned().unwrap_or_default();
    let step = steps.get(attempt.max(1) as usize - 1).or(steps.last());
    let (status, wait) = match step {
        Some(step) => (step[0].as_u64().unwrap_or(200) as u16, step[1].as_u64().unwrap_or(0)),
        None => (200, 0),
    };
    tokio::time::sleep(Duration::from_millis(wait)).await;
    guest.end = End::Answered(status);
    StatusCode::from_u16(status).unwrap_or(StatusCode::OK)
}
