//! Places under concurrency caps, as one sweep spends them.
//!
//! What counts is decided by the claim. Here the point is only not to push what would be refused: a job that has no place
//! is held until one is released, and then the next sweep finds it.

use scheduler_core::domain::MerchantId;
use scheduler_core::store::due::CapRoom;
use std::collections::HashMap;

/// Places left, by merchant and cap. Each begins with what the database said when the sweep first met the cap.
#[derive(Debug, Default)]
pub struct Rooms(HashMap<(MerchantId, String), i32>);

impl Rooms {
    /// Takes a place under each of these caps, or none: `false` when one of them is full.
    pub fn take<'a>(&mut self, merchant: MerchantId, caps: impl Iterator<Item = &'a CapRoom> + Clone) -> bool {
        let fits = caps.clone().all(|cap| self.left(merchant, cap) > 0);
        if fits {
            for cap in caps {
                *self.0.entry((merchant, cap.cap.clone())).or_insert(cap.room) -= 1;
            }
        }
        fits
    }

    /// Whether any of these caps is full.
    pub fn any_full(&self, merchant: MerchantId, caps: &[CapRoom]) -> bool {
        caps.iter().any(|cap| self.left(merchant, cap) <= 0)
    }

    fn left(&self, merchant: MerchantId, cap: &CapRoom) -> i32 {
        self.0.get(&(merchant, cap.cap.clone())).copied().unwrap_or(cap.room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn cap(name: &str, room: i32) -> CapRoom {
        CapRoom { cap: name.to_owned(), room }
    }

    #[test]
    fn a_place_is_taken_under_every_cap_or_under_none() {
        let (mut rooms, merchant) = (Rooms::default(), MerchantId(Uuid::from_u128(1)));
        let (queue, key) = (cap("queue:a", 2), cap("key:a k", 1));
        assert!(rooms.take(merchant, [&queue, &key].into_iter()));
        assert!(!rooms.take(merchant, [&queue, &key].into_iter()), "the key is full");
        assert!(rooms.take(merchant, [&queue].into_iter()), "and the refused job took no place of the queue's");
        assert!(rooms.any_full(merchant, std::slice::from_ref(&queue)));
        let other = MerchantId(Uuid::from_u128(2));
        assert!(!rooms.any_full(other, &[queue]) && rooms.take(other, std::iter::empty()));
    }

    #[test]
    fn what_was_full_when_it_was_read_stays_so() {
        let (mut rooms, merchant) = (Rooms::default(), MerchantId(Uuid::from_u128(1)));
        assert!(!rooms.take(merchant, [&cap("merchant", -3)].into_iter()));
        assert!(rooms.any_full(merchant, &[cap("merchant", 0)]));
    }
}
