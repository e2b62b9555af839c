//! What was done to the templates of a simulation, and when: all that the judge goes by beside the ledger itself.

use super::definition::Definition;
use super::times::{Around, Calendars};
use chrono::{DateTime, Utc};
use scheduler_core::domain::{FreezeAction, MerchantId, TemplateId};
use uuid::Uuid;

#[derive(Default)]
pub struct History {
    pub templates: Vec<Told>,
    pub merchants: Vec<MerchantTold>,
    /// When managers had planned everything that they could, and up to where.
    pub drains: Vec<Drain>,
    /// When every review that had been asked for had been done.
    pub reviews: Vec<DateTime<Utc>>,
    /// The jobs that have been seen to run, by template and nominal time.
    pub runs: Vec<Run>,
}

#[derive(Clone, Copy, Debug)]
pub struct Drain {
    pub at: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

/// A template.
pub struct Told {
    pub name: String,
    pub id: TemplateId,
    pub merchant: usize,
    pub versions: Vec<Version>,
    pub deleted_at: Option<DateTime<Utc>>,
    /// It went because its schedule had ended.
    pub deleted_itself: bool,
    /// How its jobs ended, in the order of their nominal times; only where something depends on it.
    pub ends: Vec<End>,
}

/// What a template was from `at` on.
#[derive(Clone)]
pub struct Version {
    pub at: DateTime<Utc>,
    pub active: bool,
    /// It paused itself.
    pub by_itself: bool,
    pub definition: Definition,
}

#[derive(Clone, Copy, Debug)]
pub struct End {
    pub nominal: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    pub dead: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub template: usize,
    pub nominal: DateTime<Utc>,
    pub run_at: DateTime<Utc>,
    pub job: Uuid,
}

pub struct MerchantTold {
    pub id: MerchantId,
    /// All its calendars, as they were from each time on.
    pub calendars: Vec<(DateTime<Utc>, Calendars)>,
    pub freezes: Vec<FreezeTold>,
}

#[derive(Clone, Debug)]
pub struct FreezeTold {
    pub name: String,
    pub starts_at: DateTime<Utc>,
    /// The first instant after it.
    pub ends_at: DateTime<Utc>,
    pub action: FreezeAction,
    pub created_at: DateTime<Utc>,
    pub deleted_at: Option<DateTime<Utc>>,
}

impl FreezeTold {
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        self.starts_at <= at && at < self.ends_at
    }
}

impl MerchantTold {
    /// The calendars as they were at a time.
    pub fn calendars_at(&self, at: DateTime<Utc>) -> &Calendars {
        let known = self.calendars.partition_point(|(since, _)| *since <= at);
        &self.calendars[known.max(1) - 1].1
    }

    /// The freeze windows as they were at a time, in the order of their beginnings.
    pub fn freezes_at(&self, at: DateTime<Utc>) -> Vec<&FreezeTold> {
        let known = |it: &&FreezeTold| it.created_at <= at && it.deleted_at.is_none_or(|gone| gone > at);
        let mut freezes: Vec<_> = self.freezes.iter().filter(known).collect();
        freezes.sort_by_key(|it| (it.starts_at, &it.name));
        freezes
    }
}

impl Told {
    pub fn created_at(&self) -> DateTime<Utc> {
        self.versions[0].at
    }

    pub fn latest(&self) -> &Version {
        self.versions.last().unwrap()
    }

    /// When a version ended: with the next one, or with the template.
    pub fn end_of(&self, version: usize) -> Option<DateTime<Utc>> {
        self.versions.get(version + 1).map(|next| next.at).or(self.deleted_at)
    }

    pub fn around<'a>(&self, calendars: &'a Calendars) -> Around<'a> {
        Around { template: self.id.0, created_at: self.created_at(), calendars }
    }

    /// Whether a version is a pause that nobody asked for.
    pub fn paused_itself(&self, version: usize) -> bool {
        self.versions.get(version).is_some_and(|it| it.by_itself)
    }

    pub fn is_there(&self) -> bool {
        self.deleted_at.is_none()
    }
}
