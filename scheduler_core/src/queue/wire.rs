//! How due hints travel: records of fixed heads, one after the other.
//!
//! merchant (16) · job (16) · run_at in µs (8) · priority (1) · length of the lane's name (1) · lane

use super::hints::DueHint;
use super::ready::Member;
use crate::domain::{JobId, MerchantId};
use chrono::DateTime;
use uuid::Uuid;

const HEAD: usize = 42;

/// One hint as bytes.
pub(super) fn encode_due(hint: &DueHint) -> Vec<u8> {
    // Lanes have names of 64 letters at most.
    let lane = &hint.lane.as_bytes()[..hint.lane.len().min(255)];
    let mut out = Vec::with_capacity(HEAD + lane.len());
    out.extend(hint.member.to_bytes());
    out.extend(hint.run_at.timestamp_micros().to_be_bytes());
    out.push(hint.priority);
    out.push(u8::try_from(lane.len()).unwrap_or(u8::MAX));
    out.extend(lane);
    out
}

/// Reads records until the first that is cut short or makes no sense: anybody may write to a channel.
pub(super) fn decode_due(mut bytes: &[u8]) -> Vec<DueHint> {
    let mut hints = Vec::new();
    while let Some((hint, rest)) = decode_one(bytes) {
        hints.push(hint);
        bytes = rest;
    }
    hints
}

fn decode_one(bytes: &[u8]) -> Option<(DueHint, &[u8])> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let (lane, rest) = rest.split_at_checked(usize::from(head[41]))?;
    let micros = i64::from_be_bytes(head[32..40].try_into().ok()?);
    let hint = DueHint {
        member: Member {
            merchant: MerchantId(Uuid::from_slice(&head[..16]).ok()?),
            job: JobId(Uuid::from_slice(&head[16..32]).ok()?),
        },
        run_at: DateTime::from_timestamp_micros(micros)?,
        priority: head[40].min(9),
        lane: std::str::from_utf8(lane).ok()?.to_owned(),
    };
    Some((hint, rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn hint(lane: &str) -> DueHint {
        DueHint {
            member: Member { merchant: MerchantId(Uuid::from_u128(1)), job: JobId(Uuid::from_u128(2)) },
            run_at: DateTime::from_timestamp_micros(1_800_000_000_123_456).unwrap(),
            priority: 9,
            lane: lane.to_owned(),
        }
    }

    #[test]
    fn due_hints_survive_the_wire() {
        let hints = vec![hint("default"), hint("slow"), hint("")];
        let bytes: Vec<u8> = hints.iter().flat_map(encode_due).collect();
        assert_eq!(decode_due(&bytes), hints);
    }

    #[test]
    fn what_is_cut_short_or_makes_no_sense_does_no_harm() {
        let mut bytes: Vec<u8> = [hint("default"), hint("slow")].iter().flat_map(encode_due).collect();
        bytes.truncate(bytes.len() - 1);
        assert_eq!(decode_due(&bytes), vec![hint("default")]);
        assert_eq!(decode_due(b"nonsense"), vec![]);
        assert_eq!(decode_due(&[0xff; 300]), vec![], "a time beyond the calendar, a lane that is no text");
    }

    #[test]
    fn a_priority_beyond_the_last_counts_as_the_last() {
        let bytes = encode_due(&DueHint { priority: 200, ..hint("default") });
        assert_eq!(decode_due(&bytes)[0].priority, 9);
    }
}
