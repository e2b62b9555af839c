//! The sweep: reread what is due and soon due, push what Redis should have, for as long as there is room.
//!
//! It keeps no cursor from one sweep to the next: a row that was committed late, lost from Redis, or popped and never
//! claimed lies before any cursor. Within a sweep it goes through each unit in pages; while a backlog is left it follows
//! the executors, refilling whenever a ready set runs low, until the next sweep begins at the front again.

use super::backlog::{Backlog, Room};
use super::state::{Batch, PRIORITIES};
use super::wheel::Timed;
use super::{Lane, PushError};
use chrono::{DateTime, Utc};
use metrics::{gauge, histogram};
use scheduler_core::lifecycle::Shutdown;
use scheduler_core::queue::Member;
use scheduler_core::store::StoreError;
use scheduler_core::store::due::{DueUnit, UnitPosition};
use scheduler_core::telemetry::metrics as names;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Units found by one statement.
const UNITS_PER_READ: usize = 1_000;
/// Units that one statement reads rows of.
const UNITS_PER_PAGE: usize = 256;
/// Rows of each, at least.
const LEAST_ROWS: usize = 4;
/// Least time between the beginnings of two sweeps.
const LEAST_GAP: Duration = Duration::from_millis(20);
/// How often the depth is looked at while there is a backlog: in a hurry, and at leisure.
const POLL_SHORTEST: Duration = Duration::from_millis(2);
const POLL_LONGEST: Duration = Duration::from_millis(20);
/// Pause after an error.
const ERROR_PAUSE: Duration = Duration::from_millis(500);
/// Sweeps for released places follow each other in such a way that for each part spent looking so many are not.
const RELEASES_SHARE: u32 = 4;

/// Why a sweep ended early.
#[derive(Debug, thiserror::Error)]
enum SweepError {
    #[error("the due jobs could not be read")]
    Store(#[from] StoreError),
    #[error("the ready sets could not be filled")]
    Push(#[from] PushError),
}

/// Runs until the shutdown.
pub(super) async fn run(lane: &Lane, shutdown: &Shutdown) {
    let period = lane.tools.settings.sweep;
    let health = lane.tools.health.register_loop(&format!("sweep {}", lane.name), Duration::from_secs(30) + period * 4);
    let mut failing = false;
    while !shutdown.is_soft() {
        let started = Instant::now();
        let outcome = lane.sweep(started, shutdown).await;
        // What a sweep that was cut short knows stays true until the next one has looked.
        if !matches!(outcome, Ok(false)) {
            lane.state.lock().set_backlogged(HashSet::new());
        }
        let finished = match outcome {
            Ok(finished) => {
                health.progress();
                failing = false;
                finished
            }
            Err(error) => {
                // Redis is away: sweeping is pointless but nothing is stuck, and readiness says so elsewhere.
                if matches!(error, SweepError::Push(_)) {
                    health.progress();
                }
                // A Redis that is away or refuses is told of once, by those who watch it.
                let told = matches!(error, SweepError::Push(PushError::Queue(_)));
                let error = anyhow::Error::from(error);
                if told || std::mem::replace(&mut failing, true) {
                    tracing::debug!(lane = lane.name, error = format!("{error:#}"), "the sweep ended early; retrying");
                } else {
                    tracing::warn!(lane = lane.name, error = format!("{error:#}"), "the sweep ended early; retrying");
                }
                rest(ERROR_PAUSE, shutdown).await;
                true
            }
        };
        let ended = Instant::now();
        let next = if finished { started + period } else { started + LEAST_GAP };
        tokio::select! {
            () = tokio::time::sleep_until(next.into()) => {}
            () = async {
                lane.sweep_now.notified().await;
                tokio::time::sleep_until((started + LEAST_GAP).into()).await;
            } => {}
            () = lane.released_after(started + (ended - started).max(LEAST_GAP) * RELEASES_SHARE) => {}
            () = shutdown.soft() => {}
        }
    }
    health.finished();
}

async fn rest(pause: Duration, shutdown: &Shutdown) {
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = shutdown.soft() => {}
    }
}

impl Lane {
    /// One sweep. `false`: it was cut short with work left, so the next should begin at once.
    async fn sweep(&self, started: Instant, shutdown: &Shutdown) -> Result<bool, SweepError> {
        self.state.lock().recent.expire(started);
        // First of all, so that a Redis without memory is noticed even when nothing is to be pushed.
        self.ask_depths(0..PRIORITIES as u8).await?;
        let units = self.find_units().await?;
        let now = self.tools.clock.now();
        let (due, ahead) = self.sort_units(units, now);
        self.read_ahead(&mut Backlog::new(ahead)).await?;
        let mut backlog = Backlog::new(due);
        backlog.resume(&self.state.lock().resume_places());
        let read = Instant::now();
        histogram!(names::POPULATOR_SWEEP_SECONDS, "lane" => self.name.clone()).record((read - started).as_secs_f64());
        // However long it took to find the units, some time is for their jobs.
        let deadline = (started + self.tools.settings.sweep).max(read + self.tools.settings.sweep / 2);
        // A place under a cap that was released is worth a new look, but not the whole time of the lane.
        let refresh = started + (read - started) * (RELEASES_SHARE + 1);
        self.work_off(&mut backlog, refresh, deadline, shutdown).await
    }

    /// Pushes the backlog as fast as the executors take it, until the deadline.
    async fn work_off(
        &self,
        backlog: &mut Backlog,
        refresh: Instant,
        deadline: Instant,
        shutdown: &Shutdown,
    ) -> Result<bool, SweepError> {
        let mut poll = POLL_SHORTEST;
        let mut first = true;
        loop {
            let mut filled = false;
            for priority in backlog.priorities() {
                filled |= self.fill(backlog, priority, first, deadline).await?;
            }
            self.state.lock().set_backlogged(backlog.backlogged());
            if backlog.is_exhausted() {
                return Ok(true);
            }
            first = false;
            poll = if filled { POLL_SHORTEST } else { (poll * 2).min(POLL_LONGEST) };
            tokio::select! {
                () = tokio::time::sleep(poll) => {}
                // What was pushed is lost: begin at the front.
                () = self.sweep_now.notified() => return Ok(false),
                () = self.released_after(refresh) => return Ok(false),
                () = shutdown.soft() => return Ok(false),
            }
            if Instant::now() >= deadline {
                return Ok(false);
            }
            self.ask_depths(backlog.priorities()).await?;
        }
    }

    /// Waits for a released place, from this moment on.
    async fn released_after(&self, moment: Instant) {
        tokio::time::sleep_until(moment.into()).await;
        self.released.notified().await;
    }

    async fn ask_depths(&self, priorities: impl Iterator<Item = u8>) -> Result<(), PushError> {
        let questions: Vec<_> = priorities.map(Batch::question).collect();
        futures::future::try_join_all(questions.iter().map(|question| self.push(question))).await?;
        gauge!(names::POPULATOR_WHEEL_JOBS, "lane" => self.name.clone()).set(self.state.lock().wheel.len() as f64);
        Ok(())
    }

    /// Every unit of the lane with unclaimed jobs.
    async fn find_units(&self) -> Result<Vec<DueUnit>, StoreError> {
        let mut units: Vec<DueUnit> = Vec::new();
        loop {
            let after = units.last().map(|unit| &unit.key);
            let page = self.tools.store.due_units(&self.name, after, UNITS_PER_READ).await?;
            let last = page.len() < UNITS_PER_READ;
            units.extend(page);
            if last {
                return Ok(units);
            }
        }
    }

    /// Leaves out paused queues and the far future; separates units with due jobs from those with soon-due ones.
    fn sort_units(&self, units: Vec<DueUnit>, now: DateTime<Utc>) -> (Vec<DueUnit>, Vec<DueUnit>) {
        let soon = now + self.tools.settings.lookahead;
        let has_room = |unit: &DueUnit| unit.caps.iter().all(|cap| cap.room > 0);
        let open = units.into_iter().filter(|unit| !unit.paused && unit.head <= soon && has_room(unit));
        let (due, ahead): (Vec<_>, Vec<_>) = open.partition(|unit| unit.head <= now + self.ahead());
        let oldest = due.iter().map(|unit| now - unit.head).max();
        let age = oldest.and_then(|age| age.to_std().ok()).unwrap_or_default();
        gauge!(names::QUEUE_OLDEST_AGE_SECONDS, "lane" => self.name.clone()).set(age.as_secs_f64());
        (due, ahead)
    }

    /// Fills the wheel from units of which nothing is due yet.
    async fn read_ahead(&self, backlog: &mut Backlog) -> Result<(), SweepError> {
        for priority in backlog.priorities() {
            loop {
                let units = backlog.dry(priority, &mut self.state.lock(), false, UNITS_PER_PAGE);
                if units.is_empty() {
                    break;
                }
                self.read_page(backlog, &units).await?;
            }
            // What became due while it was read is pushed with the rest of its time.
            let room = self.room(priority, true);
            self.push_chosen(backlog, priority, room).await?;
        }
        Ok(())
    }

    /// Brings one ready set up to its bound when it has run low, or for certain at the beginning of a sweep. Merchants
    /// that have nothing in it are let in even when it is full. Says whether anything was pushed.
    async fn fill(
        &self,
        backlog: &mut Backlog,
        priority: u8,
        first: bool,
        deadline: Instant,
    ) -> Result<bool, SweepError> {
        let mut filled = false;
        let mut room = self.room(priority, first);
        loop {
            let quiet_only = room.any == 0;
            let dry = backlog.dry(priority, &mut self.state.lock(), quiet_only, UNITS_PER_PAGE);
            if !dry.is_empty() {
                self.read_page(backlog, &dry).await?;
            }
            let pushed = self.push_chosen(backlog, priority, room).await?;
            filled |= pushed > 0;
            if (pushed == 0 && dry.is_empty()) || Instant::now() >= deadline {
                return Ok(filled);
            }
            room = self.room(priority, true);
        }
    }

    fn room(&self, priority: u8, to_the_brim: bool) -> Room {
        let depth = self.state.lock().depth(priority);
        let low = depth as f64 <= self.bounds.depth as f64 * self.tools.settings.low_water;
        let any = if to_the_brim || low { self.bounds.room(depth) } else { 0 };
        Room { any, quiet: self.bounds.quiet_room(depth) }
    }

    async fn push_chosen(&self, backlog: &mut Backlog, priority: u8, room: Room) -> Result<usize, PushError> {
        let weights = self.tools.weights.table();
        let jobs = backlog.select(priority, room, &mut self.state.lock(), &weights, Instant::now());
        let count = jobs.len();
        if count > 0 {
            self.push(&Batch { priority, jobs }).await?;
        }
        Ok(count)
    }

    /// Reads on in some units: what is due is kept for pushing, what will be goes to the wheel, what has others of
    /// its template in its way is judged.
    async fn read_page(&self, backlog: &mut Backlog, units: &[usize]) -> Result<(), StoreError> {
        let now = self.tools.clock.now();
        let (due_until, soon_until) = (now + self.ahead(), now + self.tools.settings.lookahead);
        let per_unit = (self.tools.settings.page_rows / units.len()).max(LEAST_ROWS);
        let positions: Vec<UnitPosition<'_>> = units.iter().map(|unit| backlog.position(*unit)).collect();
        let rows = self.tools.store.due_rows(&self.name, &positions, soon_until, per_unit).await?;

        let mut counts = vec![0; units.len()];
        let mut judged = Vec::new();
        let mut timers = Vec::new();
        for row in rows {
            let unit = units[row.unit];
            counts[row.unit] += 1;
            let member = Member { merchant: backlog.key(unit).merchant, job: row.job };
            let due = row.run_at <= due_until;
            match row.overlap.filter(|_| due) {
                Some(verdict) => {
                    backlog.pass_over(unit, row.run_at, row.job);
                    judged.push((member.merchant, member.job, verdict));
                }
                None if due && (!row.caps.is_empty() || backlog.is_capped(unit)) => {
                    backlog.read_capped(unit, row.run_at, row.job, &row.caps);
                }
                None => backlog.read(unit, row.run_at, row.job, due),
            }
            if !due {
                timers.push((row.unit, Timed { run_at: row.run_at, priority: backlog.key(unit).priority, member }));
            }
        }
        let cut_off = self.set_timers(&timers);
        for (place, unit) in units.iter().enumerate() {
            let to_the_end = counts[place] < per_unit || cut_off.contains(&place);
            let held_up = backlog.held_up(*unit).filter(|_| !to_the_end);
            if to_the_end || held_up.is_some() || backlog.is_full(*unit) {
                backlog.finish(*unit);
                self.state.lock().note_held_up(backlog.key(*unit), held_up);
            }
        }
        self.tools.judge.carry_out(&judged).await
    }

    /// Sets timers; returns the places of units that found the wheel full.
    fn set_timers(&self, timers: &[(usize, Timed)]) -> Vec<usize> {
        if timers.is_empty() {
            return Vec::new();
        }
        let mut state = self.state.lock();
        let refused = timers.iter().filter(|(_, timed)| !state.wheel.set(*timed)).map(|(place, _)| *place).collect();
        drop(state);
        self.timer_set.notify_one();
        refused
    }
}
