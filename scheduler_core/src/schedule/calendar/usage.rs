//! The member `calendars` of a schedule: which calendars count, and what happens to the times that they exclude.

use std::sync::Arc;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::super::ScheduleError;
use super::super::object::{Members, type_name};
use super::super::timeline::Timeline;
use super::CalendarSet;

/// The most calendars of one schedule.
const MAX_CALENDARS: usize = 16;

/// Longest name of a calendar, in bytes.
const MAX_NAME: usize = 200;

/// What a calendar means to a schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Nothing runs on its days.
    #[default]
    Exclude,
    /// Nothing runs outside its days.
    Only,
}

/// What happens to a time on a day on which nothing runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Roll {
    /// It does not run, and the ledger says so.
    #[default]
    Skip,
    /// The same local time on the next free day.
    Following,
    /// The same local time on the last free day before.
    Preceding,
    /// As `following`; as `preceding` if that would leave the month.
    ModifiedFollowing,
    /// The nearer of both; the later one if both are as near.
    Nearest,
}

/// One calendar of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CalendarUse {
    /// The name of one of the merchant's calendars.
    #[schema(example = "us-holidays")]
    pub name: String,
    /// `exclude` when left out.
    #[serde(rename = "use", default)]
    pub mode: Mode,
    /// `skip` when left out.
    #[serde(default)]
    pub roll: Roll,
}

/// The calendars of a schedule, and its zone.
#[derive(Clone, Debug)]
pub(in super::super) struct CalendarRules {
    pub(super) uses: Vec<CalendarUse>,
    pub(super) timeline: Arc<Timeline>,
}

const MODES: [(&str, Mode); 2] = [("exclude", Mode::Exclude), ("only", Mode::Only)];

const ROLLS: [(&str, Roll); 5] = [
    ("skip", Roll::Skip),
    ("following", Roll::Following),
    ("preceding", Roll::Preceding),
    ("modified_following", Roll::ModifiedFollowing),
    ("nearest", Roll::Nearest),
];

impl CalendarRules {
    /// Reads the member `calendars`; `None` when it is missing or empty.
    pub(in super::super) fn parse(value: &Value, zone: Tz) -> Result<Option<CalendarRules>, Vec<ScheduleError>> {
        let Some(list) = value.as_array() else {
            let example = "[{\"name\":\"us-holidays\",\"use\":\"exclude\"}]";
            let found = type_name(value);
            return Err(vec![ScheduleError::at(
                "calendars",
                format!("`calendars` must be a list such as {example}, found {found}"),
            )]);
        };
        if list.len() > MAX_CALENDARS {
            let detail = format!("{} calendars; allowed are {MAX_CALENDARS}", list.len());
            return Err(vec![ScheduleError::at("calendars", detail)]);
        }
        let (mut uses, mut errors) = (Vec::new(), Vec::new());
        for (index, entry) in list.iter().enumerate() {
            match calendar_use(entry) {
                Ok(it) => uses.push(it),
                Err(found) => {
                    errors.extend(found.into_iter().map(|error| error.under(&format!("/calendars/{index}"))));
                }
            }
        }
        match (errors.is_empty(), uses.is_empty()) {
            (false, _) => Err(errors),
            (true, true) => Ok(None),
            (true, false) => Ok(Some(CalendarRules { uses, timeline: Timeline::of(zone) })),
        }
    }

    /// The names that it refers to.
    pub(in super::super) fn names(&self) -> impl Iterator<Item = &str> {
        self.uses.iter().map(|it| it.name.as_str())
    }

    /// What stands against evaluating with these calendars.
    pub(in super::super) fn check(&self, calendars: &CalendarSet) -> Vec<ScheduleError> {
        let mut errors = Vec::new();
        for (index, it) in self.uses.iter().enumerate() {
            let problem = match calendars.get(&it.name) {
                None => super::super::words::unknown_name("calendar", &it.name, calendars.names()),
                Some(calendar) if calendar.has_spans() && it.roll != Roll::Skip => {
                    format!("the calendar {:?} has time windows, and only whole days can be rolled: use skip", it.name)
                }
                Some(_) => continue,
            };
            errors.push(ScheduleError::at("calendars", problem).child(&index.to_string()));
        }
        errors
    }

    /// In words: `not on us-holidays (moved to the next free day)`.
    pub(in super::super) fn describe(&self) -> String {
        let parts: Vec<String> = self.uses.iter().map(CalendarUse::describe).collect();
        parts.join(", ")
    }
}

impl CalendarUse {
    fn describe(&self) -> String {
        let (name, side) = (&self.name, if self.mode == Mode::Exclude { "not on days of" } else { "only on days of" });
        let moved = match self.roll {
            Roll::Skip => return format!("{side} {name}"),
            Roll::Following => "the next free day",
            Roll::Preceding => "the last free day before",
            Roll::ModifiedFollowing => "the next free day of the month, or else the last one before",
            Roll::Nearest => "the nearest free day",
        };
        format!("{side} {name} (moved to {moved})")
    }
}

fn calendar_use(value: &Value) -> Result<CalendarUse, Vec<ScheduleError>> {
    let Some(object) = value.as_object() else {
        let found = type_name(value);
        let detail = format!("an entry is an object such as {{\"name\":\"us-holidays\"}}; found {found}");
        return Err(vec![ScheduleError::whole(detail)]);
    };
    let mut members = Members::plain(object, &["name", "use", "roll"]);
    let name = members.required("name", "\"us-holidays\"").and_then(|value| members.text("name", value));
    let name = name.filter(|name| {
        let sane = (1..=MAX_NAME).contains(&name.len());
        if !sane {
            members.refuse("name", format!("a calendar's name has 1 to {MAX_NAME} bytes; found {}", name.len()));
        }
        sane
    });
    let mode = members.choice("use", MODES).unwrap_or_default();
    let roll = members.choice("roll", ROLLS).unwrap_or_default();
    members.finish(name.map(|name| CalendarUse { name: name.to_owned(), mode, roll }))
}
