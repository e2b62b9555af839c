//! From the text of an expression to its [`Pattern`].

use std::sync::OnceLock;

use super::super::times::TimeSet;
use super::super::words::{nearest, quoted};
use super::days::{DayOfMonth, DayOfWeek, DayRule};
use super::field::Field;
use super::hash::{self, Hashed};
use super::item::{Fault, Item, items, starts_with_hashed_step, starts_with_star};
use super::pattern::{Pattern, YearSet, expand};

/// Longest expression, in bytes; listing every value of every field stays below it.
const MAX_LENGTH: usize = 1_024;

const ALIASES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// A parsed expression.
#[derive(Debug)]
pub(super) struct Parsed {
    /// Each `H` stands for all its values.
    pub(super) pattern: Pattern,
    /// What `H` needs, if there is one.
    pub(super) hashed: Option<Hashed>,
    /// Sentences about parts that are legal and often misread.
    pub(super) hints: Vec<String>,
}

/// One field of an expression with its place.
struct Part<'a> {
    field: Field,
    /// From 1, as users count.
    number: usize,
    /// Byte offset in the expression; the expression is ASCII.
    offset: usize,
    text: &'a str,
}

/// The items of each field, in the order of [`Field::ALL`]; fields that are left out are empty.
type FieldItems = [Vec<Item>; 7];

/// Parses an expression. The errors are sentences, at most one per field.
pub(super) fn parse(expression: &str) -> Result<Parsed, Vec<String>> {
    let text = expanded(expression).map_err(|problem| vec![problem])?;
    let parts = split(text).map_err(|problem| vec![problem])?;
    let mut all: FieldItems = Default::default();
    let mut problems = Vec::new();
    for part in &parts {
        match items(part.field, part.text) {
            Ok(items) => all[part.field as usize] = items,
            Err(fault) => problems.push(part.sentence(&fault)),
        }
    }
    if !problems.is_empty() {
        problems.extend(other_order(&parts));
        return Err(problems);
    }
    let pattern = pattern(&parts, &all);
    let hints = parts.iter().filter_map(uneven_step).collect();
    let hashed = Hashed::is_needed(&all).then(|| Hashed { items: all, known: OnceLock::new() });
    Ok(Parsed { pattern, hashed, hints })
}

/// The five fields that an alias stands for; other expressions as they are, once their length and letters are sane.
fn expanded(expression: &str) -> Result<&str, String> {
    if expression.len() > MAX_LENGTH {
        return Err(format!("the expression has {} bytes; allowed are {MAX_LENGTH}", expression.len()));
    }
    let strange =
        expression.chars().zip(1..).find(|(char, _)| !char.is_ascii() || char.is_ascii_control() && *char != '\t');
    if let Some((char, position)) = strange {
        return Err(format!("character {position}: {char:?} is not allowed; expressions are plain ASCII"));
    }
    let trimmed = expression.trim_ascii();
    if !trimmed.starts_with('@') {
        return Ok(expression);
    }
    if let Some((_, fields)) = ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(trimmed)) {
        return Ok(fields);
    }
    Err(unknown_alias(trimmed))
}

fn unknown_alias(text: &str) -> String {
    let names = ALIASES.map(|(alias, _)| alias);
    if text == "@reboot" {
        return "\"@reboot\" has no meaning here: a schedule names times, and there is no machine that boots"
            .to_owned();
    }
    let hint = nearest(text, names).map(|near| format!("did you mean {near}? ")).unwrap_or_default();
    format!("{} is not known: {hint}allowed are {} and @every 90s", quoted(text), names.join(", "))
}

fn split(expression: &str) -> Result<Vec<Part<'_>>, String> {
    if let Some(prefix) = ["TZ=", "CRON_TZ="].into_iter().find(|prefix| expression.trim_ascii().starts_with(prefix)) {
        return Err(format!("`{prefix}` is not part of an expression: put the zone into the field `timezone`"));
    }
    let texts: Vec<&str> = expression.split_ascii_whitespace().collect();
    let first = match texts.len() {
        5 => 1,
        6 | 7 => 0,
        found => {
            return Err(format!(
                "found {found} field{}; allowed are 5 (minute, hour, day-of-month, month, day-of-week), 6 (second \
                 first) and 7 (second first, year last), separated by spaces",
                if found == 1 { "" } else { "s" }
            ));
        }
    };
    let mut parts = Vec::with_capacity(texts.len());
    let mut end = 0;
    for ((field, text), number) in Field::ALL.into_iter().skip(first).zip(texts).zip(1..) {
        // Only blanks lie between the end of one field and the next, so that the first match is the field.
        let offset = end + expression[end..].find(text).unwrap_or_default();
        end = offset + text.len();
        parts.push(Part { field, number, offset, text });
    }
    Ok(parts)
}

impl Part<'_> {
    fn sentence(&self, fault: &Fault) -> String {
        let character = self.offset + fault.at + 1;
        format!("field {} ({}), character {character}: {}", self.number, self.field.name(), fault.detail)
    }
}

/// Some clouds put the year last in six fields, without seconds: `0/5 * * * ? *`.
fn other_order(parts: &[Part<'_>]) -> Option<String> {
    let looks_like_it = parts.len() == 6 && parts[4].text == "?";
    looks_like_it.then(|| {
        let fields: Vec<&str> = parts.iter().map(|part| part.text).collect();
        format!(
            "six fields put the second first here: if the last one is meant as the year, write \"0 {}\"",
            fields.join(" ")
        )
    })
}

/// The pattern in which each `H` stands for all its values.
fn pattern(parts: &[Part<'_>], all: &FieldItems) -> Pattern {
    let is = |field: Field, test: fn(&str) -> bool| parts.iter().any(|part| part.field == field && test(part.text));
    let star = |field: Field| is(field, starts_with_star);
    let rhythm = |field: Field| star(field) || is(field, starts_with_hashed_step);
    let flags = Pattern {
        times: TimeSet { hours: 1, minutes: 1, seconds: 1 },
        months: 1,
        days: DayRule {
            month: DayOfMonth::default(),
            week: DayOfWeek::default(),
            both: star(Field::DayOfMonth) || star(Field::DayOfWeek),
        },
        years: years(parts, &all[Field::Year as usize]),
        elapsed: rhythm(Field::Minute) || rhythm(Field::Hour),
    };
    flags.with_items(&all.clone().map(|items| items.into_iter().map(hash::any).collect()))
}

/// `*` in the year field means every year, also those after its range.
fn years(parts: &[Part<'_>], items: &[Item]) -> Option<YearSet> {
    if items.is_empty() || parts.iter().any(|part| part.field == Field::Year && part.text == "*") {
        return None;
    }
    let mut years = YearSet::default();
    for item in items {
        if let Item::Range { first, last, step } = *item {
            expand(Field::Year, first, last, step, |year| years.insert(year));
        }
    }
    Some(years)
}

/// `*/45` does not mean every 45 minutes: the steps begin anew in each hour.
fn uneven_step(part: &Part<'_>) -> Option<String> {
    let round = match part.field {
        Field::Second => "a minute",
        Field::Minute => "an hour",
        Field::Hour => "a day",
        _ => return None,
    };
    let step: u32 = part.text.strip_prefix("*/")?.parse().ok()?;
    let (count, name) = (part.field.count(), part.field.name());
    let even = step > 0 && count.is_multiple_of(step);
    (!even).then(|| {
        let rest = count - (count - 1) / step.max(1) * step;
        format!(
            "`{}` in the {name} field: after the last one of {round}, the next follows in {rest} {name}s, not in {step}",
            part.text
        )
    })
}
