//! A counterpart with one way of resolving a lost answer per operation, and the definitions that
//! lead to it: small, so that a gateway with them starts in a moment.

use crate::counterparts::faults::{Caution, Plan, Repertoire};
use crate::counterparts::ledger::{Applied, Cause, Ledger};
use crate::counterparts::{Answer, Behaviour, Counterpart, Knowledge, Received, server};
use crate::municipality::people::Person;
use crate::municipality::{Expected, Fate, Message};
use crate::pki::{Authority, server_config};
use crate::{Trouble, random};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Its name, as in the adapter.
pub const POST: &str = "post";

/// Longest time between a request's arrival and its effect.
pub const LONGEST: Duration = Duration::from_millis(900);

/// The gateway's settings for it: it gives up before [`LONGEST`], and asks well after it.
pub const SETTINGS: &str = "timeout = \"600ms\"\nretry-first = \"50ms\"\nretry-max = \"400ms\"\n\
     poll-every = \"100ms\"\nsettle-after = \"1800ms\"\n";

const ORDER: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "order",
  "x-message-types": ["order.resend", "order.ask", "order.person", "order.batch"],
  "type": "object", "additionalProperties": false,
  "required": ["order", "lane", "name", "number", "amount"],
  "properties": {
    "order": {"type": "string", "maxLength": 40},
    "lane": {"type": "string", "maxLength": 40},
    "name": {"type": "string", "maxLength": 80},
    "number": {"type": "string", "maxLength": 12},
    "amount": {"type": "integer"}
  }
}"#;

const PARCEL: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "parcel",
  "type": "object", "additionalProperties": false, "required": ["id", "who", "sum"],
  "properties": {
    "id": {"type": "string", "maxLength": 40}, "who": {"type": "string", "maxLength": 40},
    "sum": {"type": "integer"}
  }
}"#;

const ANSWER: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "answer",
  "type": "object", "additionalProperties": false,
  "properties": {
    "result": {"type": "string", "maxLength": 20}, "code": {"type": "string", "maxLength": 20},
    "ticket": {"type": "string", "maxLength": 60},
    "results": {"type": "array", "items": {
      "type": "object", "additionalProperties": false,
      "properties": {"n": {"type": "integer"}, "state": {"type": "string", "maxLength": 20},
                     "code": {"type": "string", "maxLength": 20}}}}
  }
}"#;

const MAPPING: &str = "mapping: order-to-parcel\nfrom: shop/order@1\nto: post/parcel@1\nrules:\n  \
     id: order\n  who: lane\n  sum: amount\n";

const SINGLE: &str = r#"
  NAME:
    interaction: request-reply
    unknown: NAME
    request: {method: POST, path: /NAME, format: json, schema: post/parcel@1, idempotency-header: Idempotency-Key}
    response: {format: json, schema: post/answer@1}
    outcomes:
      - {status: [200], when: 'result == "ok"', then: applied}
      - {status: [200], when: 'result == "busy"', then: retry}
      - {status: [422], when: present(code), then: refused, detail: code}
      - {status: [429, 503], then: retry, undecoded: true}"#;

const ASK: &str = r#"
    ask:
      settle-after: 2s
      request: {method: GET, path: "/asked/{idempotency-key}", format: none}
      response: {format: json, schema: post/answer@1}
      outcomes:
        - {status: [200], when: 'result == "known"', then: applied}
        - {status: [404], when: 'result == "unknown"', then: not-applied}
        - {status: [429, 503], then: retry, undecoded: true}"#;

const BATCH: &str = r#"
  batch:
    interaction: submit-poll
    unknown: resend
    request: {method: POST, path: /batch, format: json, schema: post/parcel@1, idempotency-header: Idempotency-Key}
    batch: {max-items: 10, max-wait: 5ms}
    response: {format: json, schema: post/answer@1}
    outcomes:
      - {status: [202], when: present(ticket), then: accepted, ticket: ticket}
      - {status: [200], when: 'result == "busy"', then: retry}
      - {status: [422], when: present(code), then: refused, detail: code}
      - {status: [429, 503], then: retry, undecoded: true}
    poll:
      every: 1s
      request: {method: GET, path: "/result/{ticket}", format: none}
      response: {format: json, schema: post/answer@1}
      outcomes:
        - {status: [200], when: present(results), then: ready}
        - {status: [404], when: present(code), then: not-applied}
        - {status: [429, 503], then: retry, undecoded: true}
      items: {path: results, key: n}
      item-outcomes:
        - {when: 'state == "done"', then: applied}
        - {when: 'state == "bad"', then: refused, detail: code}"#;

const ROUTE: &str = r#"
  by-NAME: {on: order.NAME, operation: NAME, mapping: order-to-parcel, ordering-key: lane, subject: lane, record: {kind: 送付}}"#;

/// Writes `adapters/ schemas/ mappings/` into a folder.
pub fn definitions(folder: &Path) -> Result<(), Trouble> {
    let single = |name: &str| SINGLE.replace("NAME", name);
    let route = |name: &str| ROUTE.replace("NAME", name);
    let routes: String = ["resend", "ask", "person", "batch"].map(route).concat();
    let adapter = format!(
        "adapter: post\nlimits: {{concurrency: 16, timeout: 1s}}\n\
         retry: {{first: 1s, max: 5s, max-attempts: 1000, max-age: 24h}}\n\
         breaker: {{failures: 0, open-for: 1s}}\noperations:{}{}{ASK}{}{BATCH}\nroutes:{routes}\n",
        single("resend"),
        single("ask"),
        single("person"),
    );
    for (path, text) in [
        ("schemas/shop/order/1.schema.json", ORDER),
        ("schemas/post/parcel/1.schema.json", PARCEL),
        ("schemas/post/answer/1.schema.json", ANSWER),
        ("mappings/order-to-parcel/mapping.yaml", MAPPING),
        ("adapters/post/adapter.yaml", &adapter),
    ] {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        fs::write(path, text)?;
    }
    Ok(())
}

/// The order that follows number `number`: its lane, its operation and its end follow from it.
pub fn order(seed: u64, number: usize, lane: &str, people: &[Person]) -> Message {
    let chance = random::hash(format!("{seed} order {number}").as_bytes());
    let (message_type, operation) = match chance % 20 {
        0..8 => ("order.resend", "resend"),
        8..14 => ("order.ask", "ask"),
        14 => ("order.person", "person"),
        _ => ("order.batch", "batch"),
    };
    let refused = (chance / 20).is_multiple_of(16);
    let id = format!("T{seed}-{number:06}");
    let amount = if refused { 0 } else { 1 + chance / 1_000 % 9_000 };
    let person = people.get(number % people.len().max(1));
    let expected = Expected {
        counterpart: POST,
        operation,
        key: id.clone(),
        person: lane.to_owned(),
        content: BTreeMap::from([("sum", amount.to_string())]),
        fate: if refused { Fate::RefusedThere } else { Fate::Delivered },
    };
    let body = json!({
        "order": id, "lane": lane, "amount": amount,
        "name": person.map(|person| person.name.clone()).unwrap_or_default(),
        "number": person.and_then(|person| person.my_number.clone()).unwrap_or_default(),
    });
    Message {
        id,
        message_type,
        lane: lane.to_owned(),
        operator: "clerk".to_owned(),
        body,
        expects: vec![expected],
        answer: None,
    }
}

/// The running counterpart; it ends with this value.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it saw and did.
    pub ledger: Arc<Ledger>,
    _listener: JoinSet<()>,
}

/// Starts it.
pub async fn start(
    authority: &Authority,
    people: &[Person],
    seed: u64,
    fault_rate: f64,
) -> Result<Running, Trouble> {
    let ledger = Arc::new(Ledger::default());
    let my_numbers = people.iter().filter_map(|person| person.my_number.clone()).collect();
    let knowledge = Arc::new(Knowledge { my_numbers, ..Knowledge::default() });
    let post = Arc::new(Post { ledger: Arc::clone(&ledger), state: Mutex::default() });
    let behaviour = Behaviour {
        seed,
        fault_rate,
        silence: LONGEST + Duration::from_millis(100),
        lateness: LONGEST,
        ..Behaviour::default()
    };
    let plan = Plan::new(seed, fault_rate, POST, post.repertoire());
    let tls = server_config(&authority.certificate, &authority.server(POST)?)?;
    let stage = server::Stage::new(post, Arc::clone(&ledger), knowledge, plan, behaviour);
    let mut listener = JoinSet::new();
    // Never renewed: the listener goes on when the other end is gone.
    let tls = watch::Sender::new(Arc::new(tls)).subscribe();
    let address = server::listen(stage, tls, &mut listener).await?;
    Ok(Running { address, ledger, _listener: listener })
}

#[derive(Default)]
struct State {
    /// Orders by idempotency key, where the operation knows keys.
    keys: BTreeMap<String, Value>,
    /// Items of batches, by ticket.
    tickets: BTreeMap<String, Vec<Value>>,
    /// Items taken in batches, by their id.
    items: BTreeMap<String, u64>,
}

struct Post {
    ledger: Arc<Ledger>,
    state: Mutex<State>,
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn sum(value: &Value) -> u64 {
    value.get("sum").and_then(Value::as_u64).unwrap_or_default()
}

impl Post {
    fn apply(&self, request: &Received, operation: &'static str, parcel: &Value) {
        let cause = Cause {
            received_ms: request.received_ms,
            idempotency_key: self.idempotency_key(request),
        };
        let applied = Applied {
            operation,
            key: text(parcel, "id").to_owned(),
            person: text(parcel, "who").to_owned(),
            content: BTreeMap::from([("sum".to_owned(), sum(parcel).to_string())]),
        };
        self.ledger.apply(POST, &cause, applied);
    }

    /// A single order. Only `resend` recognises a key; `ask` and `person` apply what they get.
    fn single(&self, request: &Received, operation: &'static str, parcel: &Value) -> Answer {
        if sum(parcel) == 0 {
            return Answer::json(422, &json!({"code": "E42"}));
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let key = self.idempotency_key(request);
        let known = state.keys.insert(key, parcel.clone());
        match known {
            Some(before) if operation == "resend" && before == *parcel => {}
            Some(_) if operation == "resend" => {
                return Answer::json(422, &json!({"code": "E43"}))
                    .violating("the same key with another order");
            }
            _ => self.apply(request, operation, parcel),
        }
        Answer::json(200, &json!({"result": "ok"}))
    }

    fn batch(&self, request: &Received, parcels: &Value) -> Answer {
        let Some(items) = parcels.as_array() else {
            return Answer::json(422, &json!({"code": "E44"})).violating("a batch is an array");
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = format!("t{}", request.receipt);
        for item in items.iter().filter(|item| sum(item) > 0) {
            let before = state.items.insert(text(item, "id").to_owned(), sum(item));
            if before.is_none() {
                self.apply(request, "batch", item);
            }
        }
        state.tickets.insert(ticket.clone(), items.clone());
        Answer::json(202, &json!({"ticket": ticket}))
    }

    fn result(&self, ticket: &str) -> Answer {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(items) = state.tickets.get(ticket) else {
            return Answer::json(404, &json!({"code": "E404"}));
        };
        let result = |(index, item): (usize, &Value)| match sum(item) {
            0 => json!({"n": index + 1, "state": "bad", "code": "E42"}),
            _ => json!({"n": index + 1, "state": "done"}),
        };
        let results: Vec<Value> = items.iter().enumerate().map(result).collect();
        Answer::json(200, &json!({"results": results}))
    }
}

impl Counterpart for Post {
    fn name(&self) -> &'static str {
        POST
    }

    fn repertoire(&self) -> Repertoire {
        Repertoire { busy_body: true, tokens: false }
    }

    fn caution(&self, _request: &Received) -> Caution {
        // A refusal after a lost answer waits for a person, and one is there.
        Caution::None
    }

    fn answer(&self, request: &Received) -> Answer {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/resend") => self.single(request, "resend", &body),
            ("POST", "/ask") => self.single(request, "ask", &body),
            ("POST", "/person") => self.single(request, "person", &body),
            ("POST", "/batch") => self.batch(request, &body),
            ("GET", path) => match path.strip_prefix("/asked/") {
                Some(key) => {
                    let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                    match state.keys.contains_key(key) {
                        true => Answer::json(200, &json!({"result": "known"})),
                        false => Answer::json(404, &json!({"result": "unknown"})),
                    }
                }
                None => self.result(path.strip_prefix("/result/").unwrap_or_default()),
            },
            _ => Answer::json(404, &json!({"code": "E404"})).violating("no such path"),
        }
    }

    fn busy_body(&self, _request: &Received) -> Answer {
        Answer::json(200, &json!({"result": "busy"}))
    }

    fn expire_token(&self, request: &Received) -> Answer {
        self.busy_body(request)
    }
}
