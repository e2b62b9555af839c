//! Calendars that were read lately, parsed.

use crate::schedule::Calendar;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use uuid::Uuid;

/// The cache of this process.
pub(super) static KNOWN: LazyLock<CalendarCache> = LazyLock::new(CalendarCache::default);

/// Whose calendar, and its name.
pub(crate) type CalendarKey = (Uuid, String);

/// What tells whether a calendar is still the one that was read: a name can be deleted and given again, and then begins
/// with version 1 anew.
pub(super) type Stamp = (i32, DateTime<Utc>);

/// The most calendars that are kept. They are a few kilobytes each, seldom up to a quarter of a megabyte.
const MOST: usize = 1_000;

/// Calendars by their keys, each with what it was when it was read. Nobody may use one without asking the database for its
/// stamp: this saves reading and parsing, and never decides.
#[derive(Debug, Default)]
pub(super) struct CalendarCache(Mutex<HashMap<CalendarKey, (Stamp, Arc<Calendar>)>>);

impl CalendarCache {
    /// What was read last, if it is still known.
    pub fn get(&self, key: &CalendarKey) -> Option<(Stamp, Arc<Calendar>)> {
        self.0.lock().get(key).cloned()
    }

    /// Keeps a calendar. When there is no room all others are forgotten: whoever uses more than fit reads them again now and
    /// then, and nobody has to keep an order.
    pub fn put(&self, key: CalendarKey, stamp: Stamp, calendar: Arc<Calendar>) {
        let mut known = self.0.lock();
        if known.len() >= MOST && !known.contains_key(&key) {
            known.clear();
        }
        known.insert(key, (stamp, calendar));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn it_is_bounded_and_keeps_the_latest() {
        let cache = CalendarCache::default();
        let key = |n: usize| (Uuid::nil(), n.to_string());
        let stamp = |version| (version, DateTime::UNIX_EPOCH);
        for n in 0..3 * MOST {
            cache.put(key(n), stamp(1), Arc::default());
            assert!(cache.0.lock().len() <= MOST);
        }
        cache.put(key(3 * MOST - 1), stamp(2), Arc::default());
        assert_eq!(cache.get(&key(3 * MOST - 1)).unwrap().0, stamp(2));
    }
}
