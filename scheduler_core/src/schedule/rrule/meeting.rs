//! Where a grid of real time meets times of the day: by arithmetic, however long it takes the two to meet.
//!
//! Every 97 seconds and at 03:00:00 sharp: that is once in 97 days. Going from the one to the other and back again takes as
//! many steps. But times of the day come again after a fixed number of seconds, and the grid's remainders of such numbers
//! form an arithmetic progression, whose first member within given bounds a few divisions find.

use super::super::times::{ALL_HOURS, ALL_SIXTY, TimeSet};

/// The most stretches that a search tries one by one. A set that falls into more is searched by its minutes or hours.
const MOST_STRETCHES: usize = 128;

/// Every n-th second of real time. All members are seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    /// The beginning of one of its periods, as Unix time.
    pub(super) origin: i64,
    /// From one period to the next; at least 1.
    pub(super) step: i64,
    /// How much of each period counts: 1 if only its beginning does.
    pub(super) width: i64,
}

impl Grid {
    /// The time itself if the grid holds it, otherwise the next period's beginning.
    pub(super) fn at_or_after(&self, at: i64) -> i64 {
        let within = (at - self.origin).rem_euclid(self.step);
        if within < self.width { at } else { at + self.step - within }
    }

    /// Of the stretches of `length` seconds that begin at `first` and again after each `period`: the number of the first one
    /// that holds a time of the grid.
    fn first_meeting(&self, first: i64, length: i64, period: i64) -> Option<i64> {
        // A stretch holds one when its last second is no further than this behind the beginning of a period of the grid.
        let most = length + self.width - 2;
        let behind = (first + length - 1 - self.origin).rem_euclid(self.step);
        if behind <= most {
            return Some(0);
        }
        // As `behind` is more, the bounds do not go round the end.
        first_multiple(period % self.step, self.step, self.step - behind, self.step - behind + most)
    }
}

/// Times of the day as stretches that come again and again.
#[derive(Clone, Debug)]
pub(super) struct Stretches {
    /// Seconds after which they come again: a minute, an hour or a day.
    period: i64,
    /// First second and length, in order and apart from each other.
    stretches: Vec<(i64, i64)>,
}

impl Stretches {
    /// Stretches that hold all times of a set and few others; `None` when they would be the whole day.
    pub(super) fn covering(times: &TimeSet) -> Option<Stretches> {
        let minutes = TimeSet { seconds: ALL_SIXTY, ..*times };
        let hours = TimeSet { minutes: ALL_SIXTY, ..minutes };
        let found = [*times, minutes, hours].iter().find_map(Stretches::of)?;
        let is_all = found.stretches.iter().map(|(_, length)| length).sum::<i64>() == found.period;
        (!is_all).then_some(found)
    }

    /// The stretches of a set; `None` when there are too many.
    fn of(times: &TimeSet) -> Option<Stretches> {
        let (hours, minutes, period) = match (times.hours, times.minutes) {
            (ALL_HOURS, ALL_SIXTY) => (1, 1, 60),
            (ALL_HOURS, minutes) => (1, minutes, 3_600),
            (hours, minutes) => (hours, minutes, 86_400),
        };
        let mut stretches: Vec<(i64, i64)> = Vec::new();
        for begin in members(hours).flat_map(|hour| members(minutes).map(move |minute| hour * 3_600 + minute * 60)) {
            for at in members(times.seconds).map(|second| begin + second) {
                match stretches.last_mut().filter(|(begin, length)| begin + length == at) {
                    Some((_, length)) => *length += 1,
                    None => stretches.push((at, 1)),
                }
            }
            if stretches.len() > MOST_STRETCHES {
                return None;
            }
        }
        Some(Stretches { period, stretches })
    }

    /// How many there are in a period.
    pub(super) fn count(&self) -> usize {
        self.stretches.len()
    }

    /// The first instant from `from` on that lies in a stretch and on the grid, if clocks stay `offset` seconds before UTC;
    /// `None`: there will never be one.
    pub(super) fn first_meeting(&self, grid: &Grid, from: i64, offset: i64) -> Option<i64> {
        let passed = (from + offset).rem_euclid(self.period);
        let meetings = self.stretches.iter().filter_map(|(begin, length)| {
            let ahead = begin - passed;
            if ahead < 0 && passed < begin + length {
                // The one that `from` lies in.
                let found = grid.at_or_after(from);
                if found < from + ahead + length {
                    return Some(found);
                }
            }
            let first = from + if ahead < 0 { ahead + self.period } else { ahead };
            let number = grid.first_meeting(first, *length, self.period)?;
            Some(grid.at_or_after(first + number * self.period))
        });
        meetings.min()
    }
}

fn members(bits: u64) -> impl Iterator<Item = i64> {
    let rest = |bits: &u64| Some(bits & (bits - 1)).filter(|rest| *rest != 0);
    std::iter::successors(Some(bits), rest).map(|bits| i64::from(bits.trailing_zeros()))
}

/// The least `n` for which `low <= n * factor mod modulus <= high`, where `0 < low <= high < modulus` and
/// `factor < modulus`: Euclid's algorithm on the bounds. The product of `factor` and `modulus` must not overflow.
fn first_multiple(factor: i64, modulus: i64, low: i64, high: i64) -> Option<i64> {
    if low == 0 {
        return Some(0);
    }
    if factor == 0 {
        return None;
    }
    let n = ceiling(low, factor);
    if n * factor <= high {
        return Some(n);
    }
    // The multiples of `factor` pass over the bounds: after how many rounds of the modulus do they not?
    let rounds = first_multiple(modulus % factor, factor, (-high).rem_euclid(factor), (-low).rem_euclid(factor))?;
    Some(ceiling(low + modulus * rounds, factor))
}

fn ceiling(number: i64, divisor: i64) -> i64 {
    (number + divisor - 1) / divisor
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_multiple_is_that_of_a_walk(modulus in 2..400i64, factor in 0..400i64, low in 1..400i64, length in 0..40i64) {
            let (factor, low) = (factor % modulus, 1 + low % (modulus - 1));
            let high = (low + length).min(modulus - 1);
            let walked = (0..modulus).find(|n| (low..=high).contains(&(n * factor % modulus)));
            prop_assert_eq!(first_multiple(factor, modulus, low, high), walked);
        }

        #[test]
        fn the_first_meeting_is_that_of_a_walk(
            step in 1..4_000i64, width in 1..4_000i64, origin in 0..4_000i64, offset in -7_200..7_200i64,
            from in 0..1_000_000i64, hours in 1..(1u64 << 24), minutes in 1..(1u64 << 60), seconds in 1..(1u64 << 60),
            masks in (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>()),
        ) {
            // Some sets with few members, others with all of them.
            let thin = |bits: u64, all: u64, mask: u64| match mask % 3 {
                0 => all,
                1 => bits,
                _ => Some(bits & masks.3 & (mask >> 3)).filter(|bits| *bits != 0).unwrap_or(1),
            };
            let times = TimeSet {
                hours: thin(hours, ALL_HOURS, masks.0),
                minutes: thin(minutes, ALL_SIXTY, masks.1),
                seconds: thin(seconds, ALL_SIXTY, masks.2),
            };
            let grid = Grid { origin, step, width: width.min(step) };
            let Some(stretches) = Stretches::covering(&times) else { return Ok(()) };
            let inside = |at: i64| {
                let within = (at + offset).rem_euclid(stretches.period);
                stretches.stretches.iter().any(|(begin, length)| (*begin..begin + length).contains(&within))
            };
            // All times of the set lie within, whatever else does.
            for at in from..from + 500 {
                prop_assert!(times.at_or_after((at + offset).rem_euclid(86_400)) != Some((at + offset).rem_euclid(86_400)) || inside(at));
            }
            let walked = (from..from + 20 * 86_400).find(|at| grid.at_or_after(*at) == *at && inside(*at));
            let found = stretches.first_meeting(&grid, from, offset);
            prop_assert_eq!(found.filter(|found| *found < from + 20 * 86_400), walked);
        }
    }
}
