//! Skipping, moving and giving back one occurrence of a template.
//!
//! The nominal time stays the occurrence's name. What somebody decides about it is its record in the ledger, under the key
//! that makes a record exist once: `skipped_user`, or `dispatched` with `moved_to` and a job that starts then. A time
//! beyond the look-ahead gets that record ahead of its planning; the materialiser finds it there and leaves it alone, and an
//! edit keeps it as long as it still is a nominal time.
//!
//! Everything happens in one transaction under the lock of the template's row, so that nobody plans, edits or changes the
//! same occurrence meanwhile. A job that is planned already is taken back under its claim key: who wins against a claim
//! is decided there, and both callers learn it. A move is a new job in the place of the old one.

mod carry_out;
mod find;
mod take_back;

use self::carry_out::carry_out;
use self::find::{Found, find};
use super::change::lock;
use super::keyed::{Keyed, answer, take};
use super::ledger::{LedgerEntry, record_at};
use crate::domain::outlook::AlteredOccurrence;
use crate::domain::{JobId, MerchantId, OccurrenceOutcome, TemplateId};
use crate::store::idempotency::KeyHolder;
use crate::store::materialise::{MaterialisedJob, Single};
use crate::store::{Store, StoreResult};
use chrono::{DateTime, SubsecRound as _, Utc};
use sqlx::PgConnection;

/// What to do with one occurrence.
pub struct ChangeOccurrence<'a> {
    /// Whose template.
    pub merchant: MerchantId,
    /// Which template.
    pub template: TemplateId,
    /// Which of its occurrences.
    pub which: WhichOccurrence,
    /// What to do with it.
    pub change: OccurrenceChange,
    /// The present, by the database's clock.
    pub now: DateTime<Utc>,
    /// Find out what it would be, and change nothing.
    pub dry_run: bool,
    /// The request's idempotency key and what to answer.
    pub key: Option<Keyed<'a, ChangedOccurrence>>,
}

/// Names an occurrence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WhichOccurrence {
    /// The one of this nominal time. A time without a fraction of a second stands for its whole second.
    At(DateTime<Utc>),
    /// The first one to come that is to run; for [`OccurrenceChange::Unskip`] the first one that is skipped or moved.
    Next,
}

/// What is done with an occurrence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OccurrenceChange {
    /// It does not run.
    Skip,
    /// It runs after all, and at its own time.
    Unskip,
    /// It starts at another time.
    Move {
        /// When; in the future.
        to: DateTime<Utc>,
    },
}

/// An occurrence as it is now.
#[derive(Clone, PartialEq, Debug)]
pub struct ChangedOccurrence {
    /// Its nominal time.
    pub nominal_at: DateTime<Utc>,
    /// Its record; none: it will be planned when its time is near.
    pub entry: Option<LedgerEntry>,
    /// The template's version.
    pub version: i32,
    /// The jobs that were made.
    pub jobs: Vec<MaterialisedJob>,
}

/// What became of it.
#[derive(Clone, Debug)]
pub enum OccurrenceChanged {
    /// It is as was asked for; perhaps it was already.
    Done(Box<ChangedOccurrence>),
    /// The idempotency key was used before.
    KeyTaken(KeyHolder),
    /// There is no such template.
    NotFound,
    /// The time is none of the template's; the nearest ones that are.
    NotNominal {
        /// The last one before.
        before: Option<DateTime<Utc>>,
        /// The first one after.
        after: Option<DateTime<Utc>>,
    },
    /// There is none to come that this could be done with.
    NoNext,
    /// It cannot be done with this one.
    Refused {
        /// The nominal time.
        nominal_at: DateTime<Utc>,
        /// Why.
        why: Refusal,
    },
}

/// Why an occurrence stays as it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Its time has passed.
    Past(Option<OccurrenceOutcome>),
    /// Its job is due.
    Due(JobId),
    /// Its job was claimed first, or was tried already.
    Started(JobId),
    /// Its job has ended.
    Ended(JobId),
    /// It will not run anyway; why not, as the end of a sentence.
    LeftOut(String),
    /// The template is paused: nothing of it starts.
    Paused,
    /// A freeze window is open at the time that it would move to.
    Frozen {
        /// The window.
        name: String,
        /// Its end.
        ends_at: DateTime<Utc>,
    },
    /// The schedule counts from the ends of runs, and has counted on from this one.
    CountedOn,
}

impl Store {
    /// Skips, moves or gives back one occurrence. Doing it again changes nothing more.
    ///
    /// # Errors
    /// When the database does not do it, or the template cannot be read.
    pub async fn change_occurrence(&self, wanted: &ChangeOccurrence<'_>) -> StoreResult<OccurrenceChanged> {
        self.pool()
            .within(async {
                let mut transaction = self.pool().begin().await?;
                if let Some(holder) = take(&mut transaction, wanted.merchant, &wanted.key).await? {
                    transaction.rollback().await?;
                    return Ok(OccurrenceChanged::KeyTaken(holder));
                }
                let changed = change_in(&mut transaction, wanted).await?;
                match &changed {
                    OccurrenceChanged::Done(done) if !wanted.dry_run => {
                        answer(&mut transaction, wanted.merchant, &wanted.key, &**done).await?;
                        transaction.commit().await?;
                    }
                    _ => transaction.rollback().await?,
                }
                Ok(changed)
            })
            .await
    }

    /// Up to `limit` occurrences of a template after `now` that somebody has skipped or moved, in order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn altered_occurrences(
        &self,
        merchant: MerchantId,
        template: TemplateId,
        now: DateTime<Utc>,
        limit: i64,
    ) -> StoreResult<Vec<AlteredOccurrence>> {
        let rows: Vec<(DateTime<Utc>, Option<DateTime<Utc>>)> = sqlx::query_as(
            "SELECT nominal_at, moved_to FROM occurrences
              WHERE merchant_id = $1 AND template_id = $2 AND nominal_at > $3
                AND (outcome = 'skipped_user' OR moved_to IS NOT NULL)
              ORDER BY nominal_at LIMIT $4",
        )
        .bind(merchant.0)
        .bind(template.0)
        .bind(now)
        .bind(limit)
        .fetch_all(self.pool())
        .await?;
        Ok(rows.into_iter().map(|(at, moved_to)| AlteredOccurrence { at, moved_to }).collect())
    }
}

/// [`Store::change_occurrence`] in the caller's transaction, which is to be rolled back unless it is done.
async fn change_in(connection: &mut PgConnection, wanted: &ChangeOccurrence<'_>) -> StoreResult<OccurrenceChanged> {
    let now = wanted.now.trunc_subsecs(6);
    let (merchant, template) = (wanted.merchant, wanted.template);
    loop {
        let Some(row) = lock(connection, merchant, template).await? else {
            return Ok(OccurrenceChanged::NotFound);
        };
        let single = Single::read(connection, &row, now).await?;
        let found = match find(connection, &row, &single, wanted, now).await? {
            Found::At(found) => found,
            Found::NotNominal { before, after } => return Ok(OccurrenceChanged::NotNominal { before, after }),
            Found::NoNext => return Ok(OccurrenceChanged::NoNext),
        };
        let nominal_at = found.nominal_at;
        if found.is_ahead_of_its_count(&single, &row) {
            // The next round finds its job.
            single.plan_until(connection, nominal_at).await?;
            continue;
        }
        return Ok(match carry_out(connection, &row, &single, &found, wanted.change, now).await? {
            Ok(jobs) => {
                let entry = record_at(connection, merchant, template, nominal_at).await?;
                OccurrenceChanged::Done(Box::new(ChangedOccurrence { nominal_at, entry, version: row.version, jobs }))
            }
            Err(why) => OccurrenceChanged::Refused { nominal_at, why },
        });
    }
}
