//! What a setting may hold: kinds, their limits, and the check of a given value.

use std::net::SocketAddr;
use std::time::Duration;

use config::{Value, ValueKind};
use url::Url;

use super::section::Service;
use super::types::Lanes;

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

    fn to_duration(self, count: f64) -> Duration {
        Duration::from_secs_f64(match self {
            TimeUnit::Milliseconds => count / 1000.0,
            TimeUnit::Seconds => count,
            TimeUnit::Hours => count * 3600.0,
        })
    }
}

/// A value that has passed the check of its kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Checked {
    /// [`Kind::Integer`] and [`Kind::Bytes`].
    Integer(u64),
    /// [`Kind::Decimal`].
    Decimal(f64),
    /// [`Kind::Duration`].
    Duration(Duration),
    /// [`Kind::Bool`].
    Bool(bool),
    /// Everything that is text; empty when not set.
    Text(String),
    /// [`Kind::Lanes`].
    Lanes(Lanes),
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

    /// Checks a value; `None` when it is not allowed. `optional` allows the empty text.
    pub fn check(&self, value: &Value, optional: bool) -> Option<Checked> {
        let text = text_of(value);
        if optional && text.as_deref().is_some_and(|text| text.trim().is_empty()) {
            return Some(Checked::Text(String::new()));
        }
        match self {
            Kind::Integer { min, max } => {
                let number = whole_number(value)?;
                (*min..=*max).contains(&number).then_some(Checked::Integer(number))
            }
            Kind::Bytes { min, max } => {
                let bytes = whole_number(value).or_else(|| parse_size(text?.trim()))?;
                (*min..=*max).contains(&bytes).then_some(Checked::Integer(bytes))
            }
            Kind::Decimal { min, max } => {
                let number = number(value)?;
                (*min..=*max).contains(&number).then_some(Checked::Decimal(number))
            }
            Kind::Duration { unit, min, max } => {
                let count = number(value)?;
                let allowed = (*min..=*max).contains(&count);
                allowed.then(|| Checked::Duration(unit.to_duration(count)))
            }
            Kind::Bool => boolean(value).map(Checked::Bool),
            Kind::Lanes => Lanes::parse(&items(value)?).map(Checked::Lanes),
            Kind::Text => one_line(&text?).map(Checked::Text),
            Kind::Secret => one_word(&text?).map(Checked::Text),
            Kind::Choice(words) => {
                let word = text?.trim().to_ascii_lowercase();
                words.contains(&word.as_str()).then_some(Checked::Text(word))
            }
            Kind::Url(schemes) => {
                let word = one_word(&text?)?;
                let url = Url::parse(&word).ok()?;
                schemes.contains(&url.scheme()).then_some(Checked::Text(word))
            }
            Kind::Address(words) => {
                let word = one_word(&text?)?.to_ascii_lowercase();
                let fine = words.contains(&word.as_str()) || word.parse::<SocketAddr>().is_ok();
                fine.then_some(Checked::Text(word))
            }
        }
    }
}

fn text_of(value: &Value) -> Option<String> {
    match &value.kind {
        ValueKind::String(text) => Some(text.clone()),
        _ => None,
    }
}

/// A whole number, as a number of the file or as text.
fn whole_number(value: &Value) -> Option<u64> {
    match &value.kind {
        ValueKind::I64(number) => u64::try_from(*number).ok(),
        ValueKind::U64(number) => Some(*number),
        ValueKind::String(text) => text.trim().replace('_', "").parse().ok(),
        _ => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    let number = match &value.kind {
        ValueKind::I64(number) => *number as f64,
        ValueKind::U64(number) => *number as f64,
        ValueKind::Float(number) => *number,
        ValueKind::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

fn boolean(value: &Value) -> Option<bool> {
    match &value.kind {
        ValueKind::Boolean(value) => Some(*value),
        ValueKind::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// The items of a list: an array of texts, or one text with commas.
fn items(value: &Value) -> Option<Vec<String>> {
    match &value.kind {
        ValueKind::String(text) => {
            let parts = text.split(',').map(|part| part.trim().to_owned());
            Some(parts.filter(|part| !part.is_empty()).collect())
        }
        ValueKind::Array(values) => values.iter().map(text_of).collect(),
        _ => None,
    }
}

fn one_line(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && !text.contains(char::is_control)).then(|| text.to_owned())
}

fn one_word(text: &str) -> Option<String> {
    one_line(text).filter(|text| !text.contains(char::is_whitespace))
}

const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];

/// Reads `64KiB`, `10 MiB` and the like.
fn parse_size(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (count, unit) = text.split_at(digits);
    let unit = unit.trim();
    let (_, shift) = UNITS.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    count.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Writes a size with the largest unit that fits it exactly.
pub fn size(bytes: u64) -> String {
    for (name, shift) in UNITS {
        if bytes > 0 && bytes.is_multiple_of(1 << shift) {
            return format!("{}{name}", bytes >> shift);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn check(kind: Kind, value: impl Into<ValueKind>) -> Option<Checked> {
        kind.check(&Value::new(None, value), false)
    }

    #[test]
    fn numbers_have_limits_and_a_type() {
        let kind = Kind::integer(1, 500);
        assert_eq!(check(kind, 500_i64), Some(Checked::Integer(500)));
        assert_eq!(check(kind, " 17 "), Some(Checked::Integer(17)));
        for bad in ["0", "501", "-1", "1.5", "x", "", "1e2"] {
            assert_eq!(check(kind, bad), None, "{bad:?}");
        }
        assert_eq!(check(kind, true), None);
        assert_eq!(check(kind, 2.0), None);
        assert_eq!(check(kind, -1_i64), None);
    }

    #[test]
    fn durations_take_fractions_of_their_unit() {
        let kind = Kind::seconds(0.05, 60.0);
        assert_eq!(check(kind, "0.25"), Some(Checked::Duration(Duration::from_millis(250))));
        assert_eq!(check(kind, 2_i64), Some(Checked::Duration(Duration::from_secs(2))));
        for bad in ["NaN", "inf", "-2", "61", "2s"] {
            assert_eq!(check(kind, bad), None, "{bad}");
        }
        let hours = Kind::Duration { unit: TimeUnit::Hours, min: 0.0, max: 100.0 };
        assert_eq!(check(hours, "1.5"), Some(Checked::Duration(Duration::from_secs(5400))));
    }

    #[test]
    fn sizes_read_and_write_units() {
        let kind = Kind::Bytes { min: 1, max: 1 << 30 };
        for (text, bytes) in [("10MiB", 10 << 20), ("64 kib", 64 << 10), ("123", 123)] {
            assert_eq!(check(kind, text), Some(Checked::Integer(bytes)), "{text}");
        }
        for bad in ["10MB", "MiB", "2GiB", "99999999999999999999GiB", "1.5MiB"] {
            assert_eq!(check(kind, bad), None, "{bad}");
        }
        assert_eq!((size(10 << 20), size(1500), size(0)), ("10MiB".into(), "1500".into(), "0".into()));
    }

    #[test]
    fn booleans_take_the_usual_words_and_nothing_else() {
        assert_eq!(check(Kind::Bool, "Yes"), Some(Checked::Bool(true)));
        assert_eq!(check(Kind::Bool, false), Some(Checked::Bool(false)));
        assert_eq!(check(Kind::Bool, "2"), None);
        assert_eq!(check(Kind::Bool, 1_i64), None);
    }

    #[test]
    fn texts_urls_addresses_and_choices() {
        let url = Kind::Url(&["postgres", "postgresql"]);
        assert!(check(url, "postgres://u:p@localhost/db").is_some());
        assert!(check(url, "mysql://localhost/db").is_none());
        assert!(check(url, "localhost:5432").is_none());
        let address = Kind::Address(&["auto", "off"]);
        assert_eq!(check(address, "OFF"), Some(Checked::Text("off".into())));
        assert!(check(address, "[::1]:80").is_some());
        assert!(check(address, "localhost:80").is_none());
        assert!(check(address, "on").is_none());
        assert_eq!(check(Kind::Choice(&["json"]), "JSON"), Some(Checked::Text("json".into())));
        assert!(check(Kind::Text, "two\nlines").is_none());
        assert!(check(Kind::Secret, "two words").is_none());
    }

    #[test]
    fn empty_is_allowed_only_where_nothing_is_the_default() {
        let empty = Value::new(None, "  ");
        assert_eq!(Kind::Secret.check(&empty, true), Some(Checked::Text(String::new())));
        assert_eq!(Kind::Secret.check(&empty, false), None);
    }

    #[test]
    fn every_kind_can_say_what_it_allows() {
        assert_eq!(Kind::integer(1, 5).allowed(), "a whole number from 1 to 5");
        assert_eq!(Kind::seconds(0.5, 5.0).allowed(), "a number of seconds from 0.5 to 5");
        assert_eq!(
            Kind::Url(&["redis", "rediss"]).allowed(),
            "a URL that begins with redis:// or rediss://"
        );
    }
}
