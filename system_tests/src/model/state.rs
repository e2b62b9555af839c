//! What the model knows of one job, two executors and the stores.

/// Executors.
pub(super) const EXECUTORS: usize = 2;
/// Failures that end a job.
pub(super) const MAX_ATTEMPTS: u8 = 2;
/// Lost attempts that a job outlives.
pub(super) const MAX_CRASHES: u8 = 1;
/// Attempts that are counted apart; there are never more within the limits.
const COUNTED: usize = 5;

/// How a job ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum End {
    Succeeded,
    Dead,
    Cancelled,
}

/// Where the job's row is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Row {
    /// `scheduled` or `retrying`; running while there is a claim.
    Due,
    /// An attempt failed and no watcher has decided yet.
    Failed,
    /// In the finished table.
    Ended(End),
    /// In no table: only a flaw gets there.
    Nowhere,
}

/// The row of `claims`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct Claim {
    /// Fencing token.
    pub token: u8,
    /// The executor that took it.
    pub holder: u8,
    /// Taken under the session that the executor has now, not under an earlier one.
    pub current: bool,
    /// On disk: claims commit without waiting for that.
    pub durable: bool,
}

/// What an attempt came to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Outcome {
    Well,
    Badly,
    Stopped,
}

/// What an executor has in hand.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Work {
    Nothing,
    /// An id, from Redis or from the database.
    Popped,
    /// A claim was asked for and not answered.
    Asking(u8),
    /// A claim, not started.
    Granted(u8),
    /// Effects happen.
    Running(u8),
    /// A result that has not been acknowledged. `written`: the database has accepted it all the same.
    Reporting {
        token: u8,
        outcome: Outcome,
        written: bool,
    },
}

impl Work {
    pub fn token_mut(&mut self) -> Option<&mut u8> {
        match self {
            Self::Nothing | Self::Popped => None,
            Self::Asking(token) | Self::Granted(token) | Self::Running(token) | Self::Reporting { token, .. } => {
                Some(token)
            }
        }
    }

    pub fn token(mut self) -> Option<u8> {
        self.token_mut().copied()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Process {
    Up,
    /// SIGSTOP, a long pause of the machine.
    Paused,
    Dead,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct Executor {
    pub process: Process,
    /// The database cannot be reached.
    pub cut: bool,
    /// The row of its session says that it is lost.
    pub lost: bool,
    /// It knows that its lease is over and has stopped its effects.
    pub fenced: bool,
    /// It was paused beyond its lease: its effects may overlap those of another until it learns it.
    pub overslept: bool,
    /// A crash of the database took the claim that it works under: its effects may overlap those of another.
    pub orphaned: bool,
    pub work: Work,
}

impl Executor {
    /// Takes part: runs, and can talk to the database.
    pub fn talks(self) -> bool {
        self.process == Process::Up && !self.cut
    }

    /// Has nothing in hand any more.
    pub fn drop_work(&mut self) {
        (self.work, self.overslept, self.orphaned) = (Work::Nothing, false, false);
    }
}

/// Everything.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct State {
    pub row: Row,
    pub claim: Option<Claim>,
    pub executors: [Executor; EXECUTORS],
    /// The live row's counters.
    pub attempt: u8,
    pub crashes: u8,
    pub cancel_requested: bool,
    /// A producer has asked for a cancel, and was told that the job is cancelled.
    pub cancel_asked: bool,
    pub cancel_told: bool,
    /// A cancel that has looked and found no claim, and not yet written (only with a flaw).
    pub cancel_looked: bool,
    /// Redis, and the id in its ready set.
    pub redis_up: bool,
    pub ready: bool,
    /// The id was pushed since the job fell due.
    pub pushed: bool,
    /// What a reaper has read: the token of a claim whose session is lost.
    pub reaper_saw: Option<u8>,
    /// What a watcher has read: the attempt that failed.
    pub watcher_saw: Option<u8>,
    /// Accepted and lost results, for each attempt.
    pub records: [u8; COUNTED],
    /// How the job ended first.
    pub ended: Option<End>,
    /// The alert of the dead letter.
    pub alerted: bool,
    /// Redrives that have looked and found none living, and those that live.
    pub redrives_looking: u8,
    pub redrives_live: u8,
    /// Faults that may still happen.
    pub faults: u8,
}

impl State {
    pub fn start(faults: u8) -> Self {
        let executor = Executor {
            process: Process::Up,
            cut: false,
            lost: false,
            fenced: false,
            overslept: false,
            orphaned: false,
            work: Work::Nothing,
        };
        Self {
            row: Row::Due,
            claim: None,
            executors: [executor; EXECUTORS],
            attempt: 0,
            crashes: 0,
            cancel_requested: false,
            cancel_asked: false,
            cancel_told: false,
            cancel_looked: false,
            redis_up: true,
            ready: false,
            pushed: false,
            reaper_saw: None,
            watcher_saw: None,
            records: [0; COUNTED],
            ended: None,
            alerted: false,
            redrives_looking: 0,
            redrives_live: 0,
            faults,
        }
    }

    /// The claim's session is lost, or not there any more.
    pub fn claim_is_lost(&self) -> bool {
        self.claim.is_some_and(|claim| !claim.current || self.executors[usize::from(claim.holder)].lost)
    }

    /// Nothing is left to do for this job.
    pub fn is_over(&self) -> bool {
        matches!(self.row, Row::Ended(_)) && self.claim.is_none()
    }

    /// A token that nobody holds: 128 random bits never come twice.
    pub fn fresh_token(&self) -> u8 {
        let held = |token| {
            self.claim.is_some_and(|claim| claim.token == token)
                || self.reaper_saw == Some(token)
                || self.executors.iter().any(|executor| executor.work.token() == Some(token))
        };
        (0..).find(|token| !held(*token)).unwrap_or(u8::MAX)
    }

    /// A result or a loss of the attempt that is under way.
    pub fn record(&mut self) {
        let number = usize::from(self.attempt + 1).min(COUNTED - 1);
        self.records[number] += 1;
    }

    /// The row leaves for the finished table.
    pub fn end(&mut self, end: End) {
        self.row = Row::Ended(end);
        self.ended = self.ended.or(Some(end));
    }

    /// The same state under the smallest names: executors are alike, and of tokens only equality matters.
    pub fn canonical(self) -> Self {
        let mut swapped = self;
        swapped.executors.swap(0, 1);
        if let Some(claim) = &mut swapped.claim {
            claim.holder = 1 - claim.holder;
        }
        self.renamed().min(swapped.renamed())
    }

    fn renamed(mut self) -> Self {
        let (mut names, mut known) = ([0_u8; EXECUTORS + 2], 0_u8);
        let mut name = |token: &mut u8| {
            let old = (0..known).find(|index| names[usize::from(*index)] == *token);
            *token = old.unwrap_or_else(|| {
                names[usize::from(known)] = *token;
                known += 1;
                known - 1
            });
        };
        if let Some(claim) = &mut self.claim {
            name(&mut claim.token);
        }
        for executor in &mut self.executors {
            if let Some(token) = executor.work.token_mut() {
                name(token);
            }
        }
        if let Some(token) = &mut self.reaper_saw {
            name(token);
        }
        self
    }
}
