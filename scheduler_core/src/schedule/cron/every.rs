//! `@every 90s`: an interval in the place of an expression.

use super::super::words::quoted;

/// The length of an `@every` in seconds; `None` when the text is something else. The error is a sentence.
pub(super) fn parse(expression: &str) -> Option<Result<u64, String>> {
    let trimmed = expression.trim_ascii();
    let rest = trimmed.get(..6).filter(|word| word.eq_ignore_ascii_case("@every")).map(|_| &trimmed[6..])?;
    let length = rest.trim_ascii_start();
    if length.len() == rest.len() && !length.is_empty() {
        return None;
    }
    Some(seconds(length).ok_or_else(|| {
        let found = if length.is_empty() { "nothing".to_owned() } else { quoted(length) };
        format!("after `@every` stands a length of whole seconds such as 90s, 5m or 1h30m; found {found}")
    }))
}

/// `1h30m` in seconds, at least 1.
fn seconds(text: &str) -> Option<u64> {
    let (mut total, mut digits) = (0_u64, String::new());
    for char in text.chars() {
        let unit = match char {
            '0'..='9' => {
                digits.push(char);
                continue;
            }
            'd' => 86_400,
            'h' => 3_600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        total = total.checked_add(digits.parse::<u64>().ok()?.checked_mul(unit)?)?;
        digits.clear();
    }
    (digits.is_empty() && total > 0).then_some(total)
}
