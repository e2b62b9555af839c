//! Times of day as three bit sets, as cron expressions and recurrence rules name them.

/// Every combination of an hour, a minute and a second. Each set has at least one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeSet {
    /// Bits 0 to 23.
    pub(super) hours: u64,
    /// Bits 0 to 59.
    pub(super) minutes: u64,
    /// Bits 0 to 59.
    pub(super) seconds: u64,
}

/// Every minute of the hour, every second of the minute.
pub(super) const ALL_SIXTY: u64 = (1 << 60) - 1;

/// Every hour of the day.
pub(super) const ALL_HOURS: u64 = (1 << 24) - 1;

impl TimeSet {
    /// The first time of the day, in seconds from midnight.
    pub(super) fn first(&self) -> i64 {
        first(self.hours) * 3_600 + first(self.minutes) * 60 + first(self.seconds)
    }

    /// The first time that is not before `from`.
    pub(super) fn at_or_after(&self, from: i64) -> Option<i64> {
        let (hour, minute, second) = (from / 3_600, from / 60 % 60, from % 60);
        if has(self.hours, hour) {
            if has(self.minutes, minute)
                && let Some(second) = at_or_after(self.seconds, second)
            {
                return Some(hour * 3_600 + minute * 60 + second);
            }
            if let Some(minute) = at_or_after(self.minutes, minute + 1) {
                return Some(hour * 3_600 + minute * 60 + first(self.seconds));
            }
        }
        let hour = at_or_after(self.hours, hour + 1)?;
        Some(hour * 3_600 + first(self.minutes) * 60 + first(self.seconds))
    }

    /// How many times a day has.
    pub(super) fn count(&self) -> i64 {
        i64::from(self.hours.count_ones() * self.minutes.count_ones() * self.seconds.count_ones())
    }

    /// How many of them are not before `from`.
    pub(super) fn count_from(&self, from: i64) -> i64 {
        let ones = |bits: u64| i64::from(bits.count_ones());
        let (hour, minute, second) = (from / 3_600, from / 60 % 60, from % 60);
        let mut count = ones(rest(self.hours, hour + 1)) * ones(self.minutes) * ones(self.seconds);
        if has(self.hours, hour) {
            count += ones(rest(self.minutes, minute + 1)) * ones(self.seconds);
            if has(self.minutes, minute) {
                count += ones(rest(self.seconds, second));
            }
        }
        count
    }

    /// The time with so many times of the day before it; `None` when there are not so many.
    pub(super) fn nth(&self, index: i64) -> Option<i64> {
        let ones = |bits: u64| i64::from(bits.count_ones());
        let (seconds, minutes) = (ones(self.seconds), ones(self.minutes));
        let hour = nth(self.hours, index / (seconds * minutes))?;
        let minute = nth(self.minutes, index / seconds % minutes)?;
        Some(hour * 3_600 + minute * 60 + nth(self.seconds, index % seconds)?)
    }
}

fn has(bits: u64, value: i64) -> bool {
    bits >> value & 1 == 1
}

fn first(bits: u64) -> i64 {
    i64::from(bits.trailing_zeros())
}

/// The members that are not before `value`; `value` is at most 60.
fn rest(bits: u64, value: i64) -> u64 {
    bits & (u64::MAX << value)
}

fn at_or_after(bits: u64, value: i64) -> Option<i64> {
    let rest = rest(bits, value);
    (rest != 0).then(|| first(rest))
}

fn nth(mut bits: u64, index: i64) -> Option<i64> {
    for _ in 0..index {
        bits &= bits.wrapping_sub(1);
    }
    (bits != 0).then(|| first(bits))
}
