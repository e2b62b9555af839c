//! The database of a simulation, and everything that is done to it at a given time.

use super::definition::Definition;
use super::history::{End, FreezeTold, History, MerchantTold, Run, Told, Version};
use super::times::Calendars;
use super::times::calendars::{Calendar, NAMES};
use chrono::{DateTime, TimeDelta, Utc};
use scheduler_core::domain::{Freeze, FreezeAction, OverlapPolicy, TemplateId};
use scheduler_core::store::Store;
use scheduler_core::store::calendars::{CalendarChanged, CalendarCreated, NewCalendar};
use scheduler_core::store::freezes::FreezeCreated;
use scheduler_core::store::templates::{TemplateChange, Trigger, Triggered};
use std::collections::{HashMap, HashSet};
use test_support::{Random, TestDatabase, seed, templates};
use uuid::Uuid;

pub struct World {
    pub database: TestDatabase,
    pub history: History,
    /// Templates by id, for reading what the database says.
    by_id: HashMap<Uuid, usize>,
    /// Jobs that are no occurrences.
    triggered: HashSet<Uuid>,
}

impl World {
    pub async fn new(merchants: usize, random: &mut Random, now: DateTime<Utc>) -> Self {
        let database = TestDatabase::new().await;
        let mut world =
            Self { database, history: History::default(), by_id: HashMap::new(), triggered: HashSet::new() };
        for number in 0..merchants {
            let id = seed::merchant(world.store(), &format!("merchant-{number}")).await;
            let mut calendars = Calendars::new();
            for name in NAMES {
                let calendar = Calendar::random(name, random, now.date_naive());
                let definition = calendar.json();
                let new = NewCalendar { merchant: id, name, definition: &definition, now, key: None };
                let made = world.store().create_calendar(&new).await.unwrap();
                assert!(matches!(made, CalendarCreated::Created(_)), "{made:?}");
                calendars.insert(name, calendar);
            }
            let told = MerchantTold { id, calendars: vec![(now, calendars)], freezes: Vec::new() };
            world.history.merchants.push(told);
        }
        world
    }

    pub fn store(&self) -> &Store {
        self.database.store()
    }

    /// Creates a template. Its id decides what `H` means and how starts are spread; so that a simulation can be done again,
    /// it gets one that follows from its number.
    pub async fn create(&mut self, merchant: usize, definition: Definition, active: bool, now: DateTime<Utc>) {
        let number = self.history.templates.len();
        let (name, owner) = (format!("template-{number}"), self.history.merchants[merchant].id);
        let made = templates::create(self.store(), owner, now, definition.body(&name, active)).await;
        let id = TemplateId(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 + number as u128 * 0x9E37_79B9));
        for table in ["templates SET id", "template_versions SET template_id", "template_calendars SET template_id"] {
            let (table, column) = (table, table.rsplit(' ').next().unwrap());
            let renamed = format!("UPDATE {table} = '{id}' WHERE merchant_id = '{owner}' AND {column} = '{}'", made.id);
            test_support::sql::execute(self.store(), &renamed).await;
        }
        self.store().replan(owner, id, now).await.unwrap();
        let versions = vec![Version { at: now, active, by_itself: false, definition }];
        let told = Told { name, id, merchant, versions, deleted_at: None, deleted_itself: false, ends: Vec::new() };
        self.by_id.insert(id.0, number);
        self.history.templates.push(told);
    }

    pub async fn edit(&mut self, template: usize, definition: Definition, active: bool, now: DateTime<Utc>) {
        let told = &self.history.templates[template];
        let body = definition.body(&told.name, active);
        templates::replace(self.store(), self.history.merchants[told.merchant].id, told.id, now, body).await;
        self.history.templates[template].versions.push(Version { at: now, active, by_itself: false, definition });
    }

    /// Pauses it or has it fire again.
    pub async fn switch(&mut self, template: usize, active: bool, now: DateTime<Utc>) {
        let told = &self.history.templates[template];
        let change = if active { TemplateChange::Resume } else { TemplateChange::Pause };
        templates::change(self.store(), self.history.merchants[told.merchant].id, told.id, now, change).await;
        let told = &mut self.history.templates[template];
        let version = Version { at: now, active, by_itself: false, ..told.latest().clone() };
        told.versions.push(version);
    }

    pub async fn delete(&mut self, template: usize, now: DateTime<Utc>) {
        let told = &self.history.templates[template];
        let owner = self.history.merchants[told.merchant].id;
        templates::change(self.store(), owner, told.id, now, TemplateChange::Delete).await;
        self.history.templates[template].deleted_at = Some(now);
    }

    /// A job beside the schedule, which the ledger must not notice.
    pub async fn trigger(&mut self, template: usize, now: DateTime<Utc>) {
        let told = &self.history.templates[template];
        let merchant = self.history.merchants[told.merchant].id;
        let overlap = OverlapPolicy::AllowAll;
        let trigger = Trigger { merchant, template: told.id, now, overlap, traceparent: None, key: None };
        match self.store().trigger_template(&trigger).await.unwrap() {
            Triggered::Created { job, .. } => drop(self.triggered.insert(job.id.0)),
            other => panic!("{other:?}"),
        }
    }

    pub async fn freeze(&mut self, merchant: usize, random: &mut Random, now: DateTime<Utc>) {
        let number = self.history.merchants[merchant].freezes.len();
        // Some have begun already, as people do when something burns.
        let starts_at = now + TimeDelta::minutes(random.below(3 * 1_440) as i64 - 300);
        let ends_at = starts_at + TimeDelta::minutes(1 + random.below(3 * 1_440) as i64);
        let action = if random.chance(50) { FreezeAction::Hold } else { FreezeAction::Skip };
        let freeze = Freeze { name: format!("freeze-{number}"), starts_at, ends_at, action };
        let merchant = &mut self.history.merchants[merchant];
        let made = self.database.store().create_freeze(merchant.id, &freeze, now).await.unwrap();
        if made == FreezeCreated::Created {
            let Freeze { name, .. } = freeze;
            merchant.freezes.push(FreezeTold { name, starts_at, ends_at, action, created_at: now, deleted_at: None });
        }
    }

    pub async fn thaw(&mut self, merchant: usize, now: DateTime<Utc>) {
        let merchant = &mut self.history.merchants[merchant];
        let store = self.database.store();
        let is_there = |it: &&mut FreezeTold| it.deleted_at.is_none() && it.ends_at > now;
        if let Some(freeze) = merchant.freezes.iter_mut().rfind(is_there) {
            assert!(store.delete_freeze(merchant.id, &freeze.name).await.unwrap());
            freeze.deleted_at = Some(now);
        }
    }

    pub async fn change_calendar(&mut self, merchant: usize, random: &mut Random, now: DateTime<Utc>) {
        let name = *random.pick(&NAMES);
        let calendar = Calendar::random(name, random, now.date_naive());
        let merchant = &mut self.history.merchants[merchant];
        let store = self.database.store();
        let changed = store.replace_calendar(merchant.id, name, None, &calendar.json(), now).await.unwrap();
        assert!(matches!(changed, CalendarChanged::Done(_)), "{changed:?}");
        let mut calendars = merchant.calendars_at(now).clone();
        calendars.insert(name, calendar);
        merchant.calendars.push((now, calendars));
    }
}

type DueJob = (Uuid, Uuid, DateTime<Utc>, DateTime<Utc>);

impl World {
    /// Runs what is due, as executors would: takes note of it and ends it. Where something depends on how a job ends, it may run
    /// for a while and fail, by chance of its own.
    pub async fn work(&mut self, chance: &Random, now: DateTime<Utc>) {
        let tracked: Vec<Uuid> =
            self.history.templates.iter().filter(|it| it.is_tracked()).map(|told| told.id.0).collect();
        let due: Vec<DueJob> = sqlx::query_as(
            "SELECT template_id, id, scheduled_for, run_at FROM jobs_live
              WHERE template_id = ANY ($1) AND run_at <= $2 ORDER BY id",
        )
        .bind(&tracked)
        .bind(now)
        .fetch_all(self.database.pool())
        .await
        .unwrap();
        let (mut ended, mut dead): (Vec<Uuid>, Vec<bool>) = (Vec::new(), Vec::new());
        for (template, job, nominal, run_at) in due {
            let number = self.by_id[&template];
            let mut own = chance.split(number as u64).split(nominal.timestamp_micros().cast_unsigned());
            let length = TimeDelta::minutes(if own.chance(70) { 0 } else { own.below(40 * 60) as i64 });
            if run_at + length > now {
                continue;
            }
            // What fails goes on failing for some days.
            let mut day = chance.split(number as u64).split((nominal.timestamp() / (4 * 86_400)).cast_unsigned());
            let is_dead = day.chance(25);
            ended.push(job);
            dead.push(is_dead);
            self.note(Run { template: number, nominal, run_at, job });
            self.history.templates[number].ends.push(End { nominal, ended_at: now, dead: is_dead });
        }
        self.end(&ended, &dead, now).await;
        let others: Vec<DueJob> = sqlx::query_as(
            "DELETE FROM jobs_live WHERE NOT template_id = ANY ($1) AND run_at <= $2
             RETURNING template_id, id, scheduled_for, run_at",
        )
        .bind(&tracked)
        .bind(now)
        .fetch_all(self.database.pool())
        .await
        .unwrap();
        for (template, job, nominal, run_at) in others {
            let number = self.by_id[&template];
            self.note(Run { template: number, nominal, run_at, job });
        }
    }

    fn note(&mut self, run: Run) {
        if !self.triggered.contains(&run.job) {
            self.history.runs.push(run);
        }
    }

    async fn end(&self, jobs: &[Uuid], dead: &[bool], now: DateTime<Utc>) {
        if jobs.is_empty() {
            return;
        }
        sqlx::query(
            "WITH gone AS (
                 DELETE FROM jobs_live j USING unnest($1::uuid[], $2::bool[]) AS e (id, dead) WHERE j.id = e.id
                 RETURNING j.*, e.dead)
             INSERT INTO jobs_finished (merchant_id, id, template_id, run_at, scheduled_for, created_at, finished_at, priority,
                                        attempt, crashes, max_attempts, timeout_ms, is_dead, has_dependents, state, reason,
                                        queue, lane, target, execution_id, started_at, outcome)
             SELECT merchant_id, id, template_id, run_at, scheduled_for, created_at, $3, priority, 1, 0, max_attempts,
                    timeout_ms, dead, has_dependents, CASE WHEN dead THEN 'dead' ELSE 'succeeded' END,
                    CASE WHEN dead THEN 'exhausted' END, queue, lane, target, gen_random_uuid(), run_at,
                    CASE WHEN dead THEN 'failed' ELSE 'succeeded' END
               FROM gone",
        )
        .bind(jobs)
        .bind(dead)
        .bind(now)
        .execute(self.database.pool())
        .await
        .unwrap();
    }

    /// Takes note of the templates that have paused or deleted themselves.
    pub async fn notice_own_changes(&mut self) {
        let tracked: Vec<Uuid> =
            self.history.templates.iter().filter(|it| it.is_tracked() && it.is_there()).map(|it| it.id.0).collect();
        let rows: Vec<(Uuid, i32, DateTime<Utc>, bool)> =
            sqlx::query_as("SELECT id, version, updated_at, deleted_at IS NOT NULL FROM templates WHERE id = ANY ($1)")
                .bind(&tracked)
                .fetch_all(self.database.pool())
                .await
                .unwrap();
        for (id, version, at, deleted) in rows {
            let told = &mut self.history.templates[self.by_id[&id]];
            if version as usize == told.versions.len() {
                continue;
            }
            assert_eq!(version as usize, told.versions.len() + 1, "{} changed itself twice", told.name);
            if deleted {
                (told.deleted_at, told.deleted_itself) = (Some(at), true);
            } else {
                let version = Version { at, active: false, by_itself: true, ..told.latest().clone() };
                told.versions.push(version);
            }
        }
    }
}

impl World {
    /// Which template an id stands for; none: a job beside the schedule.
    pub fn number(&self, id: Uuid) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    /// Whether a job was triggered.
    pub fn is_triggered(&self, job: Uuid) -> bool {
        self.triggered.contains(&job)
    }
}

impl Told {
    fn is_tracked(&self) -> bool {
        self.versions.iter().any(|version| version.definition.is_tracked())
    }
}
