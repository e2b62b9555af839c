//! The grammar of one field: a comma-separated list of items.

use super::super::words::quoted;
use super::field::Field;

/// One item of a field's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// From `first` to `last` in steps; `last < first` goes round the end of the field.
    Range { first: u32, last: u32, step: u32 },
    /// `L`, `L-3`: so many days before the last day of the month.
    LastDay { before: u32 },
    /// `15W`: the weekday (Monday to Friday) nearest to that day, within the month.
    NearestWeekday { day: u32 },
    /// `LW`: the last weekday of the month.
    LastWeekday,
    /// `FRI#2`: the second Friday of the month; the weekday is 0 to 7.
    Nth { weekday: u32, nth: u32 },
    /// `H`, `H(0-7)`, `H/15`: a value between the two that the template decides; with a step, every so many from the
    /// one that it decides.
    Hash { first: u32, last: u32, step: Option<u32> },
    /// `FRIL`: the last Friday of the month; the weekday is 0 to 7.
    LastOfWeekday { weekday: u32 },
}

/// What is wrong, and at which byte of the field.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) detail: String,
}

/// Whether the field begins like "every": the flag by which cron decides how days combine and what is wall-clock.
pub(super) fn starts_with_star(text: &str) -> bool {
    text.starts_with(['*', '?'])
}

/// Whether the field is every so many from a hashed start: like `*/15`, it follows real time through clock changes.
pub(super) fn starts_with_hashed_step(text: &str) -> bool {
    text.starts_with("H/") || text.starts_with("h/")
}

/// All items of a field.
pub(super) fn items(field: Field, text: &str) -> Result<Vec<Item>, Fault> {
    let mut items = Vec::new();
    let mut at = 0;
    for part in text.split(',') {
        let problem = |detail| Fault { at, detail };
        if part.is_empty() && text.contains(',') {
            return Err(problem("an item of the list is empty".to_owned()));
        }
        if part == "?" && text != "?" {
            return Err(problem("`?` must stand alone".to_owned()));
        }
        items.push(item(field, part).map_err(problem)?);
        at += part.len() + 1;
    }
    Ok(items)
}

fn item(field: Field, text: &str) -> Result<Item, String> {
    let (base, step) = match text.split_once('/') {
        Some((base, step)) => (base, Some(self::step(field, step)?)),
        None => (text, None),
    };
    if let Some((first, last)) = hash(field, base)? {
        return Ok(Item::Hash { first, last, step });
    }
    if let Some(special) = special(field, base)? {
        return match step {
            None => Ok(special),
            Some(_) => Err(format!("{} cannot have a step", quoted(base))),
        };
    }
    let (smallest, largest) = field.range();
    let (first, last) = match base {
        "*" if field == Field::DayOfWeek => (0, 6),
        "*" => (smallest, largest),
        "?" if !field.selects_days() => {
            return Err("`?` is allowed only in day-of-month and day-of-week; write `*`".to_owned());
        }
        "?" if step.is_some() => return Err("`?` cannot have a step; write `*`".to_owned()),
        "?" => (smallest, largest),
        _ => match base.split_once('-') {
            Some((first, last)) => range(field, base, first, last)?,
            None if step.is_some() => (field.value(base)?, largest),
            None => field.value(base).map(|value| (value, value))?,
        },
    };
    Ok(Item::Range { first, last, step: step.unwrap_or(1) })
}

fn range(field: Field, whole: &str, first: &str, last: &str) -> Result<(u32, u32), String> {
    if first.is_empty() || last.is_empty() {
        return Err(format!("the range {} lacks one of its ends", quoted(whole)));
    }
    let (first, last) = (field.value(first)?, field.value(last)?);
    if field == Field::Year && last < first {
        return Err(format!("the range {} ends before it begins", quoted(whole)));
    }
    Ok((first, last))
}

fn step(field: Field, text: &str) -> Result<u32, String> {
    let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u32>().ok()).flatten();
    // In day-of-month larger steps are in use: `*/100,1-7` with a weekday is the old way to say "the first Monday".
    let largest = if field == Field::DayOfMonth { 999 } else { field.count() };
    match number {
        Some(0) => Err(format!("a step of 0 never moves on; allowed are 1-{largest}")),
        Some(step) if step <= largest => Ok(step),
        Some(step) => Err(format!("the step {step} is larger than the field; allowed are 1-{largest}")),
        None if text.is_empty() => Err("the number after `/` is missing".to_owned()),
        None => Err(format!("the step {} is not a whole number", quoted(text))),
    }
}

/// `H` and `H(0-7)`: between which values the template decides.
fn hash(field: Field, base: &str) -> Result<Option<(u32, u32)>, String> {
    let Some(rest) = base.strip_prefix(['H', 'h']).filter(|rest| rest.is_empty() || rest.starts_with('(')) else {
        return Ok(None);
    };
    let largest = match field {
        // Every month has them.
        Field::DayOfMonth => 28,
        Field::DayOfWeek => 6,
        Field::Year => return Err("`H` has no meaning for years".to_owned()),
        _ => field.range().1,
    };
    if rest.is_empty() {
        return Ok(Some((field.range().0, largest)));
    }
    let inner = rest[1..].strip_suffix(')').and_then(|inner| inner.split_once('-'));
    let Some((first, last)) = inner else {
        return Err(format!("{} is not understood: `H` takes a range, such as H(0-7)", quoted(base)));
    };
    let (first, last) = (field.value(first)?, field.value(last)?);
    if first > last {
        return Err(format!("the range of {} ends before it begins", quoted(base)));
    }
    if last > largest {
        return Err(format!("the range of {} ends after {largest}, up to which `H` may choose", quoted(base)));
    }
    Ok(Some((first, last)))
}

/// Items that are neither `*` nor values: `L`, `W`, `#`.
fn special(field: Field, base: &str) -> Result<Option<Item>, String> {
    let upper = base.to_ascii_uppercase();
    match field {
        Field::DayOfMonth => special_day_of_month(&upper),
        Field::DayOfWeek => special_day_of_week(&upper),
        _ => Ok(None),
    }
}

fn special_day_of_month(text: &str) -> Result<Option<Item>, String> {
    match text {
        "L" => return Ok(Some(Item::LastDay { before: 0 })),
        "LW" => return Ok(Some(Item::LastWeekday)),
        _ => {}
    }
    if let Some(before) = text.strip_prefix("L-") {
        let number = before.parse::<u32>().ok().filter(|_| before.bytes().all(|byte| byte.is_ascii_digit()));
        return match number {
            Some(before @ 0..=30) => Ok(Some(Item::LastDay { before })),
            _ => Err(format!("{} is not a number of days before the last one; allowed are L-0 to L-30", quoted(text))),
        };
    }
    match text.strip_suffix('W') {
        Some(day) if !day.is_empty() && day.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(Some(Item::NearestWeekday { day: Field::DayOfMonth.value(day)? }))
        }
        _ => Ok(None),
    }
}

fn special_day_of_week(text: &str) -> Result<Option<Item>, String> {
    if let Some((weekday, nth)) = text.split_once('#') {
        let weekday = Field::DayOfWeek.value(weekday)?;
        return match nth {
            "1" | "2" | "3" | "4" | "5" => Ok(Some(Item::Nth { weekday, nth: u32::from(nth.as_bytes()[0] - b'0') })),
            _ => Err(format!("{} is not a week of the month; allowed after `#` are 1-5", quoted(nth))),
        };
    }
    match text.strip_suffix('L') {
        Some("") => Err("a bare `L` has no weekday: write FRIL for the last Friday, or SAT for Saturday".to_owned()),
        Some(weekday) if !weekday.contains('-') => {
            Ok(Some(Item::LastOfWeekday { weekday: Field::DayOfWeek.value(weekday)? }))
        }
        _ => Ok(None),
    }
}
