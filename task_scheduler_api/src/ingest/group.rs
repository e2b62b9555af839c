//! The creates of one flush, with those that wait for another one's answer.

use super::{Ingested, Waiting};
use scheduler_core::domain::MerchantId;
use scheduler_core::store::idempotency::KeyHolder;
use scheduler_core::store::job_create::{NewJob, Single};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Creates with different idempotency keys, and whoever asked.
pub(super) struct Group {
    singles: Vec<Arc<Single>>,
    askers: Vec<Askers>,
}

/// Whoever waits for one create: the request itself, and requests with the same idempotency key.
pub(super) struct Askers {
    first: oneshot::Sender<Ingested>,
    followers: Vec<Waiting>,
    single: Arc<Single>,
}

impl Group {
    /// Puts requests with equal keys behind the first of them.
    pub(super) fn of(waiting: Vec<Waiting>) -> Self {
        let mut by_key: HashMap<(MerchantId, String), usize> = HashMap::new();
        let mut group = Self { singles: Vec::with_capacity(waiting.len()), askers: Vec::with_capacity(waiting.len()) };
        for one in waiting {
            let key = one.single.key.as_ref().map(|(key, _)| (one.single.job.merchant, key.key.clone()));
            match key.as_ref().and_then(|key| by_key.get(key)) {
                Some(first) => group.askers[*first].followers.push(one),
                None => {
                    if let Some(key) = key {
                        by_key.insert(key, group.singles.len());
                    }
                    group.singles.push(Arc::clone(&one.single));
                    group.askers.push(Askers { first: one.answer, followers: Vec::new(), single: one.single });
                }
            }
        }
        group
    }

    /// The creates to be written.
    pub(super) fn singles(&self) -> &[Arc<Single>] {
        &self.singles
    }

    /// Their jobs.
    pub(super) fn jobs(&self) -> impl Iterator<Item = &NewJob> {
        self.singles.iter().map(|single| &single.job)
    }

    /// Answers those for which there is an outcome; the others stay.
    pub(super) fn answer(&mut self, outcome: impl Fn(&Single) -> Option<Ingested>) {
        let (mut singles, mut askers) = (Vec::new(), Vec::new());
        for (single, asked) in self.singles.drain(..).zip(self.askers.drain(..)) {
            match outcome(&single) {
                Some(outcome) => asked.answer(outcome),
                None => {
                    singles.push(single);
                    askers.push(asked);
                }
            }
        }
        (self.singles, self.askers) = (singles, askers);
    }

    /// Takes one out: those that wait for nobody first, then those whose keys somebody else may hold.
    pub(super) fn next(&mut self) -> Option<(Arc<Single>, Askers)> {
        let free = |single: &Arc<Single>| single.key.is_none() && single.job.spec.dedupe_key.is_none();
        let next = self.singles.iter().rposition(free).or_else(|| self.singles.len().checked_sub(1))?;
        Some((self.singles.swap_remove(next), self.askers.swap_remove(next)))
    }
}

impl Askers {
    /// Tells the outcome to all of them. Whoever has hung up does not hear it.
    pub(super) fn answer(self, outcome: Ingested) {
        for follower in self.followers {
            let same = follower_outcome(&self.single, &follower.single, &outcome);
            let _hung_up = follower.answer.send(same);
        }
        let _hung_up = self.first.send(outcome);
    }
}

/// What a request with the same idempotency key hears, given what the first of them does.
fn follower_outcome(first: &Single, follower: &Single, outcome: &Ingested) -> Ingested {
    let (Some((key, answer)), Some((other, _))) = (&first.key, &follower.key) else {
        return outcome.clone();
    };
    let same_request = key.request_hash == other.request_hash;
    match outcome {
        Ingested::Created if same_request => Ingested::replay(answer),
        Ingested::Created => Ingested::KeyTaken(KeyHolder::Other),
        // The stored answer may be the follower's request although it is not the first one's. Asking again is safe,
        // and rare enough.
        Ingested::KeyTaken(_) if !same_request => Ingested::Refused(crate::problem::Problem::unavailable(
            "key_in_use",
            "other requests with the same Idempotency-Key are under way; try again",
        )),
        _ => outcome.clone(),
    }
}
