//! Clients that are slow, silent or many.
#![allow(clippy::unwrap_used)]

use super::*;
use axum::routing::get;
use scheduler_core::lifecycle::ShutdownTrigger;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;

/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(20);

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

async fn slow() -> &'static str {
    tokio::time::sleep(Duration::from_millis(300)).await;
    "done"
}

async fn start(connections: usize, patience: Duration) -> (SocketAddr, ShutdownTrigger, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (trigger, shutdown) = Shutdown::new();
    let routes = Router::new().route("/", get(|| async { "hello" })).route("/slow", get(slow));
    let limits = Limits { connections, patience };
    let server = tokio::spawn(async move { serve(listener, routes, limits, &shutdown).await });
    (address, trigger, server)
}

async fn say(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// Everything until the server closes.
async fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    // A reset is an end as well.
    let _ = tokio::time::timeout(LONG, stream.read_to_end(&mut text)).await.expect("the server closes in time");
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn who_says_nothing_or_stops_half_way_is_cut_off() {
    let (address, _trigger, _server) = start(10, Duration::from_millis(100)).await;
    for begun in ["", "G", "GET / HTTP/1.1\r\nhost: a\r\nx-a:", "PRI * HT", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let heard = rest(say(address, begun.as_bytes()).await).await;
        assert!(!heard.contains("hello"), "{begun}: {heard}");
    }
    // One that is answered may ask again, and is cut off once it is idle.
    let mut stream = say(address, REQUEST).await;
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    stream.write_all(REQUEST).await.unwrap();
    let heard = rest(stream).await;
    assert_eq!((&first, heard.matches("hello").count()), (b"HTTP/1.1 200", 2), "{heard}");
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let (address, _trigger, _server) = start(1, LONG).await;
    let mut holder = say(address, REQUEST).await;
    holder.read_exact(&mut [0; 12]).await.unwrap();
    let mut second = say(address, REQUEST).await;
    let early = tokio::time::timeout(Duration::from_millis(100), second.read_exact(&mut [0; 12])).await;
    assert!(early.is_err(), "served beside the first one");
    drop(holder);
    let mut status = [0; 12];
    tokio::time::timeout(LONG, second.read_exact(&mut status)).await.expect("its turn comes").unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
}

#[tokio::test]
async fn a_soft_shutdown_finishes_what_runs_and_a_hard_one_does_not_wait() {
    let (address, trigger, server) = start(10, LONG).await;
    let mut idle = say(address, REQUEST).await;
    idle.read_exact(&mut [0; 12]).await.unwrap();
    let mut busy = say(address, b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\nGET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    // The first of the two is answered, so the second one runs.
    busy.read_exact(&mut [0; 12]).await.unwrap();
    trigger.soft();
    assert!(rest(busy).await.contains("done"));
    rest(idle).await;
    tokio::time::timeout(LONG, server).await.expect("it ends by itself").unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "the port is free");

    let (address, trigger, server) = start(10, LONG).await;
    let silent = say(address, b"GET / HT").await;
    trigger.hard();
    tokio::time::timeout(LONG, server).await.expect("it ends at once").unwrap();
    rest(silent).await;
}
