//! What a counterpart last said of itself: open, or closed until when.

use jiff::Timestamp;
use std::time::Duration;

/// A clear answer of an availability poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Whether it takes requests.
    pub open: bool,
    /// Until when it is closed, if it said so.
    pub until: Option<Timestamp>,
    /// When it said it.
    pub at: Timestamp,
}

impl Heard {
    /// Whether nothing may be sent because of it, and until when if that is known. An answer
    /// holds for `keep_for`: after that the declared hours count alone.
    pub fn is_closed(&self, keep_for: Duration, now: Timestamp) -> bool {
        let age = now.duration_since(self.at);
        // A clock that was set back makes it neither older nor newer than it is.
        let holds = age.unsigned_abs() < keep_for;
        !self.open && holds && self.until.is_none_or(|until| now < until)
    }

    /// As other instances read it from the store.
    pub fn to_text(&self) -> String {
        let word = if self.open { "open" } else { "closed" };
        let until = self.until.map_or(String::new(), |until| until.to_string());
        format!("{word} {} {until}", self.at)
    }

    /// Out of that text.
    pub fn from_text(text: &str) -> Option<Heard> {
        let mut words = text.split(' ');
        let open = match words.next()? {
            "open" => true,
            "closed" => false,
            _ => return None,
        };
        let at = words.next()?.parse().ok()?;
        let until = match words.next()? {
            "" => None,
            until => Some(until.parse().ok()?),
        };
        Some(Heard { open, until, at })
    }
}

#[cfg(test)]
mod tests {
    use super::Heard;
    use jiff::Timestamp;
    use std::time::Duration;

    #[test]
    fn an_answer_holds_for_a_while_and_until_it_said() {
        let at: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
        let (minute, keep) = (Duration::from_secs(60), Duration::from_secs(600));
        let closed = Heard { open: false, until: None, at };
        assert!(closed.is_closed(keep, at) && closed.is_closed(keep, at + minute * 9));
        assert!(!closed.is_closed(keep, at + minute * 10));
        let short = Heard { until: Some(at + minute), ..closed };
        assert!(short.is_closed(keep, at) && !short.is_closed(keep, at + minute));
        assert!(!Heard { open: true, ..closed }.is_closed(keep, at));
        for heard in [closed, short, Heard { open: true, ..closed }] {
            assert_eq!(Heard::from_text(&heard.to_text()), Some(heard));
        }
        for text in [
            "",
            "open",
            "perhaps 2026-12-01T00:00:00Z ",
            "open x ",
            "closed 2026-12-01T00:00:00Z x",
        ] {
            assert_eq!(Heard::from_text(text), None, "{text}");
        }
    }
}
