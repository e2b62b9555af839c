//! Names of time zones, and help for those that do not exist.

use chrono_tz::{TZ_VARIANTS, Tz};

use super::words::{nearest, quoted};

/// Abbreviations that people write and that name no zone: what they usually mean.
const ABBREVIATIONS: [(&str, &str); 14] = [
    ("PST", "America/Los_Angeles"),
    ("PDT", "America/Los_Angeles"),
    ("CST", "America/Chicago"),
    ("CDT", "America/Chicago"),
    ("EDT", "America/New_York"),
    ("BST", "Europe/London"),
    ("CEST", "Europe/Berlin"),
    ("EEST", "Europe/Athens"),
    ("MSK", "Europe/Moscow"),
    ("IST", "Asia/Kolkata"),
    ("SGT", "Asia/Singapore"),
    ("JST", "Asia/Tokyo"),
    ("AEST", "Australia/Sydney"),
    ("AEDT", "Australia/Sydney"),
];

/// The zone of an IANA name; the error is a sentence with the zone that was probably meant.
pub fn parse(name: &str) -> Result<Tz, String> {
    if let Ok(zone) = name.parse::<Tz>() {
        return Ok(zone);
    }
    let found = quoted(name);
    Err(match suggestion(name) {
        Some(zone) => format!("{found} is not an IANA time zone: did you mean \"{zone}\"?"),
        None => format!("{found} is not an IANA time zone; allowed are names such as \"UTC\" or \"America/New_York\""),
    })
}

/// By abbreviation, by fixed offset, by city, then by spelling.
fn suggestion(name: &str) -> Option<&'static str> {
    if name.is_empty() || name.len() > 64 {
        return None;
    }
    if let Some((_, zone)) = ABBREVIATIONS.iter().find(|(short, _)| short.eq_ignore_ascii_case(name)) {
        return Some(zone);
    }
    let wanted = name.replace([' ', '-'], "_");
    fixed_offset(name).or_else(|| same_city(&wanted)).or_else(|| nearest(&wanted, all_names()))
}

/// `+02:00`, `UTC+2` and the like: the zones of fixed offset have their sign the other way round.
fn fixed_offset(name: &str) -> Option<&'static str> {
    let digits = name.trim_start_matches("UTC").trim_start_matches("GMT");
    let (sign, rest) = match digits.as_bytes().first()? {
        b'+' => ('-', &digits[1..]),
        b'-' => ('+', &digits[1..]),
        _ => return None,
    };
    let rest = rest.strip_suffix(":00").or_else(|| rest.strip_suffix("00").filter(|_| rest.len() == 4)).unwrap_or(rest);
    let hours: u32 = rest.parse().ok()?;
    let wanted = format!("Etc/GMT{sign}{hours}");
    all_names().find(|zone| *zone == wanted)
}

fn same_city(wanted: &str) -> Option<&'static str> {
    all_names().find(|zone| {
        zone.eq_ignore_ascii_case(wanted)
            || zone.rsplit_once('/').is_some_and(|(_, city)| city.eq_ignore_ascii_case(wanted))
    })
}

fn all_names() -> impl Iterator<Item = &'static str> {
    TZ_VARIANTS.iter().map(|zone| zone.name())
}
