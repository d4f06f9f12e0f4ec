//! `Chance`: the one source of choices of a generator, the same for the same seed for ever.

/// A small pseudo-random sequence (SplitMix64). Not for secrets.
#[derive(Clone, Debug)]
pub struct Chance {
    state: u64,
}

impl Chance {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Chance {
        Chance { state: seed }
    }

    /// The sequence of the `index`th thing made from a seed, independent of those before it, so
    /// that one of them can be made again alone.
    pub fn nth(seed: u64, index: u64) -> Chance {
        let mut chance = Chance::new(seed ^ index.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        chance.state = chance.bits();
        chance
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// A number from 0 up to but not including `count`; 0 when `count` is 0.
    pub fn below(&mut self, count: usize) -> usize {
        let count = count as u64;
        // The bias of the remainder is far below anything a test could see.
        self.bits().checked_rem(count).unwrap_or(0) as usize
    }

    /// A number from `low` to `high`, both included; `low` when they are the wrong way round.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// The same for whole numbers of any size.
    pub fn between_wide(&mut self, low: i128, high: i128) -> i128 {
        let count = high.saturating_sub(low).saturating_add(1).max(1);
        let bits = (i128::from(self.bits()) << 62) ^ i128::from(self.bits());
        low.saturating_add(bits.rem_euclid(count))
    }

    /// True once in `count` times.
    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// One of them; `None` of none.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_for_ever() {
        // The first values of SplitMix64 for the seed 1234567, as its author publishes them.
        let mut chance = Chance::new(1_234_567);
        assert_eq!(chance.bits(), 6_457_827_717_110_365_317);
        assert_eq!(chance.bits(), 3_203_168_211_198_807_973);
        assert_ne!(Chance::nth(1, 0).bits(), Chance::nth(1, 1).bits());
    }

    #[test]
    fn numbers_stay_in_their_range() {
        let mut chance = Chance::new(7);
        for _ in 0..1_000 {
            assert!((3..=5).contains(&chance.between(3, 5)));
            assert!((-4..=-2).contains(&chance.between_wide(-4, -2)));
        }
        assert_eq!((chance.below(0), chance.between(5, 3), chance.pick::<u8>(&[])), (0, 5, None));
    }
}
