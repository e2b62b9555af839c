//! The course of a simulation: time goes on in steps, things happen to the templates, managers come and go.

use super::definition::Definition;
use super::history::Drain;
use super::managers::Manager;
use super::world::World;
use chrono::{DateTime, TimeDelta, Utc};
use test_support::{Random, sql};

/// The longest that a manager's clock is behind another's.
pub const SKEW: TimeDelta = TimeDelta::seconds(4);

/// How large a simulation is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub templates: usize,
    pub days: i64,
    /// How often something happens to a template, on average: once in so many days.
    pub rest_days: f64,
}

pub struct Simulation {
    pub world: World,
    size: Size,
    now: DateTime<Utc>,
    end: DateTime<Utc>,
    random: Random,
    /// For what is decided about single jobs, in whatever order they come.
    chance: Random,
    managers: Vec<Manager>,
    /// Happenings that are due, a fraction of one included.
    owed: f64,
    pub steps: usize,
}

impl Simulation {
    pub async fn new(size: Size, seed: u64, start: DateTime<Utc>) -> Self {
        let mut random = Random::new(seed);
        let merchants = size.templates.div_ceil(60).max(2);
        let world = World::new(merchants, &mut random, start).await;
        let end = start + TimeDelta::days(size.days);
        let managers = (0..3).map(|_| Manager::start(&world.database, &mut random)).collect();
        let chance = random.split(1);
        Self { world, size, now: start, end, random, chance, managers, owed: 0.0, steps: 0 }
    }

    /// The whole of it; afterwards everything up to the end has been planned.
    pub async fn run(&mut self) -> DateTime<Utc> {
        for _ in 0..self.size.templates / 2 {
            self.create().await;
        }
        while self.now < self.end {
            self.step().await;
        }
        self.tick();
        self.review_all().await;
        self.plan_all(0).await;
        self.world.work(&self.chance, self.now).await;
        self.now
    }

    /// A little later: no two things happen at the same time.
    fn tick(&mut self) {
        self.now += TimeDelta::microseconds(7_000_000 + self.random.below(60_000_000) as i64);
    }

    async fn step(&mut self) {
        self.steps += 1;
        // What a manager did as it died may have come through only now.
        self.world.notice_own_changes().await;
        let down = self.random.below(1_000);
        let minutes = match down {
            ..25 => 180 + self.random.below(12 * 60),
            25..30 => 1_440 + self.random.below(2 * 1_440),
            _ => 15 + self.random.below(150),
        };
        // While nobody plans, people go on changing things and executors go on working.
        let parts = if down < 30 { 3 } else { 1 };
        for _ in 0..parts {
            let before = self.now;
            self.now += TimeDelta::seconds((minutes * 60 / parts) as i64);
            self.tick();
            let days = (self.now - before).as_seconds_f64() / 86_400.0;
            self.owed += days * self.size.templates as f64 / self.size.rest_days;
            while self.owed >= 1.0 {
                self.owed -= 1.0;
                self.happen().await;
                self.tick();
            }
            if self.random.chance(70) {
                self.world.work(&self.chance, self.now).await;
            }
        }
        self.tick();
        self.manage().await;
        self.tick();
        self.review().await;
        if self.steps.is_multiple_of(500) {
            // What autovacuum does where it is on.
            sql::execute(self.world.store(), "VACUUM jobs_live").await;
            sql::execute(self.world.store(), "VACUUM templates").await;
        }
    }

    /// Something happens to a template or to a merchant.
    async fn happen(&mut self) {
        let count = self.world.history.templates.len();
        let template = self.random.below(count as u64) as usize;
        let merchant = self.random.below(self.world.history.merchants.len() as u64) as usize;
        let (now, is_there) = (self.now, self.world.history.templates[template].is_there());
        let is_active = is_there && self.world.history.templates[template].latest().active;
        match self.random.below(100) {
            ..22 if count < self.size.templates => self.create().await,
            22..52 if is_there => self.edit(template).await,
            52..66 if is_active => self.world.switch(template, false, now).await,
            66..90 => {
                // Half of the paused ones, so that a pause lasts for days.
                let paused = |it: &&super::history::Told| it.is_there() && !it.latest().active;
                let paused = self.world.history.templates.iter().position(|it| paused(&it));
                if let Some(paused) = paused.filter(|_| self.random.chance(60)) {
                    self.world.switch(paused, true, now).await;
                }
            }
            90..92 if is_there => self.world.delete(template, now).await,
            92..94 => self.world.freeze(merchant, &mut self.random, now).await,
            94..95 => self.world.thaw(merchant, now).await,
            95..98 => self.world.change_calendar(merchant, &mut self.random, now).await,
            98.. if is_there && !self.world.history.templates[template].latest().definition.is_tracked() => {
                self.world.trigger(template, now).await;
            }
            _ => {}
        }
    }

    async fn create(&mut self) {
        let merchant = self.random.below(self.world.history.merchants.len() as u64) as usize;
        let completion = self.random.chance(7);
        let definition = Definition::random(&mut self.random, self.now, completion);
        let active = !self.random.chance(4);
        self.world.create(merchant, definition, active, self.now).await;
        self.tick();
    }

    async fn edit(&mut self, template: usize) {
        let (definition, active) = self.edited(template);
        self.world.edit(template, definition, active, self.now).await;
    }

    /// A new definition, or the old one with other policies.
    fn edited(&mut self, template: usize) -> (Definition, bool) {
        let latest = self.world.history.templates[template].latest().clone();
        let completion = latest.definition.schedule.completion().is_some();
        let mut definition = Definition::random(&mut self.random, self.now, completion);
        if self.random.chance(30) {
            // Bounds stay: without them a dense schedule would be too much.
            let (start_at, end_at) = (latest.definition.policies.start_at, latest.definition.policies.end_at);
            definition.schedule = latest.definition.schedule;
            (definition.policies.start_at, definition.policies.end_at) = (start_at, end_at);
        }
        let active = if self.random.chance(90) { latest.active } else { !latest.active };
        (definition, active)
    }

    /// What the managers do in one step.
    async fn manage(&mut self) {
        let number = self.random.below(self.managers.len() as u64) as usize;
        match self.random.below(100) {
            // One, and it dies on the way; perhaps somebody else is there, perhaps not until the next step.
            ..12 => {
                let steps = 1 + self.random.below(60);
                self.managers[number].die_planning(self.now, steps).await;
                self.restart(number).await;
                if self.random.chance(50) {
                    self.tick();
                    self.plan_all((number + 1) % self.managers.len()).await;
                }
            }
            12..45 => self.manage_together().await,
            _ => self.plan_all(number).await,
        }
        if self.random.chance(3) {
            self.restart(number).await;
        }
    }

    /// Several at once, whose clocks differ, and sometimes an edit in the middle of it.
    async fn manage_together(&mut self) {
        let behind =
            |random: &mut Random| TimeDelta::microseconds(random.below(SKEW.num_microseconds().unwrap() as u64) as i64);
        let nows = [0; 3].map(|_| self.now - behind(&mut self.random));
        let dying = self.random.chance(30).then(|| 1 + self.random.below(80));
        let template = self.random.below(self.world.history.templates.len() as u64) as usize;
        let edited = (self.random.chance(40) && self.world.history.templates[template].is_there())
            .then(|| self.edited(template));
        let [first, second, third] = &self.managers[..] else { unreachable!("there are three") };
        let last = async {
            match dying {
                Some(steps) => third.die_planning(nows[2], steps).await,
                None => third.drain(nows[2]).await,
            }
        };
        let (world, now) = (&mut self.world, self.now);
        let edit = async {
            if let Some((definition, active)) = edited {
                world.edit(template, definition, active, now).await;
            }
        };
        tokio::join!(first.drain(nows[0]), second.drain(nows[1]), last, edit);
        if dying.is_some() {
            self.restart(2).await;
        }
        self.tick();
        let number = self.random.below(3) as usize;
        self.plan_all(number).await;
    }

    /// One manager plans everything that it can.
    async fn plan_all(&mut self, manager: usize) {
        let manager = &self.managers[manager];
        manager.settle(self.now).await;
        self.world.history.drains.push(Drain { at: self.now, until: self.now + manager.lookahead() });
    }

    async fn restart(&mut self, number: usize) {
        let started = Manager::start(&self.world.database, &mut self.random);
        std::mem::replace(&mut self.managers[number], started).stop().await;
    }

    async fn review(&mut self) {
        let number = self.random.below(3) as usize;
        match self.random.below(100) {
            ..15 => {}
            15..25 => {
                let steps = 1 + self.random.below(60);
                self.managers[number].die_reviewing(self.now, steps).await;
            }
            25..45 => {
                let other = &self.managers[(number + 1) % 3];
                tokio::join!(self.managers[number].review(self.now, 20), other.review(self.now - SKEW / 2, 20));
                self.tick();
                self.review_all().await;
            }
            _ => self.review_all().await,
        }
        self.world.notice_own_changes().await;
    }

    async fn review_all(&mut self) {
        self.managers[0].review_all(self.now).await;
        self.world.history.reviews.push(self.now);
        self.world.notice_own_changes().await;
    }
}
