//! The first bytes of an answer are kept; the rest is read for a while, so that the connection can be used again.

use reqwest::Response;
use std::time::Duration;

/// How much is read beyond what is kept before the connection is given up instead.
const DRAIN_BYTES: usize = 64 * 1024;
/// How long a body may take. The status has said what counts: a slow body must not turn a success into a time-out.
const BODY_TIME: Duration = Duration::from_secs(5);

/// What was kept.
#[derive(Default)]
pub(super) struct Captured {
    pub(super) bytes: Vec<u8>,
    /// The answer was longer, or broke off.
    pub(super) truncated: bool,
}

/// Reads a body, keeping its first `limit` bytes.
pub(super) async fn capture(mut response: Response, limit: usize) -> Captured {
    let mut captured = Captured::default();
    let whole = tokio::time::timeout(BODY_TIME, read(&mut response, limit, &mut captured)).await;
    captured.truncated |= !whole.unwrap_or(false);
    captured
}

/// Whether the end was reached.
async fn read(response: &mut Response, limit: usize, captured: &mut Captured) -> bool {
    let mut beyond = 0;
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let kept = chunk.len().min(limit - captured.bytes.len());
                captured.bytes.extend_from_slice(&chunk[..kept]);
                beyond += chunk.len() - kept;
                captured.truncated |= kept < chunk.len();
                if beyond > DRAIN_BYTES {
                    return false;
                }
            }
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}
