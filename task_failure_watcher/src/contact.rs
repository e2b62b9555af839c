//! For how long the database could be reached without a break.
//!
//! A silent session proves nothing by itself: when the database is away, nobody can renew. So a watcher renews a session
//! of its own and counts only time in which that worked.

use chrono::{DateTime, Utc};
use std::time::{Duration, Instant};

/// Unbroken contact with the database.
#[derive(Clone, Copy, Debug)]
pub struct Contact {
    /// The longest time between two renewals that is still unbroken.
    longest_gap: Duration,
    span: Option<Span>,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    since: Instant,
    last: Instant,
    last_renewed_at: DateTime<Utc>,
}

impl Contact {
    /// No contact yet. An outage that is shorter than `longest_gap` may go unnoticed between two renewals; half of the
    /// time after which sessions are lost leaves executors enough of it.
    pub fn new(longest_gap: Duration) -> Self {
        Self { longest_gap, span: None }
    }

    /// A renewal was sent and answered; the database says that it happened at `renewed_at`.
    ///
    /// Contact begins anew after a gap (the answer was long in coming, or this process was stopped), and when the
    /// database's clock leapt forward: all sessions look older than they are then.
    pub fn renewed(&mut self, received: Instant, renewed_at: DateTime<Utc>) {
        let since = match self.span {
            Some(span) if self.is_unbroken(&span, received, renewed_at) => span.since,
            _ => received,
        };
        self.span = Some(Span { since, last: received, last_renewed_at: renewed_at });
    }

    fn is_unbroken(&self, span: &Span, received: Instant, renewed_at: DateTime<Utc>) -> bool {
        let gap = received.saturating_duration_since(span.last);
        let by_database = (renewed_at - span.last_renewed_at).to_std().unwrap_or_default();
        gap <= self.longest_gap && by_database <= gap + self.longest_gap
    }

    /// A renewal failed.
    pub fn broken(&mut self) {
        self.span = None;
    }

    /// How long it has been unbroken, up to a renewal that was sent at `sent`.
    pub fn held_at(&self, sent: Instant) -> Duration {
        self.span.map_or(Duration::ZERO, |span| sent.saturating_duration_since(span.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    const SECOND: Duration = Duration::from_secs(1);

    /// A contact that is renewed at these seconds, with the database's clock going along.
    fn renewed_at(seconds: &[u32]) -> (Contact, Instant) {
        let (mut contact, start) = (Contact::new(SECOND * 4), Instant::now());
        for &second in seconds {
            contact.renewed(start + SECOND * second, DateTime::UNIX_EPOCH + SECOND * second);
        }
        (contact, start)
    }

    #[test]
    fn it_counts_from_the_first_answer() {
        let (contact, start) = renewed_at(&[]);
        assert_eq!(contact.held_at(start + SECOND * 100), Duration::ZERO);
        let (contact, start) = renewed_at(&[10, 12, 14, 18]);
        assert_eq!(contact.held_at(start + SECOND * 18), SECOND * 8);
        assert_eq!(contact.held_at(start), Duration::ZERO);
    }

    #[test]
    fn a_failure_or_a_gap_begins_it_anew() {
        let (contact, start) = renewed_at(&[0, 2, 7, 8]);
        assert_eq!(contact.held_at(start + SECOND * 8), SECOND);
        let (mut contact, start) = renewed_at(&[0, 2]);
        contact.broken();
        assert_eq!(contact.held_at(start + SECOND * 3), Duration::ZERO);
        contact.renewed(start + SECOND * 3, DateTime::UNIX_EPOCH);
        assert_eq!(contact.held_at(start + SECOND * 5), SECOND * 2);
    }

    #[test]
    fn a_database_clock_that_leaps_forward_begins_it_anew() {
        let (mut contact, start) = renewed_at(&[0, 2]);
        contact.renewed(start + SECOND * 3, DateTime::UNIX_EPOCH + TimeDelta::seconds(30));
        assert_eq!(contact.held_at(start + SECOND * 3), Duration::ZERO);
        // Back again: sessions look younger, which harms nobody.
        contact.renewed(start + SECOND * 4, DateTime::UNIX_EPOCH + TimeDelta::seconds(4));
        assert_eq!(contact.held_at(start + SECOND * 4), SECOND);
    }
}
