//! Accepts connections and serves them: bounded in number, and waiting for no client for ever.

mod greeting;

use axum::Router;
use greeting::Greeting;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use scheduler_core::lifecycle::Shutdown;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// A pause after the system had no means for one more connection.
const BREATH: Duration = Duration::from_secs(1);

/// What clients may ask of the service's patience.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time; more wait in the backlog of the system.
    pub connections: usize,
    /// How long the head of a request may take to arrive, an idle connection may stay open, and an HTTP/2 client may be
    /// silent before it is asked for a sign of life and again before it is given up.
    pub patience: Duration,
}

/// Serves until the soft shutdown, then lets requests under way finish until the hard one.
pub async fn serve(listener: TcpListener, routes: Router, limits: Limits, shutdown: &Shutdown) {
    let http = protocol(limits.patience);
    let slots = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    loop {
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await.expect("nobody closes it");
            (slot, accept(&listener).await)
        };
        let (slot, stream) = tokio::select! {
            accepted = next => accepted,
            () = shutdown.soft() => break,
        };
        let io = TokioIo::new(Greeting::new(stream, limits.patience));
        let connection = http.serve_connection(io, TowerToHyperService::new(routes.clone())).into_owned();
        let connection = graceful.watch(connection);
        let hard = shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(error, "a connection broke off");
                },
                () = hard.hard() => {}
            }
            drop(slot);
        });
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = shutdown.hard() => tracing::warn!("requests under way were abandoned"),
    }
}

/// HTTP/1 and HTTP/2 on one port, both with an end to waiting.
fn protocol(patience: Duration) -> Builder<TokioExecutor> {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(patience);
    http.http2().timer(TokioTimer::new()).keep_alive_interval(patience).keep_alive_timeout(patience);
    http
}

/// The next connection. Errors are of single connections, or pass.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are small: they must not wait for more to send.
                let _slower_without = stream.set_nodelay(true);
                return stream;
            }
            Err(error) if is_of_one_connection(error.kind()) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted; trying again in a second");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

fn is_of_one_connection(error: ErrorKind) -> bool {
    matches!(error, ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset)
}

#[cfg(test)]
mod tests;
