//! A cap on how much is done per second.

use std::time::Instant;

/// A bucket that fills with time: `per_second` items a second, a fifth of that at once.
#[derive(Debug)]
pub(crate) struct Pace {
    per_second: f64,
    available: f64,
    filled_at: Instant,
}

impl Pace {
    /// A full bucket.
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        let per_second = f64::from(per_second.max(1));
        Self { per_second, available: Self::capacity(per_second), filled_at: now }
    }

    fn capacity(per_second: f64) -> f64 {
        (per_second / 5.0).max(1.0)
    }

    /// How many items may be done now, `most` at the most.
    pub(crate) fn allowance(&mut self, now: Instant, most: usize) -> usize {
        let grown = now.saturating_duration_since(self.filled_at).as_secs_f64() * self.per_second;
        self.available = (self.available + grown).min(Self::capacity(self.per_second));
        self.filled_at = now;
        // Whole items: at most the capacity, which fits.
        (self.available as usize).min(most)
    }

    /// Items were done.
    pub(crate) fn spend(&mut self, items: usize) {
        self.available -= items as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn no_second_sees_more_than_its_share_and_a_fifth() {
        let start = Instant::now();
        let mut pace = Pace::new(1_000, start);
        let mut done = 0;
        for ms in 0..=1_000 {
            let allowed = pace.allowance(start + Duration::from_millis(ms), 500);
            pace.spend(allowed);
            done += allowed;
        }
        assert!((1_100..=1_200).contains(&done), "{done}");
    }

    #[test]
    fn the_slowest_pace_is_one_a_second_and_idling_saves_nothing_up() {
        let start = Instant::now();
        let mut pace = Pace::new(0, start);
        let later = start + Duration::from_secs(3600);
        assert_eq!(pace.allowance(later, 500), 1);
        pace.spend(1);
        assert_eq!(pace.allowance(later + Duration::from_millis(900), 500), 0);
        assert_eq!(pace.allowance(later + Duration::from_millis(1_100), 500), 1);
    }
}
