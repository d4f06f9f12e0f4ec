//! The delivery protocol as an executable model: every order of events within the bounds, with
//! crashes, late requests, repetitions and lost leases, against the invariants I1–I6.
//!
//! What follows from an answer is decided by the product itself (`policy::verdict::follow`), so
//! that code and model cannot drift apart there. The page is docs/delivery-model.md.
#![expect(
    clippy::indexing_slicing,
    reason = "messages and instances are counted, and a test that meets the unexpected shall end"
)]

mod explore;
mod protocol;
mod shortcut;
mod world;

use explore::{Found, explore};
use protocol::{Bounds, Protocol};
use shortcut::Shortcut;
use std::fmt::Write;
use watashi::policy::verdict::Resolution;
use world::{Invariant, Left};

const PAGE: &str = "docs/delivery-model.md";

const ALL: [(&str, Resolution); 3] =
    [("resend", Resolution::Resend), ("ask", Resolution::Ask), ("person", Resolution::Person)];

/// One message and one instance.
const ONE: Bounds = Bounds {
    messages: 1,
    instances: 1,
    attempts: 3,
    results: false,
    supersede: false,
    left: Left { crashes: 3, lapses: 0, repetitions: 2, acts: 2 },
};

/// The worlds in which the whole protocol must hold, each with what it is about.
const WORLDS: [(&str, Bounds); 6] = [
    ("one message, one instance", ONE),
    ("the same, taken first and decided later", Bounds { results: true, ..ONE }),
    ("two messages of one lane", Bounds { messages: 2, left: left(2, 0, 0, 1), ..ONE }),
    (
        "the same, the newer supersedes the older",
        Bounds { messages: 2, supersede: true, left: left(1, 0, 1, 0), ..ONE },
    ),
    ("one message, two instances", Bounds { instances: 2, left: left(2, 2, 0, 1), ..ONE }),
    (
        "two messages, two instances",
        Bounds { messages: 2, instances: 2, attempts: 2, left: left(1, 1, 0, 0), ..ONE },
    ),
];

const fn left(crashes: u8, lapses: u8, repetitions: u8, acts: u8) -> Left {
    Left { crashes, lapses, repetitions, acts }
}

/// The smallest world in which a shortcut shows.
fn world_of(shortcut: Shortcut) -> Bounds {
    use Shortcut::{
        AckBeforeCommit, AskAtOnce, BlindRetry, DeadKeepsTheLane, ForgetTheFlag,
        LaneGoesOnPastUnknown, LeaseShorterThanTimeout, NewKeyPerAttempt, NoDeduplication,
        NoFenceAtIntent, NoFenceAtSettle, RecoveryLeavesSending, RecoveryMakesPending,
        RenewalRevives, ResendWhateverIsDeclared, SendBeforeIntent, SendWithoutLease,
        StartSweepsTheLiving, SupersedeWhatMayBeSent, TwoConsumers, UnorderedWrites,
    };
    match shortcut {
        AckBeforeCommit
        | NoDeduplication
        | SendBeforeIntent
        | BlindRetry
        | ForgetTheFlag
        | NewKeyPerAttempt
        | AskAtOnce
        | ResendWhateverIsDeclared
        | RecoveryMakesPending
        | RecoveryLeavesSending => Bounds { left: left(1, 0, 1, 0), ..ONE },
        UnorderedWrites | LaneGoesOnPastUnknown | DeadKeepsTheLane => {
            Bounds { messages: 2, attempts: 2, left: left(1, 0, 0, 0), ..ONE }
        }
        SupersedeWhatMayBeSent => {
            Bounds { messages: 2, attempts: 2, supersede: true, left: left(0, 0, 0, 0), ..ONE }
        }
        TwoConsumers => {
            Bounds { messages: 2, instances: 2, attempts: 1, left: left(0, 0, 0, 0), ..ONE }
        }
        StartSweepsTheLiving => Bounds { instances: 2, attempts: 2, left: left(1, 0, 0, 1), ..ONE },
        NoFenceAtIntent
        | NoFenceAtSettle
        | LeaseShorterThanTimeout
        | SendWithoutLease
        | RenewalRevives => Bounds { instances: 2, attempts: 2, left: left(0, 1, 0, 1), ..ONE },
    }
}

fn broken(found: &Found<Invariant>) -> String {
    let names: Vec<&str> = found.broken.keys().map(|invariant| invariant.name()).collect();
    if names.is_empty() { "–".to_owned() } else { names.join(", ") }
}

fn traces(found: &Found<Invariant>) -> String {
    found.broken.values().map(|trace| trace.join("\n")).collect::<Vec<_>>().join("\n\n")
}

/// The page must hold these lines; else they are printed, to be put there.
fn on_the_page(lines: &str) {
    let page = std::fs::read_to_string(crate::pages::root().join(PAGE)).unwrap();
    assert!(page.contains(lines), "{PAGE} does not say this:\n{lines}");
}

/// The protocol as it is: nothing is broken, whatever happens.
fn holds(name: &str, resolution: Resolution) {
    let mut line = format!("| `{name}` |");
    for (world, bounds) in WORLDS {
        let found = explore(&Protocol { resolution, bounds, shortcut: None });
        assert!(found.broken.is_empty(), "{name}, {world}:\n{}", traces(&found));
        let _ = write!(line, " {} |", found.states);
    }
    on_the_page(&line);
}

#[test]
fn with_resend_the_protocol_holds() {
    holds("resend", Resolution::Resend);
}

#[test]
fn with_ask_the_protocol_holds() {
    holds("ask", Resolution::Ask);
}

#[test]
fn with_a_person_the_protocol_holds() {
    holds("person", Resolution::Person);
}

#[test]
fn every_shortcut_is_rejected_by_the_invariants_it_breaks() {
    let mut lines = String::new();
    for shortcut in Shortcut::ALL {
        let bounds = world_of(shortcut);
        let found = ALL.map(|(_, resolution)| {
            explore(&Protocol { resolution, bounds, shortcut: Some(shortcut) })
        });
        assert!(found.iter().any(|found| !found.broken.is_empty()), "{shortcut}: nothing breaks");
        let cells = found.each_ref().map(broken).join(" | ");
        let _ = writeln!(lines, "| {shortcut} | {cells} |");
    }
    on_the_page(&lines);
}

/// A trace is short, and tells the story that the page tells.
#[test]
fn a_counterexample_is_a_shortest_story() {
    let shortcut = Shortcut::AskAtOnce;
    let bounds = world_of(shortcut);
    let model = Protocol { resolution: Resolution::Ask, bounds, shortcut: Some(shortcut) };
    let found = explore(&model);
    on_the_page(&found.broken[&Invariant::Doubled].join("\n"));
}
