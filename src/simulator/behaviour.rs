//! The ways in which a simulated counterpart behaves.

/// How a counterpart behaves; all but `Right` and `Refusing` come to their senses after a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// As it should.
    Right,
    /// Each first request is done, but later than anybody waits; results take their time.
    Late,
    /// Every second thing is refused.
    Partial,
    /// Everything is refused.
    Refusing,
    /// Each first request is lost: nothing is done, and nobody answers.
    Silent,
    /// The first answer to each request cannot be understood; every second one was done.
    Lying,
    /// It cannot be reached, or says that it is busy or closed.
    Closed,
}

impl Behaviour {
    /// All of them, in the order of the report.
    pub const ALL: [Behaviour; 7] = [
        Behaviour::Right,
        Behaviour::Late,
        Behaviour::Partial,
        Behaviour::Refusing,
        Behaviour::Silent,
        Behaviour::Lying,
        Behaviour::Closed,
    ];

    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Behaviour::Right => "right",
            Behaviour::Late => "late",
            Behaviour::Partial => "partial",
            Behaviour::Refusing => "refusing",
            Behaviour::Silent => "silent",
            Behaviour::Lying => "lying",
            Behaviour::Closed => "closed",
        }
    }
}
