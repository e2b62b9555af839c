//! What goes wrong: one kind of fault, over and over, each time for a while, at times that follow from the seed.

use super::fleet::Fleet;
use super::generator::Client;
use super::servers::Servers;
use super::target::Target;
use std::time::{Duration, Instant};
use test_support::Fault as ProxyFault;
use test_support::Random;

/// A kind of fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nothing goes wrong.
    None,
    /// `kill -9` of any daemon; a new process a moment later.
    Kill,
    /// SIGSTOP for longer than a lease, then SIGCONT.
    Pause,
    /// `FLUSHALL`.
    Flush,
    /// Redis killed, and started again empty.
    RedisRestart,
    /// Redis at `maxmemory`.
    RedisFull,
    /// A crowd of forged members in the ready sets.
    Forged,
    /// PostgreSQL stopped with `-m immediate`, and started again.
    PostgresCrash,
    /// The same, and away for longer than a lease.
    PostgresDown,
    /// Backends terminated at random.
    Backends,
    /// A daemon's connections to PostgreSQL cut, and refused for a while.
    Cut,
    /// A daemon cut off from PostgreSQL for longer than its lease.
    Partition,
    /// Everything to and from PostgreSQL comes late.
    Delay,
    /// A daemon's statements arrive, the answers do not.
    OneWay,
    /// A daemon's connections to PostgreSQL and Redis go nowhere, silently.
    HalfOpen,
    /// Requests to PostgreSQL cut before it has them.
    RequestLost,
    /// Requests to PostgreSQL cut after they were committed.
    AnswerLost,
    /// The disk of the servers is full.
    DiskFull,
    /// Every statement about jobs waits: the pools run dry.
    PoolsDry,
    /// Daemons misread the database's clock by seconds, this way and that.
    ClockSteps,
    /// Daemons, Redis and PostgreSQL killed at once and started again.
    Everything,
    /// SIGTERM to one daemon after the other, each replaced.
    Rolling,
}

impl Fault {
    /// The whole matrix.
    pub const ALL: [Self; 22] = [
        Self::None,
        Self::Kill,
        Self::Pause,
        Self::Flush,
        Self::RedisRestart,
        Self::RedisFull,
        Self::Forged,
        Self::PostgresCrash,
        Self::PostgresDown,
        Self::Backends,
        Self::Cut,
        Self::Partition,
        Self::Delay,
        Self::OneWay,
        Self::HalfOpen,
        Self::RequestLost,
        Self::AnswerLost,
        Self::DiskFull,
        Self::PoolsDry,
        Self::ClockSteps,
        Self::Everything,
        Self::Rolling,
    ];

    /// Its name on the command line and in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Flush => "flush",
            Self::RedisRestart => "redis-restart",
            Self::RedisFull => "redis-full",
            Self::Forged => "forged",
            Self::PostgresCrash => "postgres-crash",
            Self::PostgresDown => "postgres-down",
            Self::Backends => "backends",
            Self::Cut => "cut",
            Self::Partition => "partition",
            Self::Delay => "delay",
            Self::OneWay => "one-way",
            Self::HalfOpen => "half-open",
            Self::RequestLost => "request-lost",
            Self::AnswerLost => "answer-lost",
            Self::DiskFull => "disk-full",
            Self::PoolsDry => "pools-dry",
            Self::ClockSteps => "clock-steps",
            Self::Everything => "everything",
            Self::Rolling => "rolling",
        }
    }

    /// The fault of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }

    /// Whether effects may overlap under it (G6): nobody can stop what is itself stopped, and a crash of the database may
    /// take a claim that had not reached the disk, of which its holder does not learn (`docs/model.md`).
    pub fn excuses_overlap(self) -> bool {
        let crashes = matches!(self, Self::PostgresCrash | Self::PostgresDown | Self::DiskFull | Self::Everything);
        crashes || self == Self::Pause
    }

    /// Whether no attempt may be wasted under it (G15).
    pub fn costs_no_attempt(self) -> bool {
        matches!(self, Self::None | Self::Rolling | Self::Flush | Self::RedisRestart | Self::RedisFull | Self::Forged)
    }
}

/// What was injected, and how long it took after each time until new work was done again.
#[derive(Clone, Debug, Default)]
pub struct Injected {
    /// How often.
    pub times: u64,
    /// From the end of the fault to the execution of a job that was created after it.
    pub recoveries: Vec<Duration>,
    /// What could not be injected here, and why; what did not come back.
    pub complaints: Vec<String>,
}

/// The nemesis of one run.
pub struct Nemesis<'a> {
    /// The daemons.
    pub fleet: &'a mut Fleet,
    /// The servers.
    pub servers: &'a Servers,
    /// Where jobs arrive.
    pub target: &'a Target,
    /// For the jobs that show that work goes on.
    pub client: Client,
    /// Decides.
    pub random: Random,
    /// How many forged members at a time.
    pub forged: u64,
}

/// How long a probe may take: far more than any promise.
const RECOVERS_WITHIN: Duration = Duration::from_secs(60);

impl Nemesis<'_> {
    /// Injects until `deadline`; everything is healed when it returns.
    pub async fn run(&mut self, faults: &[Fault], deadline: Instant) -> Injected {
        let mut injected = Injected::default();
        // There has to be something that may go wrong.
        self.wait(1500, 3000).await;
        while Instant::now() < deadline {
            let fault = faults[injected.times as usize % faults.len()];
            if fault == Fault::None {
                tokio::time::sleep(deadline.saturating_duration_since(Instant::now())).await;
                break;
            }
            if let Err(complaint) = self.inject(fault).await {
                injected.complaints.push(complaint);
            }
            self.heal().await;
            injected.times += 1;
            match self.probe(injected.times).await {
                Some(recovery) => injected.recoveries.push(recovery),
                None => injected.complaints.push(format!("no work {RECOVERS_WITHIN:?} after {}", fault.name())),
            }
            let pause = self.random.millis(200, 1500);
            tokio::time::sleep(pause.min(deadline.saturating_duration_since(Instant::now()))).await;
        }
        injected
    }

    /// Puts everything right that may be wrong.
    pub async fn heal(&mut self) {
        for slot in &self.fleet.slots {
            slot.pause(false);
            slot.database.set(ProxyFault::None);
            slot.redis.set(ProxyFault::None);
        }
        let _not_there = std::fs::remove_file(&self.fleet.clock_fault);
        self.servers.fill_disk(false).await;
        self.servers.start_missing().await;
        self.servers.redis(&["CONFIG", "SET", "maxmemory", "0"]).await;
        self.fleet.launch_missing();
    }

    /// Creates a job, however often it takes, and waits until it is executed.
    async fn probe(&mut self, number: u64) -> Option<Duration> {
        let started = Instant::now();
        let body = self.client.job(0, &format!("probe-{number}"), &[(200, 0)]);
        let mut id = None;
        while started.elapsed() < RECOVERS_WITHIN {
            if id.is_none() {
                let created = self.client.create(0, vec![body.clone()], Some(format!("probe-{number}"))).await;
                id = super::history::ids_of(&created).first().copied();
            }
            if let Some(id) = id
                && self.target.visits().iter().any(|visit| visit.job == id)
            {
                return Some(started.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        None
    }

    fn any_slot(&mut self) -> usize {
        self.random.below(self.fleet.slots.len() as u64) as usize
    }

    /// An executor more often than not: there the work is.
    fn likely_executor(&mut self) -> usize {
        let executors: Vec<usize> =
            (0..self.fleet.slots.len()).filter(|n| self.fleet.slots[*n].daemon == "task_executor").collect();
        if self.random.chance(60) { *self.random.pick(&executors) } else { self.any_slot() }
    }

    async fn inject(&mut self, fault: Fault) -> Result<(), String> {
        match fault {
            Fault::None => {}
            Fault::Kill => {
                let slot = self.likely_executor();
                self.fleet.slots[slot].kill();
                self.wait(100, 900).await;
            }
            Fault::Pause => {
                let slot = self.likely_executor();
                self.fleet.slots[slot].pause(true);
                self.wait(2500, 5000).await;
            }
            Fault::Flush => {
                self.flush().await?;
                self.wait(500, 2500).await;
            }
            Fault::RedisRestart => {
                self.servers.kill_redis().await;
                self.wait(200, 2500).await;
            }
            Fault::RedisFull => self.fill_redis().await?,
            Fault::Forged => self.forge().await?,
            Fault::PostgresCrash => {
                self.servers.crash_postgres().await;
                self.wait(0, 1000).await;
            }
            Fault::PostgresDown => {
                self.servers.crash_postgres().await;
                self.wait(4000, 8000).await;
            }
            Fault::Backends => self.terminate_backends().await,
            Fault::Cut => self.break_one(ProxyFault::Cut, false, 200, 1200).await,
            Fault::Partition => self.break_one(ProxyFault::Cut, false, 3500, 6000).await,
            Fault::OneWay => self.break_one(ProxyFault::OneWay, false, 1000, 5000).await,
            Fault::HalfOpen => self.break_one(ProxyFault::HalfOpen, true, 1000, 5000).await,
            Fault::Delay => self.break_all(ProxyFault::Delay(Duration::from_millis(120)), 3000).await,
            Fault::RequestLost => self.break_all(ProxyFault::RequestLost(7), 2000).await,
            Fault::AnswerLost => self.break_all(ProxyFault::AnswerLost(7), 2000).await,
            Fault::DiskFull => {
                if !self.servers.fill_disk(true).await {
                    return Err("the servers have no small disk here (no private mounts)".to_owned());
                }
                self.wait(2000, 5000).await;
            }
            Fault::PoolsDry => self.dry_pools().await?,
            Fault::ClockSteps => self.step_clock().await,
            Fault::Everything => {
                self.fleet.slots.iter_mut().for_each(super::fleet::Slot::kill);
                self.servers.kill_redis().await;
                self.servers.crash_postgres().await;
            }
            Fault::Rolling => self.roll().await?,
        }
        Ok(())
    }

    async fn wait(&mut self, least: u64, most: u64) {
        let time = self.random.millis(least, most);
        tokio::time::sleep(time).await;
    }

    async fn flush(&self) -> Result<(), String> {
        self.servers.redis(&["FLUSHALL"]).await.map(drop).ok_or_else(|| "Redis did not answer FLUSHALL".to_owned())
    }

    async fn fill_redis(&mut self) -> Result<(), String> {
        let set = self.servers.redis(&["CONFIG", "SET", "maxmemory", "1"]).await;
        set.ok_or_else(|| "Redis did not take a maxmemory".to_owned())?;
        self.wait(2000, 4000).await;
        Ok(())
    }

    /// Ids that name nothing, in every ready set, before everything that is real.
    async fn forge(&mut self) -> Result<(), String> {
        let script = "for p = 0, 9 do for i = 1, ARGV[2] / 10, 100 do local a = {} \
                      for j = 0, 99 do a[#a + 1] = -1 a[#a + 1] = string.rep(string.char(p), 16) .. string.format('%016d', i + j) end \
                      redis.call('ZADD', '{' .. ARGV[1] .. ':default}:ready:' .. p, unpack(a)) end end return 1";
        let (prefix, count) = (self.fleet.prefix.clone(), self.forged.to_string());
        let done = self.servers.redis(&["EVAL", script, "0", &prefix, &count]).await;
        done.ok_or_else(|| "Redis did not take the forged members".to_owned())?;
        self.wait(500, 1500).await;
        Ok(())
    }

    async fn terminate_backends(&mut self) {
        let terminate = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                          WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.4
                            AND application_name <> 'observer'";
        for _ in 0..5 {
            let _the_next_one_will = sqlx::query(terminate).execute(self.fleet.store.pool()).await;
            self.wait(100, 400).await;
        }
    }

    async fn break_one(&mut self, fault: ProxyFault, redis_too: bool, least: u64, most: u64) {
        let slot = self.likely_executor();
        self.fleet.slots[slot].database.set(fault);
        if redis_too {
            self.fleet.slots[slot].redis.set(fault);
        }
        self.wait(least, most).await;
    }

    async fn break_all(&mut self, fault: ProxyFault, about: u64) {
        self.fleet.slots.iter().for_each(|slot| slot.database.set(fault));
        self.wait(about / 2, about * 3 / 2).await;
    }

    /// An exclusive lock on the jobs: whoever wants them waits with a connection in hand.
    async fn dry_pools(&mut self) -> Result<(), String> {
        let away = |error: sqlx::Error| error.to_string();
        let mut transaction = self.fleet.store.pool().begin().await.map_err(away)?;
        sqlx::query("SET LOCAL lock_timeout = '5s'").execute(&mut *transaction).await.map_err(away)?;
        let lock = sqlx::query("LOCK TABLE jobs_live IN ACCESS EXCLUSIVE MODE");
        lock.execute(&mut *transaction).await.map_err(away)?;
        self.wait(1500, 3500).await;
        transaction.rollback().await.map_err(away)
    }

    async fn step_clock(&mut self) {
        for _ in 0..3 {
            let step = self.random.below(6001) as i64 - 3000;
            std::fs::write(&self.fleet.clock_fault, step.to_string()).unwrap();
            self.wait(800, 2000).await;
        }
    }

    async fn roll(&mut self) -> Result<(), String> {
        let mut unclean = Vec::new();
        for slot in &mut self.fleet.slots {
            if !slot.stop().await {
                unclean.push(slot.daemon);
            }
            slot.launch();
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        if unclean.is_empty() { Ok(()) } else { Err(format!("did not end well after SIGTERM: {unclean:?}")) }
    }
}
