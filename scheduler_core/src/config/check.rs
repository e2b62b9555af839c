//! The check of a given value against the kind of its setting.

use std::net::SocketAddr;
use std::time::Duration;

use config::{Value, ValueKind};
use url::Url;

use super::kind::{Kind, UNITS};
use super::types::Lanes;

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
            Kind::Name => name(&text?).map(Checked::Text),
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

fn name(text: &str) -> Option<String> {
    let letter = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
    one_word(text).filter(|text| text.len() <= 64 && text.chars().all(letter))
}

/// Reads `64KiB`, `10 MiB` and the like.
fn parse_size(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (count, unit) = text.split_at(digits);
    let unit = unit.trim();
    let (_, shift) = UNITS.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    count.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::config::TimeUnit;

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
        assert!(check(Kind::Name, "prod-eu:1").is_some());
        assert!(check(Kind::Name, "{prod}").is_none());
    }

    #[test]
    fn empty_is_allowed_only_where_nothing_is_the_default() {
        let empty = Value::new(None, "  ");
        assert_eq!(Kind::Secret.check(&empty, true), Some(Checked::Text(String::new())));
        assert_eq!(Kind::Secret.check(&empty, false), None);
    }
}
