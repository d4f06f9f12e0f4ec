//! Reliefs: a person applied for a payment; tax and household are asked about (情報照会 under item 28);
//! what is decided then, a second person agrees to before the applicant is told.

use super::pen::{Pen, What};
use super::routes::STAFF;
use super::staff::{Act, Way};
use crate::counterparts::holdings::Item;
use crate::counterparts::times::moment;
use crate::municipality::{Fate, Message};
use jiff::civil::Date;
use serde_json::Value;

/// Who decides, and who agrees.
const PREPARERS: [&str; 2] = ["shinsei-01", "shinsei-02"];
const DECIDER: &str = "kacho-02";

/// Whether a change of state is a decision.
pub fn is_one(message: &Message) -> bool {
    let status = message.body.get("status").and_then(Value::as_str);
    status.is_some_and(|status| ["accepted", "rejected"].contains(&status))
}

/// A decision is prepared on the morning of a day of work, and agreed to on its afternoon. Every fifth
/// is refused by the second person first, and prepared anew by another.
pub fn write(pen: &mut Pen, day: Date, mut message: Message, number: usize) {
    let [first, second] = PREPARERS;
    let at = |hour, minute| moment(day, hour, minute);
    if number.is_multiple_of(5) {
        let mut refused = message.clone();
        refused.id.push_str("-refused");
        for expected in &mut refused.expects {
            expected.key.push_str(" not sent");
            expected.fate = Fate::DeadHere;
        }
        if let Some(comment) = refused.body.as_object_mut() {
            comment.insert("comment".to_owned(), "様式第一号の二による".into());
        }
        let id = prepare(pen, at(10, 0), refused, first);
        decided(pen, &id, "rejected", first);
        pen.happens(at(15, 0), What::Staff(Box::new(Act::Reject { number: id, by: DECIDER })));
        let id = prepare(pen, at(16, 0), message, second);
        decided(pen, &id, "approved", second);
        approve(pen, at(16, 30), id, Way::Ops);
        return;
    }
    message.operator = first.to_owned();
    let id = prepare(pen, at(10, 0), message, first);
    decided(pen, &id, "approved", first);
    let way = if number.is_multiple_of(2) { Way::Cli } else { Way::Ops };
    approve(pen, at(15, 0), id, way);
}

fn prepare(pen: &mut Pen, at: i64, mut message: Message, by: &str) -> String {
    message.operator = by.to_owned();
    message.expects.iter().for_each(|expected| pen.truth.expect(expected));
    let number = message.id.clone();
    let act = Act::Prepare { number: number.clone(), message: Box::new(message), typed: false };
    pen.happens(at, What::Staff(Box::new(act)));
    number
}

fn approve(pen: &mut Pen, at: i64, number: String, way: Way) {
    let act = Act::Approve { number, by: DECIDER, way };
    pen.happens(at, What::Staff(Box::new(act)));
}

fn decided(pen: &mut Pen, id: &str, word: &str, by: &str) {
    let decisions = format!("{word} {by} {DECIDER}");
    let item = Item::from([("decisions".to_owned(), decisions)]);
    pen.truth.put(STAFF, "decision", id, item);
}
