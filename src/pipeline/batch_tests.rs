//! Batches whose items are bad, busy or lost at random: every item ends, once, as it must.

use super::testing::{Harness, is_at_rest};
use crate::model::codes::transport as codes;
use crate::transport::{Request, Response, SendError};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// What the counterpart does, drawn anew for every request.
#[derive(Clone, Copy, Debug)]
struct Temper {
    /// A batch with a bad item is refused as a whole, or has an outcome for each item.
    whole: bool,
    /// Share of the answers that are lost, in percent.
    lost: u64,
    /// Share of the items that are busy, in percent.
    busy: u64,
    seed: u64,
}

/// A counterpart that recognises the key of a batch, and nothing else: what it applied under a key it
/// does not apply again under that key.
#[derive(Default)]
struct Book {
    known: BTreeSet<(String, String)>,
    applied: BTreeMap<String, u32>,
    requests: u64,
}

impl Book {
    fn take(&mut self, temper: Temper, request: &Request) -> Result<Response, SendError> {
        self.requests += 1;
        let number = self.requests;
        let chance = |what: &str| {
            let text = format!("{} {number} {what}", temper.seed);
            text.bytes().fold(7_u64, |sum, byte| {
                (sum ^ u64::from(byte)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
            }) % 100
        };
        let lost = SendError {
            before_first_byte: false,
            code: &codes::ANSWER_TOO_LARGE,
            detail: String::new(),
        };
        let loses = chance("lost") < temper.lost;
        if loses && chance("on its way there") < 50 {
            return Err(lost);
        }
        let key = &request.headers.iter().find(|(name, _)| name == "Idempotency-Key").unwrap().1;
        let items: Vec<Value> = serde_json::from_slice(&request.body).unwrap();
        let (status, answer) = self.judge(temper, key, &items, chance);
        if loses {
            return Err(lost);
        }
        Ok(Response {
            status,
            content_type: "application/json".to_owned(),
            retry_after: None,
            body: Bytes::from(answer.to_string()),
            token: None,
        })
    }

    fn judge(
        &mut self,
        temper: Temper,
        key: &str,
        items: &[Value],
        chance: impl Fn(&str) -> u64,
    ) -> (u16, Value) {
        let name = |item: &Value| item["who"].as_str().unwrap().to_owned();
        if temper.whole && items.iter().any(|item| name(item).starts_with("bad")) {
            return (400, json!({"code": "E7"}));
        }
        let mut results = Vec::new();
        for (number, item) in (1..).zip(items) {
            let name = name(item);
            let state = if name.starts_with("bad") {
                "bad"
            } else if self.known.contains(&(key.to_owned(), name.clone())) {
                "done"
            } else if chance(&name) < temper.busy {
                "busy"
            } else {
                self.known.insert((key.to_owned(), name.clone()));
                *self.applied.entry(name).or_default() += 1;
                "done"
            };
            results.push(json!({"n": number, "state": state, "code": "E7"}));
        }
        (200, json!({"results": results}))
    }
}

async fn play(bad: Vec<bool>, temper: Temper) {
    let harness = Harness::tuned(&[("max-attempts: 6", "max-attempts: 1000")]);
    let book = Arc::new(Mutex::new(Book::default()));
    let shared = Arc::clone(&book);
    harness.target.always(move |request| shared.lock().unwrap().take(temper, request));
    let name = |index: usize| format!("{}{index}", if bad[index] { "bad" } else { "good" });
    for index in 0..bad.len() {
        let body = json!({"person": name(index), "amount": index}).to_string();
        harness.post("order.sheet", &format!("m{index}"), &body).await;
    }
    harness.run_until(|all| all.len() == bad.len() && all.iter().all(is_at_rest)).await;
    let applied_in_all = book.lock().unwrap().applied.clone();
    for (index, is_bad) in bad.iter().enumerate() {
        let one = harness.exchange(&format!("m{index}")).await;
        let applied = applied_in_all.get(&name(index)).copied().unwrap_or_default();
        match (*is_bad, one.state.as_str()) {
            (false, "delivered") => assert_eq!(applied, 1, "{}: {temper:?}", name(index)),
            (true, "dead") => assert_eq!(applied, 0),
            // A refusal after a lost answer is for a person to judge.
            (true, "unknown") if temper.lost > 0 => assert!(one.maybe_applied),
            (_, state) => panic!("{} is {state}: {temper:?} {one:?}", name(index)),
        }
        let attempts = harness.cx.store.attempts(one.id).await.unwrap();
        assert_eq!(attempts.len(), one.attempts as usize);
        assert!(attempts.iter().all(|attempt| attempt.outcome.is_some()), "each has an outcome");
    }
}

/// The order in which things are due is not that of their ids once they were retried: the same items
/// must have the same key whenever they go again.
#[tokio::test]
async fn retried_items_whose_answer_is_lost_go_again_under_the_same_key() {
    let bad = vec![false; 12];
    for seed in 0..4 {
        play(bad.clone(), Temper { whole: false, lost: 30, busy: 50, seed }).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 10, ..ProptestConfig::default() })]

    #[test]
    fn every_item_ends_once_whatever_is_bad_busy_or_lost(
        bad in prop::collection::vec(prop::bool::weighted(0.15), 1..24),
        whole: bool, lost in 0..40u64, busy in 0..40u64, seed: u64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(bad, Temper { whole, lost, busy, seed }));
    }
}
