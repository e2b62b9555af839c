//! What the next clock changes do to windows, in sentences.

use chrono::{DateTime, Utc};

use super::super::civil::DAY;
use super::super::clock_changes::REPORTED;
use super::super::interval::duration;
use super::super::timeline::{Period, Timeline};
use super::{Window, WindowsSchedule, clock};

impl WindowsSchedule {
    /// The next two changes that touch a window.
    pub(in super::super) fn warnings(&self, from: DateTime<Utc>) -> Vec<String> {
        let timeline = &self.timeline;
        let said = timeline.changes_ahead(from).filter_map(|period| {
            let touched: Vec<String> = self.windows.iter().filter_map(|it| it.touched(&period, timeline)).collect();
            (!touched.is_empty()).then(|| timeline.announced(&period, &touched.join("; ")))
        });
        said.take(REPORTED).collect()
    }
}

impl Window {
    /// What the change at the beginning of a period does to the window, if it does something.
    fn touched(&self, period: &Period, timeline: &Timeline) -> Option<String> {
        let today = (period.begin + period.offset).div_euclid(DAY);
        // One that passes midnight belongs to the day before; the change itself may lead to another day.
        let days = (today - 2..=today + 1).filter(|day| self.opens_on(*day));
        days.into_iter().find_map(|day| self.touched_on(day, period, timeline))
    }

    fn touched_on(&self, day: i64, period: &Period, timeline: &Timeline) -> Option<String> {
        let (open, close) = self.hours_of(day, timeline);
        let (length, real) = (self.end - self.start, close - open);
        let opening = day * DAY + self.start;
        let outcome = if period.missing().contains(&opening) && real == 0 {
            format!("opens at {} for a single run", clock(timeline.local(open).rem_euclid(DAY)))
        } else if real != length && (open..=close).contains(&period.begin) {
            format!("is open for {} instead of {}", lasting(real), lasting(length))
        } else if period.second_pass().contains(&opening) {
            "comes twice and is open the first time only".to_owned()
        } else {
            return None;
        };
        Some(format!("the window {} {outcome}", self.span()))
    }
}

fn lasting(seconds: i64) -> String {
    let text = duration(seconds.unsigned_abs());
    if text.starts_with(|first: char| first.is_ascii_digit()) { text } else { format!("1 {text}") }
}
