//! How long the next occurrence takes: common schedules, and the worst that are valid. `make bench-schedule`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use criterion::{Criterion, criterion_group, criterion_main};
use scheduler_core::schedule::{Calendar, CalendarSet, EvalContext, Schedule};
use serde_json::{Value, json};
use uuid::Uuid;

const NEW_YORK: &str = "America/New_York";

fn cron(expression: &str) -> Value {
    json!({"kind": "cron", "expression": expression, "timezone": NEW_YORK})
}

fn rrule(rule: &str) -> Value {
    let expression = format!("DTSTART;TZID={NEW_YORK}:20100104T090000\nRRULE:{rule}");
    json!({"kind": "rrule", "expression": expression})
}

/// What most templates have: at most 1 µs.
fn typical() -> Vec<(&'static str, Value)> {
    vec![
        ("cron */5 * * * *", cron("*/5 * * * *")),
        ("cron 0 9 * * 1-5", cron("0 9 * * 1-5")),
        ("cron 30 2 * * *", cron("30 2 * * *")),
        ("cron 0 0 1 * *", cron("0 0 1 * *")),
        ("cron 0 0 L * *", cron("0 0 L * *")),
        ("cron H H * * *", cron("H H * * *")),
        ("interval", json!({"kind": "interval", "every_seconds": 90})),
        ("rrule daily", rrule("FREQ=DAILY")),
        ("rrule weekly", rrule("FREQ=WEEKLY;BYDAY=MO,WE,FR")),
        ("rrule monthly", rrule("FREQ=MONTHLY;BYDAY=-1FR")),
        ("rrule hourly", rrule("FREQ=HOURLY;INTERVAL=3")),
        ("rrule count", rrule("FREQ=DAILY;COUNT=100000")),
        (
            "windows",
            json!({"kind": "windows", "timezone": NEW_YORK,
                "windows": [{"days": "SUN-THU", "start": "10:00", "end": "14:30", "every_seconds": 900}]}),
        ),
        ("union of two", json!({"kind": "union", "schedules": [cron("0 9 * * 1-5"), cron("0 12 * * 6")]})),
        (
            "calendar, excluded days skip",
            json!({"kind": "cron", "expression": "0 9 * * 1-5", "timezone": NEW_YORK, "calendars": [{"name": "holidays"}]}),
        ),
    ]
}

/// The rarest and the most roundabout: at most 20 µs.
fn worst() -> Vec<(&'static str, Value)> {
    vec![
        ("cron 29 February on a Monday", cron("0 0 29 2 MON#5")),
        ("cron 29 February, both fields", cron("0 0 29 2 */7")),
        ("cron once in 2099", cron("0 0 0 29 12 ? 2099")),
        ("cron fifth Friday of February", cron("0 0 */7 2 FRI#5")),
        ("rrule yearly by position", rrule("FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=8,9,10;BYSETPOS=-1,100,300")),
        ("rrule yearly by week and day", rrule("FREQ=YEARLY;BYWEEKNO=53;BYDAY=SU")),
        ("rrule leap day on a Monday", rrule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO")),
        ("rrule minutes against the clock", rrule("FREQ=MINUTELY;INTERVAL=11;BYHOUR=3;BYMINUTE=0;BYDAY=SU")),
        ("rrule seconds against the clock", rrule("FREQ=SECONDLY;INTERVAL=97;BYHOUR=3;BYMINUTE=0;BYSECOND=0")),
        ("rrule seconds that drift through the day", rrule("FREQ=SECONDLY;INTERVAL=86413;BYHOUR=3")),
        (
            "rrule seconds against a hundred times",
            rrule(
                "FREQ=SECONDLY;INTERVAL=3607;BYHOUR=1,3,5,7;BYMINUTE=0,2,4,6,8,10,12,14,16,18,20,22,24,26,28,30;BYSECOND=0",
            ),
        ),
        (
            "rrule seconds against clock and days",
            rrule("FREQ=SECONDLY;INTERVAL=97;BYHOUR=3;BYMINUTE=0;BYSECOND=0;BYDAY=SU"),
        ),
        (
            "rolling over a week of holidays",
            json!({"kind": "cron", "expression": "0 9 * * *", "timezone": NEW_YORK,
                "calendars": [{"name": "holidays", "roll": "following"}]}),
        ),
    ]
}

fn calendars() -> CalendarSet {
    let holidays = json!({"yearly": ["12-25", "01-01", "07-04"], "weekdays": ["SAT", "SUN"],
        "ranges": [{"from": "2026-11-23", "to": "2026-11-29"}]});
    let parsed = Calendar::parse(&holidays).expect("the calendar above is valid");
    [("holidays".to_owned(), Arc::new(parsed))].into_iter().collect()
}

fn bench(criterion: &mut Criterion, group: &str, schedules: Vec<(&str, Value)>) {
    let calendars = calendars();
    let start: DateTime<Utc> = DateTime::from_timestamp(1_767_225_600, 0).expect("2026 is in range");
    let context = EvalContext::new(start, Uuid::from_u128(7)).with_calendars(&calendars);
    let mut group = criterion.benchmark_group(group);
    for (name, value) in schedules {
        let schedule = Schedule::parse(&value).unwrap_or_else(|errors| panic!("{value}: {errors:?}"));
        // From occurrence to occurrence through one year, so that clock changes and ends of months have their part.
        let mut after = start;
        let end = start + chrono::TimeDelta::days(365);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let next = schedule.next_after(black_box(after), &context);
                after = next.map(|next| next.at).filter(|at| *at < end).unwrap_or(start);
                next
            });
        });
    }
    group.finish();
}

fn schedules(criterion: &mut Criterion) {
    bench(criterion, "typical", typical());
    bench(criterion, "worst", worst());
}

/// What is checked once, when a template is written, and whenever it is read.
fn parsing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    for (name, value) in [("cron", cron("0 9 * * 1-5")), ("rrule", rrule("FREQ=WEEKLY;BYDAY=MO,WE,FR"))] {
        group.bench_function(name, |bencher| bencher.iter(|| Schedule::parse(black_box(&value))));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = schedules, parsing
}
criterion_main!(benches);
