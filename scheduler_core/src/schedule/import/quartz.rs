//! Quartz cron expressions: seconds first, weekdays from 1 (Sunday) to 7.

use super::super::words::quoted;
use super::{Draft, Import, cron, is_touched_by_clock_changes};

/// Reads Quartz expressions, one a line, with an optional `name = ` before each; lines that begin with `#` are comments.
pub fn quartz(text: &str, zone: &str) -> Import {
    let mut import = Import::default();
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with("# ") || line == "#" {
            continue;
        }
        let (name, expression) = match line.split_once('=') {
            Some((name, expression)) => (name.trim().to_owned(), expression.trim()),
            None => (format!("quartz-{number}"), line),
        };
        let place = format!("line {number}");
        match converted(expression.trim_matches(['"', '\''])) {
            Err(detail) => import.problem(place, detail),
            Ok(expression) => {
                let mut draft = Draft::new(place, &name, cron(&expression, zone));
                if is_touched_by_clock_changes(&draft.schedule) {
                    draft.schedule["dst_gap"] = "skip".into();
                    draft.schedule["dst_fold"] = "last".into();
                    let detail = "like Quartz, it leaves out times that a clock change removes and runs at the second of \
                                  those that come twice: without dst_gap and dst_fold, it would run once in either case";
                    draft.warnings.push(detail.to_owned());
                }
                draft.finish(&mut import);
            }
        }
    }
    import
}

/// The expression with weekdays numbered as here. The error is a sentence.
fn converted(expression: &str) -> Result<String, String> {
    let mut fields: Vec<String> = expression.split_ascii_whitespace().map(ToOwned::to_owned).collect();
    if !(6..=7).contains(&fields.len()) {
        return Err(format!("found {} fields; Quartz has 6 (second first) or 7 (year last)", fields.len()));
    }
    if fields[3].to_ascii_uppercase().contains('L')
        && fields[3].to_ascii_uppercase().ends_with('W')
        && fields[3].len() > 2
    {
        return Err(format!("{} (a weekday near a day before the last) has no counterpart here", quoted(&fields[3])));
    }
    let week: Result<Vec<String>, String> = fields[5].split(',').map(weekday_item).collect();
    fields[5] = week?.join(",");
    Ok(fields.join(" "))
}

/// One item of the day-of-week field.
fn weekday_item(item: &str) -> Result<String, String> {
    if item.eq_ignore_ascii_case("L") {
        return Ok("SAT".to_owned());
    }
    let (base, step) = item.split_once('/').map_or((item, None), |(base, step)| (base, Some(step)));
    let mut converted = match base.split_once('#') {
        Some((day, nth)) => format!("{}#{nth}", weekday(day)?),
        None => match base.strip_suffix(['L', 'l']) {
            Some(day) => format!("{}L", weekday(day)?),
            None => base.split('-').map(weekday).collect::<Result<Vec<_>, _>>()?.join("-"),
        },
    };
    if let Some(step) = step {
        // `2/2` goes up to 7, Saturday, which is 6 here.
        if !base.contains('-') && base != "*" {
            converted += "-6";
        }
        converted += &format!("/{step}");
    }
    Ok(converted)
}

/// A weekday by name stays; 1 to 7 become 0 to 6.
fn weekday(day: &str) -> Result<String, String> {
    if day.is_empty() || !day.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(day.to_owned());
    }
    match day.parse::<u32>() {
        Ok(number @ 1..=7) => Ok((number - 1).to_string()),
        _ => Err(format!("{} is no weekday of Quartz; they are numbered 1 (Sunday) to 7", quoted(day))),
    }
}
