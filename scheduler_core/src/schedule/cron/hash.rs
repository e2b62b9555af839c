//! `H`: a value that the template's id decides, so that the runs of many templates spread over the hour, the day, the
//! month, while each of them keeps its own fixed times.

use std::sync::OnceLock;

use uuid::Uuid;

use super::field::Field;
use super::item::Item;
use super::pattern::Pattern;

/// An expression with `H` in it.
#[derive(Clone, Debug)]
pub(super) struct Hashed {
    /// The items of each field, in the order of [`Field::ALL`].
    pub(super) items: [Vec<Item>; 7],
    /// The pattern of one template: as a rule, a schedule is only ever asked for one.
    pub(super) known: OnceLock<(Uuid, Pattern)>,
}

impl Hashed {
    /// Whether any of the items is an `H`.
    pub(super) fn is_needed(items: &[Vec<Item>; 7]) -> bool {
        items.iter().flatten().any(|item| matches!(item, Item::Hash { .. }))
    }

    /// The pattern of a template. `any` is the pattern in which each `H` stands for all its values.
    pub(super) fn pattern(&self, template: Uuid, any: &Pattern) -> Pattern {
        let (known, pattern) = self.known.get_or_init(|| (template, self.resolved(template, any)));
        if *known == template { pattern.clone() } else { self.resolved(template, any) }
    }

    fn resolved(&self, template: Uuid, any: &Pattern) -> Pattern {
        let mut items = self.items.clone();
        for (field, items) in Field::ALL.into_iter().zip(&mut items) {
            items.iter_mut().for_each(|item| *item = resolve(*item, field, template));
        }
        any.with_items(&items)
    }
}

/// The range that an `H` is for a template.
pub(super) fn resolve(item: Item, field: Field, template: Uuid) -> Item {
    let Item::Hash { first, last, step } = item else { return item };
    let count = last - first + 1;
    // Less than the count, so that the cut loses nothing.
    let offset = (hash(template, field) % u64::from(step.unwrap_or(count).min(count))) as u32;
    match step {
        None => Item::Range { first: first + offset, last: first + offset, step: 1 },
        Some(step) => Item::Range { first: first + offset, last, step },
    }
}

/// The range of all values that an `H` may be.
pub(super) fn any(item: Item) -> Item {
    let Item::Hash { first, last, .. } = item else { return item };
    Item::Range { first, last, step: 1 }
}

/// FNV-1a over the id and the field, then mixed (the finaliser of SplitMix64), because a remainder looks at the low bits
/// only. It must never change: people's times would move.
fn hash(template: Uuid, field: Field) -> u64 {
    let bytes = template.as_bytes().iter().copied().chain([field as u8]);
    let fnv = bytes
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mixed = (fnv ^ (fnv >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
