//! From the parts of a rule to what can be evaluated: what DTSTART fills in, and what COUNT and UNTIL end.

use std::sync::Arc;

use super::super::civil::DAY;
use super::super::timeline::Timeline;
use super::super::times::{ALL_HOURS, ALL_SIXTY, TimeSet};
use super::Rule;
use super::days::{ALL_MONTHS, DayFilter, MonthDays, Weekdays, Weeks, YearDays};
use super::meeting::{Grid, Stretches};
use super::parts::{Freq, Parts};
use super::real::RealRule;
use super::search::{CalendarRule, Rhythm, Unit};
use super::stamp::{Form, Stamp};

/// The largest COUNT where occurrences have to be visited to be counted.
const MAX_VISITED: u32 = 1_000;

/// Builds the rule that starts at `start`, a local time of the zone. The error is a sentence.
pub(super) fn rule(parts: Parts, start: i64, timeline: &Arc<Timeline>) -> Result<Rule, String> {
    let until = parts.until.map(|until| last_instant(until, timeline));
    if let Some(until) = until.filter(|until| *until < timeline.instant(start)) {
        return Err(format!("UNTIL ({}) lies before DTSTART: this never runs", super::shown(until)));
    }
    let positions: Vec<i64> = parts.by_set_pos.iter().map(|position| i64::from(*position)).collect();
    let rule = if parts.freq >= Freq::Daily {
        let mut rule = calendar_rule(&parts, start, positions).ok_or("DTSTART is out of range")?;
        if let Some(count) = parts.count {
            countable(count, !rule.positions.is_empty())?;
            rule.last = rule.nth(count);
        }
        Rule { calendar: Some(rule), real: None, until, parts }
    } else {
        let mut rule = real_rule(&parts, start, positions, timeline).ok_or("DTSTART is out of range")?;
        if let Some(count) = parts.count {
            countable(count, !rule.is_countable())?;
            rule.last = rule.nth(count);
        }
        Rule { calendar: None, real: Some(rule), until, parts }
    };
    Ok(rule)
}

fn countable(count: u32, visited: bool) -> Result<(), String> {
    if visited && count > MAX_VISITED {
        return Err(format!("COUNT={count} is too large for this rule: allowed are {MAX_VISITED}; use UNTIL"));
    }
    Ok(())
}

/// The last instant that an UNTIL includes: of a date, the whole day.
fn last_instant(until: Stamp, timeline: &Timeline) -> i64 {
    match until.form {
        Form::Utc => until.local,
        Form::Local => timeline.instant(until.local),
        Form::Date => timeline.instant(until.local + DAY) - 1,
    }
}

fn calendar_rule(parts: &Parts, start: i64, positions: Vec<i64>) -> Option<CalendarRule> {
    let unit = match parts.freq {
        Freq::Yearly => Unit::Year,
        Freq::Monthly => Unit::Month,
        Freq::Weekly => Unit::Week,
        _ => Unit::Day,
    };
    let day = start.div_euclid(DAY);
    let rhythm = Rhythm::new(unit, i64::from(parts.interval), day, parts.week_start)?;
    let clock = start.rem_euclid(DAY);
    let times = TimeSet {
        hours: bits_or(&parts.by_hour, 1 << (clock / 3_600)),
        minutes: bits_or(&parts.by_minute, 1 << (clock / 60 % 60)),
        seconds: seconds_or(&parts.by_second, 1 << (clock % 60)),
    };
    let mut days = day_filter(parts);
    fill_in(&mut days, parts, day);
    Some(CalendarRule { days, times, rhythm, positions, start, last: None })
}

/// The day that DTSTART gives to a rule whose parts do not name one.
fn fill_in(days: &mut DayFilter, parts: &Parts, day: i64) {
    let named = days.month_days.is_some() || days.weekdays.is_some() || days.year_days.is_some();
    let date = super::super::civil::date(day).unwrap_or_default();
    let (month, month_day) = (chrono::Datelike::month(&date), chrono::Datelike::day(&date));
    let weekday = Weekdays { every: 1 << (day + 4).rem_euclid(7), ..Weekdays::default() };
    match parts.freq {
        _ if named => {}
        Freq::Weekly => days.weekdays = Some(weekday),
        Freq::Yearly if days.weeks.is_some() => days.weekdays = Some(weekday),
        Freq::Monthly | Freq::Yearly => {
            days.month_days = Some(MonthDays { from_first: 1 << month_day, from_last: 0 });
            if parts.freq == Freq::Yearly && parts.by_month.is_empty() {
                days.months = 1 << month;
            }
        }
        _ => {}
    }
}

fn real_rule(parts: &Parts, start: i64, positions: Vec<i64>, timeline: &Arc<Timeline>) -> Option<RealRule> {
    let unit = match parts.freq {
        Freq::Hourly => 3_600,
        Freq::Minutely => 60,
        _ => 1,
    };
    // BYMINUTE and BYSECOND spread the times of an hour or minute; without them, only one point of each counts.
    let spread = match parts.freq {
        Freq::Hourly => !parts.by_minute.is_empty() || !parts.by_second.is_empty(),
        Freq::Minutely => !parts.by_second.is_empty(),
        _ => false,
    };
    let clock = start.rem_euclid(DAY);
    let spread_minute = if spread && parts.freq == Freq::Hourly { 1 << (clock / 60 % 60) } else { ALL_SIXTY };
    let spread_second = if spread { 1 << (clock % 60) } else { ALL_SIXTY };
    let times = TimeSet {
        hours: bits_or(&parts.by_hour, ALL_HOURS),
        minutes: bits_or(&parts.by_minute, spread_minute),
        seconds: seconds_or(&parts.by_second, spread_second),
    };
    let begin = timeline.instant(start);
    let origin = if spread { begin - timeline.local(begin).rem_euclid(unit) } else { begin };
    let rhythm = Rhythm::new(Unit::Day, 1, 0, 0)?;
    let shown =
        CalendarRule { days: day_filter(parts), times, rhythm, positions: Vec::new(), start: i64::MIN, last: None };
    Some(RealRule {
        shown,
        stretches: Stretches::covering(&times),
        grid: Grid { origin, step: unit * i64::from(parts.interval), width: if spread { unit } else { 1 } },
        positions,
        start: begin,
        last: None,
        timeline: Arc::clone(timeline),
    })
}

fn day_filter(parts: &Parts) -> DayFilter {
    let months = parts.by_month.iter().fold(0, |bits, month| bits | 1 << month);
    let some = |list: &[i32]| !list.is_empty();
    let split = |list: &[i32]| -> (Vec<usize>, Vec<usize>) {
        let (back, ahead): (Vec<i32>, Vec<i32>) = list.iter().copied().partition(|number| *number < 0);
        let size = |list: Vec<i32>| list.into_iter().map(|number| number.unsigned_abs() as usize).collect();
        (size(ahead), size(back))
    };
    let small = |list: Vec<usize>| list.into_iter().fold(0_u64, |bits, n| bits | 1 << n);
    let large = |list: Vec<usize>| {
        list.into_iter().fold([0_u64; 6], |mut bits, n| {
            bits[n / 64] |= 1 << (n % 64);
            bits
        })
    };
    DayFilter {
        months: if months == 0 { ALL_MONTHS } else { months },
        month_days: some(&parts.by_month_day).then(|| {
            let (ahead, back) = split(&parts.by_month_day);
            // Numbers up to 31, so that the cut loses nothing.
            MonthDays { from_first: small(ahead) as u32, from_last: small(back) as u32 }
        }),
        weekdays: (!parts.by_day.is_empty()).then(|| weekdays(parts)),
        year_days: some(&parts.by_year_day).then(|| {
            let (ahead, back) = split(&parts.by_year_day);
            YearDays { from_first: large(ahead), from_last: large(back) }
        }),
        weeks: some(&parts.by_week_no).then(|| {
            let (ahead, back) = split(&parts.by_week_no);
            Weeks { from_first: small(ahead), from_last: small(back), begins_with: parts.week_start }
        }),
    }
}

fn weekdays(parts: &Parts) -> Weekdays {
    let mut weekdays =
        Weekdays { of_year: parts.freq == Freq::Yearly && parts.by_month.is_empty(), ..Weekdays::default() };
    for (nth, weekday) in &parts.by_day {
        match nth {
            0 => weekdays.every |= 1 << weekday,
            _ => weekdays.nth.push((*nth, *weekday)),
        }
    }
    weekdays
}

fn bits_or(list: &[i32], otherwise: u64) -> u64 {
    let bits = list.iter().fold(0, |bits, number| bits | 1 << number);
    if bits == 0 { otherwise } else { bits }
}

/// A leap second (60) is the last second of its minute, as RFC 5545 advises those who have none.
fn seconds_or(list: &[i32], otherwise: u64) -> u64 {
    let bits = list.iter().fold(0, |bits, number| bits | 1 << number.min(&59));
    if bits == 0 { otherwise } else { bits }
}
