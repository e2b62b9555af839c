//! Small pieces of English that several messages share.

use super::civil::WEEKDAYS;

/// How much of a user's text a message repeats, in characters.
const SHOWN: usize = 32;

/// The user's text in quotes, escaped and cut to a length that fits a sentence.
pub(super) fn quoted(text: &str) -> String {
    if text.chars().count() <= SHOWN {
        return format!("{text:?}");
    }
    let start: String = text.chars().take(SHOWN).collect();
    format!("{start:?}…")
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn and_list<S: AsRef<str>>(items: &[S]) -> String {
    joined(items, "and")
}

/// `a`, `a or b`, `a, b or c`.
pub(super) fn or_list<S: AsRef<str>>(items: &[S]) -> String {
    joined(items, "or")
}

fn joined<S: AsRef<str>>(items: &[S], word: &str) -> String {
    let Some((last, rest)) = items.split_last() else {
        return String::new();
    };
    if rest.is_empty() {
        return last.as_ref().to_owned();
    }
    let rest: Vec<&str> = rest.iter().map(AsRef::as_ref).collect();
    format!("{} {word} {}", rest.join(", "), last.as_ref())
}

/// A list in which three and more neighbours become `a to b`.
pub(super) fn runs(values: &[u32], name: impl Fn(u32) -> String) -> String {
    let mut parts = Vec::new();
    for run in values.chunk_by(|left, right| left + 1 == *right) {
        match run {
            [first, _, .., last] if run.len() > 2 => parts.push(format!("{} to {}", name(*first), name(*last))),
            _ => parts.extend(run.iter().map(|value| name(*value))),
        }
    }
    and_list(&parts)
}

/// Weekdays as people say them: `Monday to Friday`, `Sunday to Thursday`, `Monday, Wednesday and Friday`. Bit 0 is Sunday.
pub(super) fn weekdays(days: u32) -> String {
    let has = |day: u32| days >> (day % 7) & 1 == 1;
    // A run that goes round the end of the week is said as one, if there is nothing beside it.
    let begins: Vec<u32> = (1..=7).filter(|day| has(*day) && !has(day + 6)).collect();
    let first = if let [only] = begins[..] { only } else { 1 };
    let listed: Vec<u32> = (first..first + 7).filter(|day| has(*day)).collect();
    runs(&listed, |day| WEEKDAYS[day as usize % 7].to_owned())
}

/// `1st`, `2nd`, `3rd`, `4th`, `11th` …
pub(super) fn ordinal(number: u32) -> String {
    let suffix = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

/// The candidate that a misspelt name most likely meant, if one is near enough.
pub(super) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // The distance costs the product of both lengths: a long text is no misspelt name.
    if name.len() > 64 {
        return None;
    }
    let lower = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// That a name refers to nothing, with the one that was probably meant.
pub(super) fn unknown_name<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let hint = nearest(name, known).map(|near| format!(": did you mean {near:?}?")).unwrap_or_default();
    format!("there is no {what} {}{hint}", quoted(name))
}
