//! How many ids a loop asks for at once.
//!
//! A loop holds its places while it waits for ids, so an idle one must ask for few, or the other lanes of the process
//! would find no places; a busy one asks for many, because each claim costs a round trip.

/// Grows while there is more than was asked for, shrinks when there is less.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Appetite {
    now: usize,
    least: usize,
    most: usize,
}

impl Appetite {
    /// What a loop may ask for: `most`, and `share` of the process's places when nothing is going on.
    pub fn new(most: usize, share: usize) -> Self {
        let most = most.max(1);
        let least = share.clamp(1, 16).min(most);
        Self { now: least, least, most }
    }

    /// Ask for this many.
    pub fn now(&self) -> usize {
        self.now
    }

    /// What came of asking for `asked` (fewer than [`Self::now`] when places were short).
    pub fn fed(&mut self, asked: usize, got: usize) {
        self.now = match got {
            0 => self.least,
            _ if got >= asked => (self.now * 4).min(self.most),
            _ => (got * 2).clamp(self.least, self.now),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_with_plenty_and_falls_back_when_idle() {
        let mut appetite = Appetite::new(128, 32);
        assert_eq!(appetite.now(), 16);
        for expected in [64, 128, 128] {
            appetite.fed(appetite.now(), appetite.now());
            assert_eq!(appetite.now(), expected);
        }
        appetite.fed(128, 20);
        assert_eq!(appetite.now(), 40);
        appetite.fed(40, 0);
        assert_eq!(appetite.now(), 16);
    }

    #[test]
    fn stays_within_small_limits() {
        let mut appetite = Appetite::new(1, 0);
        appetite.fed(1, 1);
        assert_eq!(appetite.now(), 1);
        assert_eq!(Appetite::new(0, 0).now(), 1);
    }
}
