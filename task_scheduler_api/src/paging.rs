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

/// The parameters of every list. Flattening is not possible in strict queries, so lists repeat the two fields and build
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

    /// The id that the page before ended with.
    pub fn after(&self) -> Result<Option<Uuid>, Problem> {
        self.cursor.as_deref().map(parse_cursor).transpose()
    }
}

/// Opaque to callers: the last id in hex behind a version digit, so that another kind of cursor can follow.
fn parse_cursor(text: &str) -> Result<Uuid, Problem> {
    let id = text.strip_prefix('1').and_then(|hex| Uuid::try_parse(hex).ok());
    id.ok_or_else(|| Problem::invalid_field("/cursor", "is no cursor of this list; give `next_cursor` of the page before unchanged"))
}

impl<T> Page<T> {
    /// A page of at most `limit` of `rows`, which were asked for with one more to see whether there is a next page.
    pub fn of(mut rows: Vec<T>, limit: usize, id: impl Fn(&T) -> Uuid) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(|last| format!("1{}", id(last).simple()));
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
        let page = Page::of(ids.clone(), 2, |id| *id);
        let paging = Paging { limit: Some(2), cursor: page.next_cursor };
        assert_eq!((page.data.len(), paging.after().unwrap()), (2, Some(ids[1])));
        assert_eq!(Page::of(ids, 3, |id| *id).next_cursor, None);
    }

    #[test]
    fn bad_limits_and_cursors_are_refused() {
        for limit in [0, 201, u32::MAX] {
            assert!(Paging { limit: Some(limit), cursor: None }.limit().is_err());
        }
        for cursor in ["", "1", "zz", "2deadbeef", "1'; DROP TABLE"] {
            assert!(Paging { limit: None, cursor: Some(cursor.to_owned()) }.after().is_err(), "{cursor}");
        }
    }
}
