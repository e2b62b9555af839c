//! A small TCP proxy whose connections a test can cut.

use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Forwards a loopback port to a server.
pub struct Proxy {
    port: u16,
    target: String,
    connections: Arc<Mutex<Vec<JoinHandle<()>>>>,
    acceptor: Option<JoinHandle<()>>,
}

impl Proxy {
    /// A proxy to the server of a `redis://` URL; it does not listen yet.
    pub async fn new(url: &str) -> Self {
        let port = test_support::free_port();
        let target = url.trim_start_matches("redis://").split('/').next().unwrap().to_owned();
        Self { port, target, connections: Arc::default(), acceptor: None }
    }

    /// The URL that leads through it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Lets connections in.
    pub async fn open(&mut self) {
        let address: SocketAddr = ([127, 0, 0, 1], self.port).into();
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        let listener = socket.listen(64).unwrap();
        let (target, connections) = (self.target.clone(), self.connections.clone());
        self.acceptor = Some(tokio::spawn(async move {
            loop {
                let (mut inner, _) = listener.accept().await.unwrap();
                let target = target.clone();
                connections.lock().push(tokio::spawn(async move {
                    let Ok(mut outer) = TcpStream::connect(target).await else { return };
                    let _ = tokio::io::copy_bidirectional(&mut inner, &mut outer).await;
                }));
            }
        }));
    }

    /// Cuts every connection and lets nobody in.
    pub async fn close(&mut self) {
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.abort();
            // The port is free only when the task, and the listener in it, is gone.
            let _aborted = acceptor.await;
        }
        for connection in self.connections.lock().drain(..) {
            connection.abort();
        }
    }
}
