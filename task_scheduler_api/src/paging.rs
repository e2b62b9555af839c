//! Pages of lists: `limit` and `cursor` in, `data` and `next_cursor` out.

use crate::problem::Problem;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Rows when the caller does not say.
const DEFAULT_LIMIT: u32 = 50;
/// Most rows of a page.
const MAX_LIMIT: u32 = 200;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The rows, in the order of the list.
    pub data: Vec<T>,
    /// Give it as `cursor` for the next page; null on the last one.
    pub next_cursor: Option<String>,
}

/// The parameters of every list. Strict queries cannot flatten; a list with filters repeats the two fields and builds
/// this from them.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// Rows of a page, 1 to 200 (default 50).
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl Paging {
    /// The checked number of rows.
    pub fn limit(&self) -> Result<usize, Problem> {
        match self.limit.unwrap_or(DEFAULT_LIMIT) {
            limit @ 1..=MAX_LIMIT => Ok(limit as usize),
            _ => Err(Problem::invalid_field("/limit", format!("must be from 1 to {MAX_LIMIT}"))),
        }
    }

    /// The key that the page before ended with.
    pub fn after<K: CursorKey>(&self, list: List) -> Result<Option<K>, Problem> {
        let read = |text: &str| {
            let key = text.strip_prefix(list.prefix()).and_then(|text| hex::decode(text).ok()).and_then(K::from_bytes);
            key.ok_or_else(|| {
                Problem::invalid_field(
                    "/cursor",
                    "is no cursor of this list; give `next_cursor` of the page before unchanged",
                )
            })
        };
        self.cursor.as_deref().map(read).transpose()
    }
}

/// The lists, each with cursors of its own: one of another list is refused and not misread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum List {
    /// `GET /v1/jobs`.
    Jobs,
    /// `GET /v1/jobs/{id}/executions`.
    Executions,
    /// `GET /v1/dead-letters`.
    DeadLetters,
    /// `GET /v1/incidents`.
    Incidents,
    /// `GET /v1/queues`.
    Queues,
    /// `GET /v1/templates`.
    Templates,
    /// `GET /v1/templates/{id}/occurrences`.
    Occurrences,
    /// `GET /v1/templates/{id}/versions`.
    Versions,
    /// `GET /v1/calendars`.
    Calendars,
    /// `GET /v1/backfills`.
    Backfills,
}

impl List {
    /// What its cursors begin with: a version digit and a letter.
    fn prefix(self) -> &'static str {
        match self {
            Self::Jobs => "1j",
            Self::Executions => "1e",
            Self::DeadLetters => "1d",
            Self::Incidents => "1i",
            Self::Queues => "1q",
            Self::Templates => "1t",
            Self::Occurrences => "1o",
            Self::Versions => "1v",
            Self::Calendars => "1c",
            Self::Backfills => "1b",
        }
    }
}

/// What a list is ordered by. Cursors are opaque to callers: version and list, then the key of the last row
/// in hex.
pub trait CursorKey: Sized {
    /// The bytes that stand for the key.
    fn to_bytes(&self) -> Vec<u8>;
    /// The key again.
    fn from_bytes(bytes: Vec<u8>) -> Option<Self>;
}

impl CursorKey for Uuid {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        Self::from_slice(&bytes).ok()
    }
}

impl CursorKey for i32 {
    fn to_bytes(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_be_bytes)
    }
}

impl CursorKey for String {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        Self::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
    }
}

impl<T> Page<T> {
    /// A page of at most `limit` of `rows`, which were asked for with one more to see whether there is a next page.
    pub fn of<K: CursorKey>(list: List, mut rows: Vec<T>, limit: usize, key: impl Fn(&T) -> K) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor =
            rows.last().filter(|_| more).map(|last| format!("{}{}", list.prefix(), hex::encode(key(last).to_bytes())));
        Self { data: rows, next_cursor }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_cursor_is_the_last_id_and_the_last_page_has_none() {
        let ids: Vec<Uuid> = (1..=3).map(Uuid::from_u128).collect();
        let page = Page::of(List::Jobs, ids.clone(), 2, |id| *id);
        let paging = Paging { limit: Some(2), cursor: page.next_cursor };
        assert_eq!((page.data.len(), paging.after::<Uuid>(List::Jobs).unwrap()), (2, Some(ids[1])));
        assert!(paging.after::<Uuid>(List::DeadLetters).is_err(), "a cursor of another list");
        assert_eq!(Page::of(List::Jobs, ids, 3, |id| *id).next_cursor, None);
    }

    #[test]
    fn bad_limits_and_cursors_are_refused() {
        for limit in [0, 201, u32::MAX] {
            assert!(Paging { limit: Some(limit), cursor: None }.limit().is_err());
        }
        for cursor in ["", "1", "1j", "zz", "2deadbeef", "1'; DROP TABLE"] {
            assert!(
                Paging { limit: None, cursor: Some(cursor.to_owned()) }.after::<Uuid>(List::Jobs).is_err(),
                "{cursor}"
            );
        }
    }
}
