//! The tables of offsets against the zone library that they are made from.

use chrono::{Offset, TimeZone};
use chrono_tz::TZ_VARIANTS;

use super::super::timeline::Timeline;
use super::*;

/// Every zone, at instants that have nothing to do with the table's own steps.
#[test]
fn tables_agree_with_the_library() {
    for zone in TZ_VARIANTS {
        let timeline = Timeline::of(zone);
        let mut periods = timeline.periods_from(i64::MIN).peekable();
        let mut period = periods.next().unwrap();
        for instant in (0..4_118_000_000_i64).step_by(1_231_007) {
            while period.end <= instant {
                period = periods.next().unwrap();
            }
            let utc = DateTime::from_timestamp(instant, 0).unwrap().naive_utc();
            let expected = zone.offset_from_utc_datetime(&utc).fix().local_minus_utc();
            assert_eq!(period.offset, i64::from(expected), "{zone} at {instant}");
        }
    }
}

/// What the step of the table's construction rests on: changes are days apart, in every zone.
#[test]
fn changes_are_further_apart_than_the_step() {
    let least = TZ_VARIANTS
        .iter()
        .flat_map(|zone| Timeline::of(*zone).periods_from(i64::MIN).collect::<Vec<_>>())
        .filter(|period| period.begin > i64::MIN && period.end < i64::MAX)
        .map(|period| period.end - period.begin)
        .min()
        .unwrap();
    assert!(least > 6 * 86_400, "two changes within {least} seconds");
}

#[test]
fn periods_meet() {
    let timeline = Timeline::of(chrono_tz::Tz::America__New_York);
    let periods: Vec<_> = timeline.periods_from(i64::MIN).collect();
    assert!(periods.windows(2).all(|two| two[0].end == two[1].begin && two[0].offset_after == two[1].offset));
    assert!(periods.windows(2).all(|two| two[1].offset_before == two[0].offset));
    let spring = timeline.periods_from(at("2026-03-08T07:00:00Z").timestamp()).next().unwrap();
    assert_eq!((spring.begin, spring.offset_before, spring.offset), (1_772_953_200, -18_000, -14_400));
    assert_eq!((spring.missing().end - spring.missing().start, spring.second_pass().is_empty()), (3_600, true));
}
