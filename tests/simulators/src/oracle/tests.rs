//! The oracle must be able to fail: each kind of violation, made and noticed.

use super::*;
use crate::municipality::{Municipality, Plan};

/// A perfect crossing of a small municipality: everything delivered as expected.
fn perfect() -> Case {
    let plan = Plan { seed: 3, residents: 60, notices: 6, inquiries: 30, applications: 3 };
    let town = Municipality::generate(plan);
    let mut case = Case {
        applications: town.applications.iter().map(|a| a.reception_number.clone()).collect(),
        ..Case::default()
    };
    let messages = town.messages.iter().enumerate();
    for (order, message) in messages {
        let order = order as u64 + 1;
        case.posted.push(Posted {
            message: message.clone(),
            order,
            posting: Posting::Acknowledged,
        });
        if message.expects.is_empty() {
            let message_id = message.id.clone();
            case.dead.push(DeadLetter { message_id, ..DeadLetter::default() });
        }
        for expected in &message.expects {
            deliver(&mut case, message, expected, order);
        }
        if let Some(status) = message.answer {
            case.answers.push(Answer {
                id: format!("answer-{}", message.id),
                message_type: "inquiry.answered".to_owned(),
                key: message.id.clone(),
                status: status.to_owned(),
            });
        }
    }
    for number in case.applications.clone() {
        let at = "2026-06-01T00:00:00Z";
        case.entries.push(scanned(&number));
        case.entries.push(entry("noted", at, &number, "application-intake"));
        case.answers.push(Answer {
            id: format!("answer-{number}"),
            message_type: "application.received".to_owned(),
            key: number,
            status: String::new(),
        });
    }
    case
}

fn deliver(
    case: &mut Case,
    message: &Message,
    expected: &crate::municipality::Expected,
    order: u64,
) {
    if expected.fate != crate::municipality::Fate::Delivered {
        case.dead.push(DeadLetter {
            message_id: message.id.clone(),
            counterpart: expected.counterpart.to_owned(),
            ..DeadLetter::default()
        });
        return;
    }
    let received_ms = 1_780_000_000_000 + order as i64 * 10;
    let at = |ms| jiff::Timestamp::from_millisecond(ms).unwrap().to_string();
    case.entries.push(entry("intended", &at(received_ms - 1), &message.id, expected.counterpart));
    case.entries.push(entry("outcome", &at(received_ms + 5), &message.id, expected.counterpart));
    case.evidence.effects.push(Effect {
        counterpart: expected.counterpart.to_owned(),
        operation: expected.operation.to_owned(),
        key: expected.key.clone(),
        person: expected.person.clone(),
        sequence: case.evidence.effects.len() as u64 + 1,
        at_ms: received_ms + 3,
        received_ms,
        idempotency_key: "k".to_owned(),
        digest: String::new(),
        content: expected.content.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect(),
    });
}

fn entry(phase: &str, at: &str, message_id: &str, counterpart: &str) -> Entry {
    Entry {
        phase: phase.to_owned(),
        at: at.to_owned(),
        message_id: message_id.to_owned(),
        counterpart: counterpart.to_owned(),
        outcome: None,
    }
}

/// The entry of a scan in which nothing was found.
fn scanned(number: &str) -> Entry {
    let outcome = Some("scanned".to_owned());
    Entry { outcome, ..entry("noted", "2026-06-01T00:00:00Z", number, "application-intake") }
}

/// Changes a perfect case and gives the counts that are then not zero.
fn after(change: impl FnOnce(&mut Case)) -> BTreeMap<&'static str, usize> {
    let mut case = perfect();
    change(&mut case);
    judge(&case).counts().into_iter().filter(|(_, count)| *count > 0).collect()
}

fn position(case: &Case, operation: &str) -> usize {
    case.evidence.effects.iter().position(|e| e.operation == operation).unwrap()
}

#[test]
fn a_perfect_crossing_is_clean() {
    let verdict = judge(&perfect());
    assert!(verdict.is_clean(), "{:?}", verdict.findings());
}

#[test]
fn an_application_needs_a_scan_and_an_entry_of_its_own() {
    let is_scan = |entry: &Entry| entry.outcome.as_deref() == Some("scanned");
    for scans in [true, false] {
        let counts = after(|case| {
            let of = |one: &Entry| one.counterpart == "application-intake" && is_scan(one) == scans;
            let at = case.entries.iter().position(of).unwrap();
            case.entries.remove(at);
        });
        assert_eq!(counts, BTreeMap::from([("unrecorded", 1)]), "without the scan: {scans}");
    }
}

#[test]
fn a_missing_effect_is_lost() {
    let counts = after(|case| {
        case.evidence.effects.remove(position(case, "copy"));
    });
    assert_eq!(counts, BTreeMap::from([("lost", 1)]));
}

#[test]
fn a_bad_signature_that_comes_through_is_wrong_and_one_without_dead_letter_lost() {
    let spoil = |case: &mut Case, dead: bool| {
        case.spoilt.push("A99".to_owned());
        let message_id = "A99".to_owned();
        if dead {
            case.dead.push(DeadLetter { message_id, ..DeadLetter::default() });
        }
    };
    assert_eq!(after(|case| spoil(case, true)), BTreeMap::new());
    assert_eq!(after(|case| spoil(case, false)), BTreeMap::from([("lost", 1)]));
    let counts = after(|case| {
        spoil(case, true);
        case.entries.push(scanned("A99"));
        case.entries.push(entry("noted", "2026-06-01T00:00:00Z", "A99", "application-intake"));
        case.answers.push(Answer {
            id: "R99".to_owned(),
            message_type: "application.received".to_owned(),
            key: "A99".to_owned(),
            status: String::new(),
        });
    });
    assert_eq!(counts, BTreeMap::from([("wrong", 1)]));
}

#[test]
fn an_unexpected_dead_letter_is_lost_too() {
    let counts = after(|case| {
        let effect = case.evidence.effects.remove(position(case, "subject"));
        let posted = case.posted.iter().find(|posted| {
            posted
                .message
                .expects
                .iter()
                .any(|one| one.key == effect.key && one.operation == "subject")
        });
        let message_id = posted.unwrap().message.id.clone();
        let counterpart = effect.counterpart;
        case.dead.push(DeadLetter { message_id, counterpart, ..DeadLetter::default() });
    });
    assert_eq!(counts, BTreeMap::from([("lost", 1)]));
}

#[test]
fn a_bad_message_that_vanishes_is_lost() {
    let counts = after(|case| {
        let bad = case.posted.iter().find(|posted| posted.message.expects.is_empty()).unwrap();
        let id = bad.message.id.clone();
        case.dead.retain(|letter| letter.message_id != id);
    });
    assert_eq!(counts, BTreeMap::from([("lost", 1)]));
}

#[test]
fn a_good_message_refused_at_the_door_is_lost() {
    let counts = after(|case| {
        let good = case.posted.iter_mut().find(|posted| !posted.message.expects.is_empty());
        good.unwrap().posting = Posting::Refused;
    });
    assert_eq!(counts, BTreeMap::from([("lost", 1)]));
}

#[test]
fn missing_answers_are_lost() {
    let counts =
        after(|case| case.answers.retain(|one| one.message_type != "application.received"));
    assert_eq!(counts, BTreeMap::from([("lost", 3)]));
    let counts = after(|case| {
        case.answers.remove(0);
    });
    assert_eq!(counts, BTreeMap::from([("lost", 1)]));
}

#[test]
fn a_second_inquiry_is_doubled() {
    let counts = after(|case| {
        let mut again = case.evidence.effects[position(case, "inquiry")].clone();
        again.sequence = case.evidence.effects.len() as u64 + 1;
        // Kept in its lane's order, so that only the doubling is seen.
        let key = again.key.clone();
        let lane = case.posted.iter().find(|p| p.message.id == key).unwrap().message.lane.clone();
        case.posted.retain(|p| p.message.lane != lane || p.message.id == key);
        let ids: Vec<_> = case.posted.iter().map(|p| p.message.id.clone()).collect();
        let keys: Vec<_> = case
            .posted
            .iter()
            .flat_map(|p| p.message.expects.iter().map(|e| e.key.clone()))
            .collect();
        case.evidence.effects.retain(|e| keys.contains(&e.key));
        case.dead.retain(|d| ids.contains(&d.message_id));
        case.evidence.effects.push(again);
    });
    assert_eq!(counts, BTreeMap::from([("doubled", 1)]));
}

#[test]
fn two_answers_with_different_ids_are_doubled_and_a_repetition_is_not() {
    let counts = after(|case| case.answers.push(case.answers[0].clone()));
    assert!(counts.is_empty(), "{counts:?}");
    let counts = after(|case| {
        let again = Answer { id: "another".to_owned(), ..case.answers[0].clone() };
        case.answers.push(again);
    });
    assert_eq!(counts, BTreeMap::from([("doubled", 1)]));
}

#[test]
fn an_intent_that_came_late_or_never_is_unrecorded() {
    let counts = after(|case| {
        let first = case.entries.iter_mut().find(|entry| entry.phase == "intended").unwrap();
        first.at = "2099-01-01T00:00:00Z".to_owned();
    });
    assert_eq!(counts, BTreeMap::from([("unrecorded", 1)]));
    let counts = after(|case| {
        let first = case.entries.iter().position(|entry| entry.phase == "intended").unwrap();
        case.entries.remove(first);
    });
    assert_eq!(counts, BTreeMap::from([("unrecorded", 1)]));
}

#[test]
fn a_missing_outcome_is_unrecorded() {
    let counts = after(|case| {
        let first = case.entries.iter().position(|entry| entry.phase == "outcome").unwrap();
        case.entries.remove(first);
    });
    assert_eq!(counts, BTreeMap::from([("unrecorded", 1)]));
}

#[test]
fn a_person_who_confirms_that_it_was_applied_is_an_outcome() {
    let counts = after(|case| {
        let first = case.entries.iter_mut().find(|entry| entry.phase == "outcome").unwrap();
        first.phase = "noted".to_owned();
        first.outcome = Some("confirm-applied".to_owned());
    });
    assert!(counts.is_empty(), "{counts:?}");
}

#[test]
fn an_overtaking_in_one_lane_is_out_of_order() {
    let counts = after(|case| {
        let copies: Vec<usize> = (0..case.evidence.effects.len())
            .filter(|at| case.evidence.effects[*at].operation == "copy")
            .collect();
        let person = case.evidence.effects[copies[0]].person.clone();
        let lane: Vec<usize> =
            copies.into_iter().filter(|at| case.evidence.effects[*at].person == person).collect();
        let (one, two) = (lane[0], lane[1]);
        let sequence = case.evidence.effects[one].sequence;
        case.evidence.effects[one].sequence = case.evidence.effects[two].sequence;
        case.evidence.effects[two].sequence = sequence;
    });
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), ["out_of_order"]);
}

#[test]
fn a_dead_letter_of_something_in_effect_is_noticed() {
    let counts = after(|case| {
        let id = case.posted.iter().find(|p| p.message.message_type == "subject.registered");
        let message_id = id.unwrap().message.id.clone();
        let counterpart = "pmh".to_owned();
        case.dead.push(DeadLetter { message_id, counterpart, ..DeadLetter::default() });
    });
    assert_eq!(counts, BTreeMap::from([("dead_though_applied", 1)]));
}

#[test]
fn other_content_other_persons_and_effects_nobody_asked_for_are_wrong() {
    let counts = after(|case| {
        let at = position(case, "record");
        case.evidence.effects[at].content.insert("date".to_owned(), "1999-01-01".to_owned());
    });
    assert_eq!(counts, BTreeMap::from([("wrong", 1)]));
    let counts = after(|case| {
        let at = position(case, "notice");
        case.evidence.effects[at].person = "somebody else".to_owned();
    });
    assert_eq!(counts, BTreeMap::from([("wrong", 1)]));
    let counts = after(|case| {
        let mut ghost = case.evidence.effects[0].clone();
        ghost.key = "X00000/1".to_owned();
        case.evidence.effects.push(ghost);
    });
    assert_eq!(counts, BTreeMap::from([("wrong", 1)]));
}

#[test]
fn a_refused_item_in_effect_is_wrong_and_one_without_dead_letter_lost() {
    let forbidden = |case: &Case| {
        let mut all =
            case.posted.iter().flat_map(|p| p.message.expects.iter().map(move |e| (p, e)));
        let (posted, expected) =
            all.find(|(_, e)| e.fate != crate::municipality::Fate::Delivered).unwrap();
        (posted.message.clone(), expected.clone(), posted.order)
    };
    let counts = after(|case| {
        let (message, _, _) = forbidden(case);
        case.dead.retain(|letter| letter.message_id != message.id);
    });
    assert!(counts.contains_key("lost"), "{counts:?}");
    let counts = after(|case| {
        let (message, mut expected, order) = forbidden(case);
        expected.fate = crate::municipality::Fate::Delivered;
        case.dead.retain(|letter| letter.message_id != message.id);
        deliver(case, &message, &expected, order);
    });
    assert!(counts.contains_key("wrong"), "{counts:?}");
}

#[test]
fn violations_are_passed_on() {
    let counts = after(|case| {
        case.evidence.violations.push(Violation {
            counterpart: "pmh".to_owned(),
            request: "POST /x".to_owned(),
            problem: "unknown key".to_owned(),
            leak: false,
        });
    });
    assert_eq!(counts, BTreeMap::from([("violations", 1)]));
}
