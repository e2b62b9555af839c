//! Wrong variants of the protocol: each is a bug that others have had, and the model has to find it.

/// One thing done wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flaw {
    /// A result is accepted from whoever names the job.
    CompleteWithoutToken,
    /// A reaper takes whatever claim the job has by now, not the one that it has read.
    ReapById,
    /// A lost session is alive again once its executor says so.
    RenewAfterExpiry,
    /// An executor goes on when its lease is over.
    FenceIgnored,
    /// The sweep believes that what was pushed is still in Redis.
    QueuedFlag,
    /// A claim whose answer was lost is forgotten instead of asked for again.
    ClaimForgotten,
    /// Giving a claim back counts as an attempt.
    HandBackSpends,
    /// A cancel looks at the claim and writes later, without holding the claim's key.
    CancelWithoutKey,
    /// A watcher decides about a failure that it has read some time ago.
    VerdictUnguarded,
    /// A retry deletes the row and inserts the next one in a second transaction.
    RetryApart,
    /// The dead letter and its alert are two transactions.
    AlertApart,
    /// A result that is sent again is recorded again.
    ReplayRecorded,
    /// Two redrives that both found none living both make a job.
    RedriveUnguarded,
}

impl Flaw {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::CompleteWithoutToken,
        Self::ReapById,
        Self::RenewAfterExpiry,
        Self::FenceIgnored,
        Self::QueuedFlag,
        Self::ClaimForgotten,
        Self::HandBackSpends,
        Self::CancelWithoutKey,
        Self::VerdictUnguarded,
        Self::RetryApart,
        Self::AlertApart,
        Self::ReplayRecorded,
        Self::RedriveUnguarded,
    ];

    /// What is done wrong.
    pub fn says(self) -> &'static str {
        match self {
            Self::CompleteWithoutToken => "a result is accepted without its token",
            Self::ReapById => "a claim is reaped by the job's id alone",
            Self::RenewAfterExpiry => "a lost session is renewed",
            Self::FenceIgnored => "an executor runs on when its lease is over",
            Self::QueuedFlag => "what was pushed once is not pushed again",
            Self::ClaimForgotten => "a claim with a lost answer is not asked for again",
            Self::HandBackSpends => "a hand-back counts as an attempt",
            Self::CancelWithoutKey => "a cancel does not hold the claim's key",
            Self::VerdictUnguarded => "a verdict does not look at the row again",
            Self::RetryApart => "a retry is inserted in a second transaction",
            Self::AlertApart => "the alert is written in a second transaction",
            Self::ReplayRecorded => "a repeated result is recorded again",
            Self::RedriveUnguarded => "two redrives of one dead letter at once",
        }
    }
}
