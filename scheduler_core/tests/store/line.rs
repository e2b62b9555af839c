//! A line to PostgreSQL that goes silent, as one does whose other end has vanished without a word.

use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What comes through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Everything.
    Open,
    /// What is sent, but no answers.
    NoAnswers,
    /// Nothing.
    Silent,
}

/// A proxy; connections made in one mode follow the next.
pub struct Line {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
}

impl Line {
    pub async fn to(url: &str) -> Self {
        let server =
            url.split_once('@').map_or(url, |(_, rest)| rest).split('/').find(|part| part.contains(':')).unwrap();
        let target = server.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mode, modes) = watch::channel(Mode::Open);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&target).await else { continue };
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                tokio::spawn(copy(from_client, to_server, modes.clone(), |mode| mode != Mode::Silent));
                tokio::spawn(copy(from_server, to_client, modes.clone(), |mode| mode == Mode::Open));
            }
        });
        Self { address, mode }
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// The same database through the line.
    pub fn url(&self, url: &str) -> String {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (server, path) = rest.split_once('/').unwrap();
        let user = server.split_once('@').map(|(user, _)| format!("{user}@")).unwrap_or_default();
        format!("{scheme}://{user}{}/{path}", self.address)
    }
}

async fn copy(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut modes: watch::Receiver<Mode>,
    passes: fn(Mode) -> bool,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if modes.wait_for(|mode| passes(*mode)).await.is_err() || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
