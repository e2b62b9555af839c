//! The seven fields of an expression: their names, ranges and vocabulary.

use super::super::words::{nearest, quoted};

/// First and last year of the year field.
pub(super) const YEARS: (u32, u32) = (1970, 2099);

const MONTH_NAMES: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAY_NAMES: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// A position in a cron expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Second,
    Minute,
    Hour,
    DayOfMonth,
    Month,
    DayOfWeek,
    Year,
}

impl Field {
    /// The fields of a seven-field expression, in order; six fields leave out the last, five the first too.
    pub(super) const ALL: [Field; 7] =
        [Field::Second, Field::Minute, Field::Hour, Field::DayOfMonth, Field::Month, Field::DayOfWeek, Field::Year];

    pub(super) fn name(self) -> &'static str {
        match self {
            Field::Second => "second",
            Field::Minute => "minute",
            Field::Hour => "hour",
            Field::DayOfMonth => "day-of-month",
            Field::Month => "month",
            Field::DayOfWeek => "day-of-week",
            Field::Year => "year",
        }
    }

    /// Smallest and largest number. In day-of-week both are Sunday.
    pub(super) fn range(self) -> (u32, u32) {
        match self {
            Field::Second | Field::Minute => (0, 59),
            Field::Hour => (0, 23),
            Field::DayOfMonth => (1, 31),
            Field::Month => (1, 12),
            Field::DayOfWeek => (0, 7),
            Field::Year => YEARS,
        }
    }

    /// How many different values there are.
    pub(super) fn count(self) -> u32 {
        let (first, last) = self.range();
        if self == Field::DayOfWeek { 7 } else { last - first + 1 }
    }

    /// Whether it is one of the two fields that select days.
    pub(super) fn selects_days(self) -> bool {
        matches!(self, Field::DayOfMonth | Field::DayOfWeek)
    }

    /// Names of its values, beginning with the smallest number.
    fn vocabulary(self) -> &'static [&'static str] {
        match self {
            Field::Month => &MONTH_NAMES,
            Field::DayOfWeek => &DAY_NAMES,
            _ => &[],
        }
    }

    /// What a single value may be, for messages.
    fn allowed(self) -> String {
        let (first, last) = self.range();
        match self {
            Field::Month => format!("{first}-{last} and JAN-DEC"),
            Field::DayOfWeek => format!("{first}-{last} (0 and 7 are Sunday) and SUN-SAT"),
            _ => format!("{first}-{last}"),
        }
    }

    /// A single value, by number or by name. The error is the middle of a sentence.
    pub(super) fn value(self, text: &str) -> Result<u32, String> {
        if text.is_empty() {
            return Err(format!("a value is missing; allowed are {}", self.allowed()));
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return self.number(text);
        }
        let by_name = self.vocabulary().iter().position(|name| name.eq_ignore_ascii_case(text));
        match by_name.and_then(|index| u32::try_from(index).ok()) {
            Some(index) => Ok(self.range().0 + index),
            None => Err(self.not_a_value(text)),
        }
    }

    fn number(self, digits: &str) -> Result<u32, String> {
        let (first, last) = self.range();
        let number = digits.parse::<u32>().ok().filter(|number| (first..=last).contains(number));
        number.ok_or_else(|| {
            let hint = match (self, digits) {
                (Field::Hour, "24") => "; midnight is hour 0 of the next day",
                (Field::Minute | Field::Second, "60") => "; a full round is 0 of the next one",
                _ => "",
            };
            format!("{} is out of range; allowed are {}{hint}", quoted(digits), self.allowed())
        })
    }

    /// Why a text that is no number is no value either, with what was probably meant.
    fn not_a_value(self, text: &str) -> String {
        let found = quoted(text);
        let upper = text.to_ascii_uppercase();
        let others = [Field::Month, Field::DayOfWeek].into_iter().filter(|other| *other != self);
        for other in others {
            if other.vocabulary().contains(&upper.as_str()) {
                return format!("{found} is a name of the {} field; allowed here are {}", other.name(), self.allowed());
            }
        }
        let vocabulary = self.vocabulary().iter().copied();
        let meant = vocabulary.clone().find(|name| self.is_long_form(name, &upper));
        match meant.or_else(|| nearest(&upper, vocabulary)) {
            Some(name) => format!("{found} is not known: did you mean {name}? allowed are {}", self.allowed()),
            None => format!("{found} is not a value; allowed are {}", self.allowed()),
        }
    }

    /// Whether `upper` is the English word that the short `name` stands for, or a longer piece of it.
    fn is_long_form(self, name: &str, upper: &str) -> bool {
        let words: &[&str] = match self {
            Field::Month => &super::super::civil::MONTHS,
            _ => &super::super::civil::WEEKDAYS,
        };
        let word = words.iter().map(|word| word.to_ascii_uppercase()).find(|word| word.starts_with(name));
        upper.len() > name.len() && word.is_some_and(|word| word.starts_with(upper))
    }
}
