//! What a setting may hold: kinds and their limits.

use std::time::Duration;

use super::section::Service;

/// The declaration of one setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its full name, `section.key`.
    pub name: &'static str,
    /// Its default, written as in the environment. Empty means: not set.
    pub default: &'static str,
    /// What it may hold.
    pub kind: Kind,
    /// What it means.
    pub doc: &'static str,
    /// Who reads it.
    pub services: &'static [Service],
}

impl Setting {
    /// Whether it may be left empty: exactly when its default is.
    pub fn optional(&self) -> bool {
        self.default.is_empty()
    }
}

/// What a setting may hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A whole number within limits, both included.
    Integer {
        /// The smallest allowed.
        min: u64,
        /// The largest allowed.
        max: u64,
    },
    /// A number within limits, both included.
    Decimal {
        /// The smallest allowed.
        min: f64,
        /// The largest allowed.
        max: f64,
    },
    /// A length of time, given as a number of units, fractions allowed.
    Duration {
        /// What the number counts; the name of the setting ends with it.
        unit: TimeUnit,
        /// The smallest allowed, in units.
        min: f64,
        /// The largest allowed, in units.
        max: f64,
    },
    /// A number of bytes within limits, plain or with `KiB`, `MiB` or `GiB`.
    Bytes {
        /// The smallest allowed.
        min: u64,
        /// The largest allowed.
        max: u64,
    },
    /// `true` or `false`.
    Bool,
    /// Any text of one line.
    Text,
    /// Up to 64 letters, digits and `_ - . :`.
    Name,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Text that is never shown.
    Secret,
    /// A URL with one of these schemes; passwords in it are never shown.
    Url(&'static [&'static str]),
    /// An address `IP:port`, or one of these words.
    Address(&'static [&'static str]),
    /// Names of lanes, each with `=n` if it has a limit of its own.
    Lanes,
}

/// The unit of a [`Kind::Duration`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    /// Thousandths of a second.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Hours.
    Hours,
}

impl TimeUnit {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            TimeUnit::Milliseconds => "milliseconds",
            TimeUnit::Seconds => "seconds",
            TimeUnit::Hours => "hours",
        }
    }

    /// The end of the names of settings in this unit.
    pub fn suffix(self) -> &'static str {
        match self {
            TimeUnit::Milliseconds => "_ms",
            TimeUnit::Seconds => "_seconds",
            TimeUnit::Hours => "_hours",
        }
    }

    pub(super) fn to_duration(self, count: f64) -> Duration {
        Duration::from_secs_f64(match self {
            TimeUnit::Milliseconds => count / 1000.0,
            TimeUnit::Seconds => count,
            TimeUnit::Hours => count * 3600.0,
        })
    }
}

impl Kind {
    /// A length of time in seconds.
    pub const fn seconds(min: f64, max: f64) -> Kind {
        Kind::Duration { unit: TimeUnit::Seconds, min, max }
    }

    /// A whole number.
    pub const fn integer(min: u64, max: u64) -> Kind {
        Kind::Integer { min, max }
    }

    /// What is allowed, as the end of the sentence "expected …".
    pub fn allowed(&self) -> String {
        match self {
            Kind::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Kind::Decimal { min, max } => format!("a number from {min} to {max}"),
            Kind::Duration { unit, min, max } => {
                format!("a number of {} from {min} to {max}", unit.word())
            }
            Kind::Bytes { min, max } => {
                format!("a size from {} to {}, such as 512KiB or 10MiB", size(*min), size(*max))
            }
            Kind::Bool => "true or false".to_owned(),
            Kind::Text => "text of one line".to_owned(),
            Kind::Name => "up to 64 letters, digits and _ - . :".to_owned(),
            Kind::Choice(words) => format!("one of {}", words.join(", ")),
            Kind::Secret => "text without white space".to_owned(),
            Kind::Url(schemes) => format!("a URL that begins with {}://", schemes.join(":// or ")),
            Kind::Address([]) => "an address such as 127.0.0.1:8080".to_owned(),
            Kind::Address(words) => {
                format!("an address such as 127.0.0.1:8080, or {}", words.join(", or "))
            }
            Kind::Lanes => "names of lanes, such as default or default=256,slow=32".to_owned(),
        }
    }

    /// Whether values of this kind must not be shown as they are.
    pub fn is_secret(&self) -> bool {
        matches!(self, Kind::Secret | Kind::Url(_))
    }
}

/// Units of sizes, as powers of two, the largest first.
pub(super) const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];

/// Writes a size with the largest unit that fits it exactly.
pub(super) fn size(bytes: u64) -> String {
    for (name, shift) in UNITS {
        if bytes > 0 && bytes.is_multiple_of(1 << shift) {
            return format!("{}{name}", bytes >> shift);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_with_their_largest_exact_unit() {
        assert_eq!(size(10 << 20), "10MiB");
        assert_eq!(size(1500), "1500");
        assert_eq!(size(0), "0");
    }

    #[test]
    fn every_kind_can_say_what_it_allows() {
        assert_eq!(Kind::integer(1, 5).allowed(), "a whole number from 1 to 5");
        assert_eq!(Kind::seconds(0.5, 5.0).allowed(), "a number of seconds from 0.5 to 5");
        assert_eq!(Kind::Url(&["redis", "rediss"]).allowed(), "a URL that begins with redis:// or rediss://");
    }
}
