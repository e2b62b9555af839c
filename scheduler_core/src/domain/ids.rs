//! Typed ids: a `MerchantId` cannot stand where a `JobId` belongs.

use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU32, Ordering};
use uuid::Uuid;

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
    /// A stretch of a template's past that is run after all, or again. Version 7: ids sort by creation.
    BackfillId
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

/// Orders ids that one process makes for the same instant, such as those of a batch.
static SEQUENCE: AtomicU32 = AtomicU32::new(0);

/// A version 7 id for the given instant (RFC 9562, 5.7 and 6.2): milliseconds, 12 bits of the fraction of the
/// millisecond, 22 bits of sequence, 40 bits of chance.
fn v7_at(now: chrono::DateTime<chrono::Utc>) -> Uuid {
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or(0);
    let fraction = u64::from(now.timestamp_subsec_nanos() % 1_000_000) * 4096 / 1_000_000;
    let sequence = SEQUENCE.fetch_add(1, Ordering::Relaxed) & 0x3f_ffff;
    let mut tail: [u8; 10] = rand::random();
    tail[..2].copy_from_slice(&(fraction as u16).to_be_bytes());
    // The two upper bits of the first of these bytes belong to the variant.
    tail[2..5].copy_from_slice(&sequence.to_be_bytes()[1..]);
    uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid()
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

impl BackfillId {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use chrono::{DateTime, TimeDelta};

    #[test]
    fn ids_sort_by_time_and_then_by_order_of_making() {
        let now = DateTime::from_timestamp(1_800_000_000, 123_456_789).unwrap();
        let batch: Vec<JobId> = (0..1000).map(|_| JobId::new_at(now)).collect();
        assert!(batch.is_sorted_by(|a, b| a < b), "a batch keeps its order");
        let later = JobId::new_at(now + TimeDelta::microseconds(1));
        assert!(batch.iter().all(|id| *id < later));
        let (seconds, nanos) = later.0.get_timestamp().unwrap().to_unix();
        assert_eq!((seconds, nanos / 1_000_000), (1_800_000_000, 123));
        assert_eq!(later.0.get_version_num(), 7);
    }
}
