//! Which request is mistreated, and how: seeded, so that a bad run can be had again.

use crate::random::Random;

/// Ways a counterpart misbehaves. "After applying" means that the effect took place and only the
/// answer is lost: the trap for every sender that retries blindly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// 503 with `Retry-After: 1`; nothing is applied.
    Busy,
    /// Applied, then silence until the caller has long given up, then the connection is closed.
    SilentAfter,
    /// Silence; applied only after the caller has given up; then the connection is closed.
    Late,
    /// Connection closed without an answer, nothing applied.
    CutBefore,
    /// Connection closed without an answer, applied.
    CutAfter,
    /// Applied, but a proxy answers 200 `text/html`.
    ProxyPage,
    /// Applied, but the answer ends in its middle.
    Truncated,
    /// 200 whose body says "system busy"; nothing is applied.
    BusyBody,
    /// 401: the token has expired; nothing is applied.
    TokenExpired,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 9] = [
        Fault::Busy,
        Fault::SilentAfter,
        Fault::Late,
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::ProxyPage,
        Fault::Truncated,
        Fault::BusyBody,
        Fault::TokenExpired,
    ];

    /// Name in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Busy => "503",
            Fault::SilentAfter => "silence after applying",
            Fault::Late => "applied after the caller gave up",
            Fault::CutBefore => "cut before applying",
            Fault::CutAfter => "cut after applying",
            Fault::ProxyPage => "proxy page after applying",
            Fault::Truncated => "truncated answer after applying",
            Fault::BusyBody => "200 with an error body",
            Fault::TokenExpired => "token expired",
        }
    }
}

/// How careful the faults must be with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caution {
    /// Anything may happen.
    None,
    /// It holds an item that will be refused for good: only faults that prove "not applied" are
    /// played, because after an unknown attempt a refusal rightly waits for a person.
    ProvenOnly,
    /// Credentials endpoint: only what every client must take there.
    Credentials,
}

/// What a counterpart is able to play.
#[derive(Clone, Copy, Debug, Default)]
pub struct Repertoire {
    /// It has a documented "system busy" body.
    pub busy_body: bool,
    /// It uses tokens.
    pub tokens: bool,
}

/// The plan of one counterpart.
#[derive(Clone, Debug)]
pub struct Plan {
    seed: u64,
    rate: f64,
    stream: String,
    repertoire: Repertoire,
    scripted: Vec<(u64, Fault)>,
}

impl Plan {
    /// Faults at `rate` (0 to 1) of the requests of `counterpart`.
    pub fn new(seed: u64, rate: f64, counterpart: &str, repertoire: Repertoire) -> Self {
        let stream = format!("faults of {counterpart}");
        Plan { seed, rate, stream, repertoire, scripted: Vec::new() }
    }

    /// Plays exactly these faults at these request numbers (from 1), and no others.
    pub fn scripted(counterpart: &str, faults: Vec<(u64, Fault)>) -> Self {
        let repertoire = Repertoire { busy_body: true, tokens: true };
        Plan { scripted: faults, ..Plan::new(0, 0.0, counterpart, repertoire) }
    }

    /// The fault of request number `number` (from 1) of this counterpart, if any.
    pub fn decide(&self, number: u64, caution: Caution) -> Option<Fault> {
        if let Some((_, fault)) = self.scripted.iter().find(|(at, _)| *at == number) {
            return Some(*fault);
        }
        let mut random = Random::new(self.seed, &format!("{} {number}", self.stream));
        if !random.chance(self.rate) {
            return None;
        }
        let choices: Vec<Fault> =
            Fault::ALL.into_iter().filter(|fault| self.allowed(*fault, caution)).collect();
        choices.get(random.below(choices.len())).copied()
    }

    fn allowed(&self, fault: Fault, caution: Caution) -> bool {
        let possible = match fault {
            Fault::BusyBody => self.repertoire.busy_body,
            Fault::TokenExpired => self.repertoire.tokens,
            _ => true,
        };
        possible
            && match caution {
                Caution::None => true,
                Caution::ProvenOnly => {
                    matches!(fault, Fault::Busy | Fault::BusyBody | Fault::TokenExpired)
                }
                Caution::Credentials => matches!(fault, Fault::Busy | Fault::CutBefore),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_repeats_itself_keeps_its_rate_and_knows_all_faults() {
        let plan = Plan::new(7, 0.25, "pmh", Repertoire { busy_body: true, tokens: true });
        let faults: Vec<_> = (1..=4_000).map(|n| plan.decide(n, Caution::None)).collect();
        let again: Vec<_> = (1..=4_000).map(|n| plan.decide(n, Caution::None)).collect();
        assert_eq!(faults, again);
        let played = faults.iter().flatten().count();
        assert!((800..1_200).contains(&played), "{played}");
        for fault in Fault::ALL {
            assert!(faults.contains(&Some(fault)), "{fault:?}");
        }
    }

    #[test]
    fn caution_leaves_only_what_proves_not_applied() {
        let plan = Plan::new(7, 1.0, "x", Repertoire { busy_body: true, tokens: false });
        for number in 1..500 {
            let fault = plan.decide(number, Caution::ProvenOnly).unwrap();
            assert!(matches!(fault, Fault::Busy | Fault::BusyBody), "{fault:?}");
        }
    }
}
