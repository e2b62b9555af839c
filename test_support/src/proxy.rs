//! A TCP proxy that breaks connections in the ways that networks do.
//!
//! It stands between a daemon and a server. Most faults know nothing of what is said. Two of them understand
//! PostgreSQL's framing, because they part a statement from its commit: [`Fault::RequestLost`] cuts before the server
//! has heard of it, [`Fault::AnswerLost`] after it has been carried out.

use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the proxy does to what passes through it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Fault {
    /// Nothing.
    None,
    /// Connections are cut; new ones are cut as soon as they are made.
    Cut,
    /// Each piece, in both directions, comes this much later.
    Delay(Duration),
    /// What clients send arrives, what servers answer does not.
    OneWay,
    /// Nothing arrives, nobody is told; such connections stay dead when the fault is over.
    HalfOpen,
    /// PostgreSQL: each n-th request is cut before the server has it.
    RequestLost(u64),
    /// PostgreSQL: each n-th request is carried out, committed, and its answer cut.
    AnswerLost(u64),
}

struct Shared {
    upstream: SocketAddr,
    fault: watch::Sender<Fault>,
    requests: AtomicU64,
    injected: AtomicU64,
    connections: Mutex<Vec<JoinHandle<()>>>,
}

/// A proxy in front of one server; ends with the value.
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    listener: JoinHandle<()>,
}

impl FaultProxy {
    /// Listens on a free port for connections to `upstream`.
    pub async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            upstream,
            fault: watch::Sender::new(Fault::None),
            requests: AtomicU64::new(0),
            injected: AtomicU64::new(0),
            connections: Mutex::new(Vec::new()),
        });
        let accepting = accept(listener, Arc::clone(&shared));
        Self { address, shared, listener: tokio::spawn(accepting) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Does this from now on, to connections that exist and to new ones.
    pub fn set(&self, fault: Fault) {
        self.shared.fault.send_replace(fault);
        if fault == Fault::Cut {
            self.shared.connections.lock().drain(..).for_each(|connection| connection.abort());
        }
    }

    /// Connections cut, requests and answers lost so far.
    pub fn injected(&self) -> u64 {
        self.shared.injected.load(Ordering::Relaxed)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.listener.abort();
        self.shared.connections.lock().drain(..).for_each(|connection| connection.abort());
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        if *shared.fault.borrow() == Fault::Cut {
            shared.injected.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        let connection = tokio::spawn(connect(client, Arc::clone(&shared)));
        let mut connections = shared.connections.lock();
        connections.retain(|connection| !connection.is_finished());
        connections.push(connection);
    }
}

async fn connect(client: TcpStream, shared: Arc<Shared>) {
    let Ok(server) = TcpStream::connect(shared.upstream).await else {
        return;
    };
    let _only_slower = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // Set by a lost answer: the connection is to end when the answer is complete.
    let doomed = Arc::new(AtomicU64::new(0));
    // Either direction's end is the end of both.
    tokio::select! {
        () = requests(from_client, to_server, &shared, &doomed) => {}
        () = answers(from_server, to_client, &shared, &doomed) => {}
    }
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared, doomed: &AtomicU64) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
        let fault = *shared.fault.borrow();
        // A piece that ends in Sync (or is a simple query) asks the server to do something.
        let asks = buffer[..length].ends_with(b"S\0\0\0\x04") || buffer[0] == b'Q';
        match fault {
            Fault::Delay(by) => tokio::time::sleep(by).await,
            Fault::HalfOpen => std::future::pending().await,
            Fault::RequestLost(every) if asks && is_turn(shared, every) => return,
            Fault::AnswerLost(every) if asks && is_turn(shared, every) => doomed.store(1, Ordering::Release),
            _ => {}
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, shared: &Shared, doomed: &AtomicU64) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
        if doomed.load(Ordering::Acquire) == 1 {
            // ReadyForQuery: the server has done what it was asked. Nobody hears of it.
            if buffer[..length].ends_with(b"Z\0\0\0\x05I") || buffer[..length].ends_with(b"Z\0\0\0\x05T") {
                return;
            }
            continue;
        }
        let fault = *shared.fault.borrow();
        match fault {
            Fault::Delay(by) => tokio::time::sleep(by).await,
            Fault::OneWay | Fault::HalfOpen => {
                shared.injected.fetch_add(1, Ordering::Relaxed);
                std::future::pending().await
            }
            _ => {}
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

fn is_turn(shared: &Shared, every: u64) -> bool {
    let turn = shared.requests.fetch_add(1, Ordering::Relaxed).is_multiple_of(every.max(1));
    shared.injected.fetch_add(u64::from(turn), Ordering::Relaxed);
    turn
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that says back what it hears.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        });
        address
    }

    async fn says_back(stream: &mut TcpStream, word: &[u8]) -> bool {
        if stream.write_all(word).await.is_err() {
            return false;
        }
        let mut heard = vec![0; word.len()];
        let read = tokio::time::timeout(Duration::from_millis(300), stream.read_exact(&mut heard)).await;
        matches!(read, Ok(Ok(_))) && heard == word
    }

    #[tokio::test]
    async fn each_fault_does_what_it_says() {
        let proxy = FaultProxy::start(echo().await).await;
        let connect = || TcpStream::connect(proxy.address());
        let mut stream = connect().await.unwrap();
        assert!(says_back(&mut stream, b"hello").await);
        proxy.set(Fault::Cut);
        assert!(!says_back(&mut stream, b"cut").await);
        assert!(!says_back(&mut connect().await.unwrap(), b"cut").await);
        proxy.set(Fault::None);
        let mut stream = connect().await.unwrap();
        assert!(says_back(&mut stream, b"again").await);
        proxy.set(Fault::HalfOpen);
        assert!(!says_back(&mut stream, b"lost").await);
        proxy.set(Fault::None);
        assert!(!says_back(&mut stream, b"stays dead").await);
        proxy.set(Fault::RequestLost(2));
        let mut stream = connect().await.unwrap();
        assert!(!says_back(&mut stream, b"XS\0\0\0\x04").await, "the first of two");
        assert!(says_back(&mut connect().await.unwrap(), b"XS\0\0\0\x04").await, "the second of two");
    }
}
