//! Windows of the day: opened and closed by the clock on the wall, ticking in real time in between.

use super::civil::{days, first_instant, zone};
use super::{Nominal, Span, merged};
use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Utc};
use scheduler_core::schedule::Tz;
use serde_json::{Value, json};
use test_support::Random;

const NAMES: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

#[derive(Clone, Debug)]
pub struct Windows {
    pub zone: Tz,
    windows: Vec<Window>,
}

#[derive(Clone, Debug)]
struct Window {
    /// 0 is Sunday; empty: all.
    days: Vec<u32>,
    /// Seconds from midnight; an end that is not behind the start is on the next day.
    start: u32,
    end: u32,
    every: u32,
}

impl Windows {
    /// Some windows with no more than about `most` ticks a day.
    pub fn random(random: &mut Random, most: u64) -> Self {
        let count = 1 + random.below(2);
        let windows = (0..count).map(|_| Window::random(random, most / count)).collect();
        Self { zone: zone(random), windows }
    }

    pub fn json(&self) -> Value {
        let windows: Vec<Value> = self.windows.iter().map(Window::json).collect();
        json!({"kind": "windows", "timezone": self.zone.name(), "windows": windows})
    }

    pub fn times(&self, span: Span) -> Vec<Nominal> {
        let mut times = Vec::new();
        for (window, day) in self.openings(span) {
            let (open, close) = self.hours(window, day);
            let every = TimeDelta::seconds(window.every.into());
            let ticks = (0..).map(|n| open + every * n).take_while(|at| *at <= close);
            times.extend(ticks.filter(|at| span.contains(*at)).map(Nominal::runs));
        }
        merged(times)
    }

    /// Whether a window is open in this second.
    pub fn is_open(&self, at: DateTime<Utc>) -> bool {
        let second = DateTime::from_timestamp(at.timestamp(), 0).unwrap();
        let near = Span { after: second, until: second };
        self.openings(near).any(|(window, day)| {
            let (open, close) = self.hours(window, day);
            open <= second && second <= close
        })
    }

    fn openings(&self, span: Span) -> impl Iterator<Item = (&Window, NaiveDate)> {
        let opens = |window: &&Window, day: NaiveDate| {
            window.days.is_empty() || window.days.contains(&day.weekday().num_days_from_sunday())
        };
        days(span).flat_map(move |day| self.windows.iter().filter(move |it| opens(it, day)).map(move |it| (it, day)))
    }

    fn hours(&self, window: &Window, day: NaiveDate) -> (DateTime<Utc>, DateTime<Utc>) {
        let at = |second: u32| day.and_hms_opt(0, 0, 0).unwrap() + TimeDelta::seconds(second.into());
        let end = if window.end > window.start { window.end } else { window.end + 86_400 };
        (first_instant(self.zone, at(window.start)), first_instant(self.zone, at(end)))
    }
}

impl Window {
    fn random(random: &mut Random, most: u64) -> Self {
        let days = match random.below(4) {
            0 => vec![1, 2, 3, 4, 5],
            1 => vec![0, 1, 2, 3, 4],
            2 => (0..7).filter(|_| random.chance(40)).collect(),
            _ => Vec::new(),
        };
        // The hours in which clocks change are the interesting ones.
        let hour = if random.chance(50) { random.below(4) } else { random.below(24) };
        let start = hour as u32 * 3_600 + random.below(4) as u32 * 900;
        let length = 900 + random.below(12 * 3_600) as u32 / 60 * 60;
        let end = start + length;
        let end = if end > 86_400 { end - 86_400 } else { end };
        let every = (u64::from(length) / most.max(1)).max(60) as u32 + random.below(300) as u32;
        Self { days, start, end, every }
    }

    fn json(&self) -> Value {
        let clock = |second: u32| match second % 60 {
            0 => format!("{:02}:{:02}", second / 3_600, second / 60 % 60),
            rest => format!("{:02}:{:02}:{rest:02}", second / 3_600, second / 60 % 60),
        };
        let mut window = json!({"start": clock(self.start), "end": clock(self.end), "every_seconds": self.every});
        match self.days[..] {
            [] => {}
            [1, 2, 3, 4, 5] => window["days"] = json!("MON-FRI"),
            _ => window["days"] = self.days.iter().map(|day| NAMES[*day as usize]).collect(),
        }
        window
    }
}
