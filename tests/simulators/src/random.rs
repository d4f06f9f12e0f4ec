//! Seeded chance: SplitMix64, so that a run can be repeated from the number it printed.

/// A small generator of pseudo-random numbers; the same seed gives the same sequence for ever.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// A generator for one purpose: `stream` keeps purposes of one seed apart.
    pub fn new(seed: u64, stream: &str) -> Self {
        Random { state: mix(seed ^ hash(stream.as_bytes())) }
    }

    /// The next 64 bits.
    pub fn word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.state)
    }

    /// A number below `limit` (0 when `limit` is 0).
    pub fn below(&mut self, limit: usize) -> usize {
        match limit {
            0 => 0,
            limit => usize::try_from(self.word() % limit as u64).unwrap_or(0),
        }
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = high.saturating_sub(low).unsigned_abs().saturating_add(1);
        low.saturating_add(i64::try_from(self.word() % span).unwrap_or(0))
    }

    /// A fraction in `[0, 1)`.
    pub fn fraction(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.fraction() < probability
    }

    /// One of the choices; the first when the generator cannot choose.
    pub fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T], otherwise: &'a T) -> &'a T {
        choices.get(self.below(choices.len())).copied().unwrap_or(otherwise)
    }

    /// So many decimal digits.
    pub fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + (self.word() % 10) as u8)).collect()
    }
}

/// A 64-bit hash (FNV-1a, then mixed) that is the same on every machine; not for secrets.
pub fn hash(bytes: &[u8]) -> u64 {
    let fnv = bytes.iter().fold(0xcbf2_9ce4_8422_2325u64, |state, byte| {
        (state ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix(fnv)
}

fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_stream_repeat_and_others_differ() {
        let draw = |seed, stream: &str| {
            let mut random = Random::new(seed, stream);
            (0..8).map(|_| random.word()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7, "people"), draw(7, "people"));
        assert_ne!(draw(7, "people"), draw(8, "people"));
        assert_ne!(draw(7, "people"), draw(7, "faults"));
    }

    #[test]
    fn bounds_are_kept() {
        let mut random = Random::new(1, "bounds");
        assert_eq!(random.below(0), 0);
        for _ in 0..1_000 {
            assert!(random.below(7) < 7);
            assert!((-3..=4).contains(&random.between(-3, 4)));
            assert!((0.0..1.0).contains(&random.fraction()));
        }
    }
}
