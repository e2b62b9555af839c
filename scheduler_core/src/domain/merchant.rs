//! Merchants' API keys: what they may do, how they are written.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

/// What an API key may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, ToSchema)]
pub enum Scope {
    /// Read jobs, executions and dead letters.
    #[serde(rename = "jobs:read")]
    JobsRead,
    /// Create, cancel, retry and redrive jobs.
    #[serde(rename = "jobs:write")]
    JobsWrite,
    /// Read templates and preview schedules.
    #[serde(rename = "templates:read")]
    TemplatesRead,
    /// Create, change, pause, trigger and delete templates.
    #[serde(rename = "templates:write")]
    TemplatesWrite,
    /// See queues.
    #[serde(rename = "queues:read")]
    QueuesRead,
    /// Pause and resume queues.
    #[serde(rename = "queues:write")]
    QueuesWrite,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 6] = [
        Self::JobsRead,
        Self::JobsWrite,
        Self::TemplatesRead,
        Self::TemplatesWrite,
        Self::QueuesRead,
        Self::QueuesWrite,
    ];

    /// The name in keys, in the API and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JobsRead => "jobs:read",
            Self::JobsWrite => "jobs:write",
            Self::TemplatesRead => "templates:read",
            Self::TemplatesWrite => "templates:write",
            Self::QueuesRead => "queues:read",
            Self::QueuesWrite => "queues:write",
        }
    }
}

impl std::str::FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|scope| scope.as_str()).collect();
            format!("`{text}` is no scope; allowed: {}", names.join(", "))
        })
    }
}

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// An API key as its owner holds it: `sk_<public id>_<secret>`.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKeySecret {
    /// Public half: names the key in lists and logs.
    pub id: String,
    secret: String,
}

impl std::fmt::Debug for ApiKeySecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApiKeySecret({}, ***)", self.id)
    }
}

impl ApiKeySecret {
    /// A new key: 12 characters of id, 43 of secret (256 bits).
    pub fn generate() -> Self {
        Self { id: random_base62(12), secret: random_base62(43) }
    }

    /// Reads the written form; `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix("sk_")?.split_once('_')?;
        let plain = |part: &str, max: usize| {
            !part.is_empty() && part.len() <= max && part.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        (plain(id, 32) && plain(secret, 128)).then(|| Self { id: id.to_owned(), secret: secret.to_owned() })
    }

    /// The written form, shown once to its owner.
    pub fn reveal(&self) -> String {
        format!("sk_{}_{}", self.id, self.secret)
    }

    /// What the database keeps. A plain hash is enough for 256 random bits.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret.as_bytes()).into()
    }
}

fn random_base62(length: usize) -> String {
    use rand::RngExt as _;
    let mut rng = rand::rng();
    (0..length).map(|_| char::from(BASE62[rng.random_range(0..BASE62.len())])).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_key_survives_being_written_and_read() {
        let key = ApiKeySecret::generate();
        let read = ApiKeySecret::parse(&key.reveal()).unwrap();
        assert_eq!(read, key);
        assert_eq!(read.hash(), key.hash());
        assert!(!format!("{key:?}").contains(&key.secret));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "sk_", "sk_abc", "sk_abc_", "pk_abc_def", "sk_a-b_cdef", "sk_abc_d f"] {
            assert_eq!(ApiKeySecret::parse(text), None, "{text}");
        }
    }
}
