//! Fair order between merchants: start-time fair queueing.
//!
//! Every job gets a *start tag*, which is its score in the ready set; the least tag goes first. A merchant's tags lie
//! `1 / weight` apart, so two backlogged merchants take turns in the ratio of their weights. A merchant that was quiet
//! begins at the *virtual time* (the tag that is being served), never in the past: its first job goes to the front of
//! everybody's backlog, and having been quiet for long buys it nothing more.

use scheduler_core::domain::MerchantId;
use std::collections::HashMap;

/// A least score beyond this was not ours: no populator counts that far.
const SANE: f64 = 1e12;
/// Merchants remembered before the first look for ones that can be forgotten.
const FIRST_PRUNE: usize = 1024;

/// The tags of one lane and priority.
#[derive(Debug)]
pub struct FairOrder {
    /// Virtual time: the least tag that may still be in the set.
    virtual_time: f64,
    /// The greatest tag given out.
    last: f64,
    /// The greatest next tag of any merchant.
    end: f64,
    /// Of each merchant that is ahead of the virtual time: the tag of its next job.
    next_tags: HashMap<MerchantId, f64>,
    prune_at: usize,
    /// Nothing was given out yet: what the set says is believed.
    fresh: bool,
}

impl Default for FairOrder {
    fn default() -> Self {
        Self { virtual_time: 0.0, last: 0.0, end: 0.0, next_tags: HashMap::new(), prune_at: FIRST_PRUNE, fresh: true }
    }
}

impl FairOrder {
    /// Takes in the least score of the set (none: it is empty), which moves the virtual time forward.
    ///
    /// Redis is not trusted: a score that was never given out cannot push the virtual time beyond the last tag.
    pub fn observe(&mut self, head: Option<f64>) {
        match head {
            // A set that another populator has filled: go on where it is.
            Some(head) if self.fresh && head.is_finite() && head.abs() < SANE => {
                self.virtual_time = head;
                self.last = head;
                self.end = head;
            }
            Some(head) => self.virtual_time = self.virtual_time.max(head.min(self.last)),
            // A busy period is over: nobody is ahead of anybody.
            None => {
                self.virtual_time = self.end;
                self.next_tags.clear();
            }
        }
        self.fresh = false;
    }

    /// The tag that the merchant's next job would get.
    pub fn next_tag(&self, merchant: MerchantId) -> f64 {
        self.next_tags.get(&merchant).map_or(self.virtual_time, |tag| tag.max(self.virtual_time))
    }

    /// Whether the merchant has nothing in the set, as far as the tags know: its next job goes to the front.
    pub fn is_quiet(&self, merchant: MerchantId) -> bool {
        self.next_tag(merchant) <= self.virtual_time
    }

    /// Gives the merchant's next job its tag.
    pub fn assign(&mut self, merchant: MerchantId, weight: u32) -> f64 {
        let tag = self.next_tag(merchant);
        self.fresh = false;
        self.last = self.last.max(tag);
        let next = tag + 1.0 / f64::from(weight.max(1));
        self.end = self.end.max(next);
        self.next_tags.insert(merchant, next);
        if self.next_tags.len() >= self.prune_at {
            let virtual_time = self.virtual_time;
            self.next_tags.retain(|_, next| *next > virtual_time);
            self.prune_at = (self.next_tags.len() * 2).max(FIRST_PRUNE);
        }
        tag
    }

    /// The set was lost: everybody begins anew at the virtual time.
    pub fn forget(&mut self) {
        self.next_tags.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn merchant(n: u128) -> MerchantId {
        MerchantId(Uuid::from_u128(n))
    }

    #[test]
    fn backlogged_merchants_take_turns() {
        let mut order = FairOrder::default();
        let tags = |order: &mut FairOrder, n| (0..3).map(|_| order.assign(merchant(n), 1)).collect::<Vec<_>>();
        assert_eq!(tags(&mut order, 1), [0.0, 1.0, 2.0]);
        assert_eq!(tags(&mut order, 2), [0.0, 1.0, 2.0]);
    }

    #[test]
    fn weights_are_shares() {
        let mut order = FairOrder::default();
        let count_below = |order: &mut FairOrder, n, weight| {
            (0..100).map(|_| order.assign(merchant(n), weight)).filter(|tag| *tag < 10.0).count()
        };
        assert_eq!(count_below(&mut order, 1, 1), 10);
        assert_eq!(count_below(&mut order, 2, 4), 40);
    }

    #[test]
    fn a_quiet_merchant_goes_to_the_front_but_not_into_the_past() {
        let mut order = FairOrder::default();
        for _ in 0..1_000_000 {
            order.assign(merchant(1), 1);
        }
        order.observe(Some(400.0));
        assert!(order.is_quiet(merchant(2)) && !order.is_quiet(merchant(1)));
        assert_eq!(order.assign(merchant(2), 1), 400.0);
        assert_eq!(order.assign(merchant(2), 1), 401.0);
    }

    #[test]
    fn an_empty_set_makes_everybody_equal_again() {
        let mut order = FairOrder::default();
        for _ in 0..10 {
            order.assign(merchant(1), 1);
        }
        order.observe(None);
        assert_eq!(order.assign(merchant(2), 1), 10.0);
        assert_eq!(order.assign(merchant(1), 1), 10.0);
    }

    #[test]
    fn forged_scores_move_nothing() {
        let mut order = FairOrder::default();
        for _ in 0..10 {
            order.assign(merchant(1), 1);
        }
        for head in [-1e300, f64::NEG_INFINITY] {
            order.observe(Some(head));
            assert_eq!(order.next_tag(merchant(2)), 0.0);
        }
        for head in [1e300, f64::INFINITY] {
            order.observe(Some(head));
            assert_eq!(order.next_tag(merchant(2)), 9.0, "no further than the last tag");
        }
        let mut fresh = FairOrder::default();
        fresh.observe(Some(1e300));
        assert_eq!(fresh.assign(merchant(1), 1), 0.0);
        assert_eq!(fresh.assign(merchant(1), 1), 1.0);
    }

    #[test]
    fn a_successor_goes_on_where_the_set_is() {
        let mut order = FairOrder::default();
        order.observe(Some(5_000.0));
        assert_eq!(order.assign(merchant(1), 1), 5_000.0);
        order.observe(Some(70_000.0));
        assert_eq!(order.next_tag(merchant(2)), 5_000.0, "only once");
    }

    #[test]
    fn merchants_that_are_quiet_again_are_forgotten() {
        let mut order = FairOrder::default();
        for n in 0..100_000_u32 {
            order.assign(merchant(n.into()), 1);
            let backlogged = order.assign(merchant(0), 1);
            order.observe(Some(backlogged));
        }
        assert!(order.next_tags.len() < 2 * FIRST_PRUNE, "{}", order.next_tags.len());
    }
}
