//! What upstream is told only where it turns out to be needed.

use super::NewOutgoing;
use crate::model::Envelope;

/// A message for upstream that is made only if it is needed, which is nearly never.
pub struct Announcement(Box<dyn Fn(&Envelope) -> NewOutgoing + Send + Sync>);

impl Announcement {
    /// What makes it, out of the envelope.
    pub fn new(make: impl Fn(&Envelope) -> NewOutgoing + Send + Sync + 'static) -> Announcement {
        Announcement(Box::new(make))
    }

    /// Makes it.
    pub fn make(&self, envelope: &Envelope) -> NewOutgoing {
        (self.0)(envelope)
    }
}

impl std::fmt::Debug for Announcement {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Announcement")
    }
}
