//! Typed ids: a `MerchantId` cannot stand where a `JobId` belongs.

use serde::{Deserialize, Serialize};
use uuid::{NoContext, Timestamp, Uuid};

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

typed_id!(
    /// A tenant.
    MerchantId
);
typed_id!(
    /// A job. Version 7: ids sort by creation, which is the order of lists and keeps inserts at the right edge of the index.
    JobId
);
typed_id!(
    /// A recurring definition.
    TemplateId
);
typed_id!(
    /// The run of one executor process.
    SessionId
);
typed_id!(
    /// Fencing token of a claim, and the id of the execution it stands for.
    ///
    /// 128 random bits rather than a sequence: a database that lost its last moments in a crash cannot hand the same one out twice.
    Token
);

/// A version 7 id for the given instant.
fn v7_at(now: chrono::DateTime<chrono::Utc>) -> Uuid {
    let seconds = u64::try_from(now.timestamp()).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.timestamp_subsec_nanos()))
}

impl JobId {
    /// A new id whose time part is `now`.
    pub fn new_at(now: chrono::DateTime<chrono::Utc>) -> Self {
        Self(v7_at(now))
    }
}

impl TemplateId {
    /// A new id whose time part is `now`.
    pub fn new_at(now: chrono::DateTime<chrono::Utc>) -> Self {
        Self(v7_at(now))
    }
}

impl MerchantId {
    /// A new id whose time part is `now`.
    pub fn new_at(now: chrono::DateTime<chrono::Utc>) -> Self {
        Self(v7_at(now))
    }
}

impl SessionId {
    /// A new random session id.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl Token {
    /// A new random token.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}
