//! Why there was no answer, in a sentence for people, and whether trying again can help.

use crate::targets::address::{AddressRefused, NotResolved};
use std::error::Error;
use std::io;
use std::time::Duration;

/// A request that got no answer.
#[derive(Debug)]
pub(super) struct RequestFailed {
    pub(super) sentence: String,
    pub(super) retryable: bool,
}

impl RequestFailed {
    /// A failure that repeating cannot mend.
    pub(super) fn for_good(sentence: String) -> Self {
        Self { sentence, retryable: false }
    }

    /// Reads what the client says. URLs are left out: they may hold secrets.
    pub(super) fn of(error: reqwest::Error, connect_timeout: Duration) -> Self {
        if let Some(refused) = find::<AddressRefused>(&error) {
            return Self::for_good(refused.to_string());
        }
        let sentence = if let Some(unresolved) = find::<NotResolved>(&error) {
            match &unresolved.source {
                Some(cause) => format!("{unresolved}: {cause}"),
                None => unresolved.to_string(),
            }
        } else if error.is_connect() && error.is_timeout() {
            format!("no connection within {} s", connect_timeout.as_secs_f64())
        } else if let Some(known) = find::<io::Error>(&error).and_then(|cause| known_cause(cause.kind())) {
            known.to_owned()
        } else if error.is_connect() {
            format!("could not connect: {}", root(&error))
        } else {
            format!("no answer: {}", root(&error))
        };
        Self { sentence, retryable: !error.is_builder() }
    }
}

fn known_cause(kind: io::ErrorKind) -> Option<&'static str> {
    Some(match kind {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::ConnectionReset => "connection reset by the other side",
        io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
            "connection closed by the other side"
        }
        io::ErrorKind::HostUnreachable => "host unreachable",
        io::ErrorKind::NetworkUnreachable => "network unreachable",
        io::ErrorKind::TimedOut => "connection timed out",
        _ => return None,
    })
}

/// An error and its causes.
fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let this = next?;
        next = this.source();
        Some(this)
    })
}

/// The first error of this type in a chain of causes.
fn find<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    chain(error).find_map(|error| error.downcast_ref())
}

/// The last cause, which names what happened.
fn root(error: &reqwest::Error) -> String {
    match chain(error).skip(1).last() {
        Some(cause) => cause.to_string(),
        None if error.is_timeout() => "timed out".to_owned(),
        None => "the request could not be sent".to_owned(),
    }
}
