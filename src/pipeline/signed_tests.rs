//! R17: what is fetched with a bad signature never goes on; what cannot be judged yet waits.

use super::context::Counterpart;
use super::pull;
use super::replay::{Replayed, replay};
use super::testing::{Harness, SetClock};
use crate::codec::signed::Trust;
use crate::codec::signed::testing::{Authority, Form, NODE, Signer, Town, package, town};
use crate::store::{Act, ActVerb};
use crate::transport::fake::FakeScanner;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::date_time_ymd;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The drawer of the harness hands out signed XML.
const CHANGES: [(&str, &str); 6] = [
    (
        r#""type": "array", "minItems": 1, "x-csv": {"header": true},
  "items": {
    "type": "object", "additionalProperties": false, "required": ["person", "amount"],
    "properties": {"person": {"type": "string", "minLength": 1, "maxLength": 20}, "amount": {"type": "integer"}}
  }"#,
        r#""x-xml": {"root": "application", "namespace": "urn:t"},
  "type": "object", "additionalProperties": false, "required": ["id", "name", "sum"],
  "properties": {"id": {"type": "string", "maxLength": 20, "xml": {"attribute": true, "name": "Id"}},
    "name": {"type": "string", "minLength": 1, "maxLength": 20}, "sum": {"type": "string", "maxLength": 20}}"#,
    ),
    ("who: '$[0].person'", "who: name"),
    ("sum: '$[0].amount'", "sum: '7'"),
    ("\"ticket\": {\"type\": \"string\", \"maxLength\": 40}", "\"ticket\": {\"type\": \"string\"}"),
    (
        "    response: {format: csv, schema: shop/lines@1}\n",
        "    response: {format: json, schema: post/answer@1}\n    signature:\n      kind: xml-dsig\n      \
         trust: applicants\n      document: ticket\n      node: package/application\n      \
         namespace: urn:t\n      content: {format: xml, schema: shop/lines@1}\n      item: id\n",
    ),
    (
        "- {status: [200], when: count($) > 0, then: applied}",
        "- {status: [200], when: present(ticket), then: applied}",
    ),
];

fn node(id: &str) -> String {
    NODE.replace("a1", id)
}

fn signed(signer: &Signer, id: &str) -> String {
    let form = Form { uri: format!("#{id}"), ..Form::default() };
    package(&node(id), &signer.sign(&node(id), &form))
}

struct Scene {
    harness: Harness,
    clock: Arc<SetClock>,
    town: Town,
    bad: pull::Bad,
}

impl Scene {
    /// The drawer hands out these; `trust` is what is believed.
    fn new(town: Town, trust: Trust, documents: Vec<(&'static str, String)>) -> Scene {
        Scene::changed(&[], town, trust, documents)
    }

    /// The same with more texts of the definitions replaced, and with a scanner.
    fn changed(
        changes: &[(&str, &str)],
        town: Town,
        trust: Trust,
        documents: Vec<(&'static str, String)>,
    ) -> Scene {
        let changes = [&CHANGES[..], changes].concat();
        let (mut harness, clock) = Harness::changed(&changes, "2026-06-03T12:00");
        let cx = Arc::get_mut(&mut harness.cx).expect("nobody else has it yet");
        cx.scanner = Some(Arc::new(FakeScanner::default()));
        let states: Vec<String> =
            documents.iter().map(|(id, _)| format!("{{\"state\":\"{id}\"}}")).collect();
        let list = format!("{{\"results\":[{}]}}", states.join(","));
        harness.target.always(move |request| {
            let of = |id: &str| request.path == format!("/drawer/{id}");
            let body = match documents.iter().find(|(id, _)| of(id)) {
                Some((_, document)) => format!("{{\"ticket\":\"{}\"}}", STANDARD.encode(document)),
                None => list.clone(),
            };
            let (content_type, body) = ("application/json".to_owned(), bytes::Bytes::from(body));
            Ok(crate::transport::Response {
                status: 200,
                content_type,
                retry_after: None,
                body,
                token: None,
            })
        });
        let scene = Scene { harness, clock, town, bad: pull::Bad::new() };
        scene.believe(trust);
        scene
    }

    fn believe(&self, trust: Trust) {
        let old = self.harness.cx.counterpart("post").unwrap();
        let next = Counterpart::new(Arc::clone(&old.adapter), Arc::clone(&old.target));
        let stores = BTreeMap::from([("applicants".to_owned(), Arc::new(trust))]);
        self.harness.cx.counterparts.replace([Arc::new(next.with_trust(stores))]);
    }

    async fn pull(&mut self) {
        let counterpart = self.harness.cx.counterpart("post").unwrap();
        let operation = Arc::clone(&counterpart.adapter.operations["drawer"]);
        let list = operation.pull.as_ref().unwrap();
        let cx = &self.harness.cx;
        pull::pass(&operation, list, &counterpart, cx, &mut self.bad).await.unwrap();
    }

    /// Id, route and code of everything that is in the store.
    async fn found(&self) -> Vec<(String, String, String)> {
        let all = self.harness.exchanges().await;
        let mut found: Vec<_> = all
            .into_iter()
            .map(|one| (one.message_id, one.route, one.code.unwrap_or_default()))
            .collect();
        found.sort();
        found
    }

    async fn replay(&self, id: &str) -> Replayed {
        let act = Act {
            exchange: self.harness.exchange(id).await.id,
            verb: ActVerb::Replay,
            operator: "ops".to_owned(),
            reason: "test".to_owned(),
            at: self.harness.cx.clock.now(),
            bundle: None,
            brings: Default::default(),
        };
        replay(act, &self.harness.cx).await.unwrap()
    }
}

fn row(id: &str, route: &str, code: &str) -> (String, String, String) {
    (id.to_owned(), route.to_owned(), code.to_owned())
}

#[tokio::test]
async fn r17_an_application_with_a_bad_signature_never_goes_on() {
    let town = town();
    let good = signed(&town.signer, "J1");
    let stranger = Authority::new("よその認証局").issue(7, |_| {});
    let ended = town.authority.issue(8, |params| params.not_after = date_time_ymd(2026, 6, 1));
    let withdrawn = town.authority.issue(9, |_| {});
    let form = |id: &str| Form { uri: format!("#{id}"), ..Form::default() };
    let wrapped = format!("{}<old>{}</old>", node("x").replace("太郎", "花子"), node("J4"));
    let old_digest = Form { digest_method: "sha1".to_owned(), ..form("J8") };
    let documents = vec![
        ("J0", "{".to_owned()),
        ("J1", good),
        ("J2", package(&node("J2"), "")),
        ("J3", signed(&town.signer, "J3").replace("太郎", "花子")),
        ("J4", package(&wrapped, &town.signer.sign(&node("J4"), &form("J4")))),
        ("J5", signed(&stranger, "J5")),
        ("J6", signed(&ended, "J6")),
        ("J7", signed(&withdrawn, "J7")),
        ("J8", package(&node("J8"), &town.signer.sign(&node("J8"), &old_digest))),
        // Well signed, but another one's.
        ("J9", signed(&town.signer, "J1")),
    ];
    let list = town.authority.list(30, &[9]);
    let trust = Trust::new(std::slice::from_ref(&town.authority.der), &[list]).unwrap();
    let mut scene = Scene::new(town, trust, documents);
    scene.pull().await;
    let expected = [
        row("J0", "", "G859"),
        row("J1", "fetched", ""),
        row("J2", "", "G851"),
        row("J3", "", "G852"),
        row("J4", "", "G853"),
        row("J5", "", "G855"),
        row("J6", "", "G856"),
        row("J7", "", "G857"),
        row("J8", "", "G854"),
        row("J9", "", "G853"),
    ];
    assert_eq!(scene.found().await, expected);
    // What goes on is the signed element, as its own bytes.
    let claimed = scene.harness.claim("place").await;
    assert_eq!(claimed.body.expose(), node("J1").as_bytes());
    // Each refusal is in the record, with its code.
    let rows = scene.harness.cx.store.record(0, 100).await.unwrap();
    let noted: Vec<_> = rows
        .iter()
        .map(|row| serde_json::from_str::<serde_json::Value>(&row.entry).unwrap())
        .filter(|entry| entry["outcome"] == "refused")
        .map(|entry| (entry["message_id"].clone(), entry["code"].clone()))
        .collect();
    let refused = expected.iter().filter(|(_, route, _)| route.is_empty());
    let refused: Vec<_> =
        refused.map(|(id, _, code)| (id.clone().into(), code.clone().into())).collect();
    assert_eq!(noted, refused);
    // A replay asks again, and gives the same answer.
    let Replayed::Refused(failure) = scene.replay("J3").await else { panic!("replayed") };
    assert_eq!(failure.code.code, "G852");
    assert_eq!(scene.found().await, expected);
}

#[tokio::test]
async fn while_the_lists_are_old_it_waits_at_the_counterpart() {
    let town = town();
    let documents = vec![("J1", signed(&town.signer, "J1"))];
    let authorities = [town.authority.der.clone()];
    let old = Trust::new(&authorities, &[town.authority.list(2, &[])]).unwrap();
    let mut scene = Scene::new(town, old, documents);
    for _ in 0..5 {
        scene.pull().await;
        assert!(scene.found().await.is_empty());
        let cursor = scene.harness.cx.store.cursor("post/drawer".to_owned()).await.unwrap();
        assert_eq!(cursor, None, "what waits must be listed again");
    }
    scene.believe(Trust::new(&authorities, &[scene.town.authority.list(30, &[])]).unwrap());
    scene.pull().await;
    assert_eq!(scene.found().await, [row("J1", "fetched", "")]);
    assert!(scene.harness.cx.store.cursor("post/drawer".to_owned()).await.unwrap().is_some());
}

#[tokio::test]
async fn without_a_trust_store_nothing_is_believed() {
    let town = town();
    let documents = vec![("J1", signed(&town.signer, "J1"))];
    let trust = town.authority.trust();
    let mut scene = Scene::new(town, trust, documents);
    let old = scene.harness.cx.counterpart("post").unwrap();
    let bare = Counterpart::new(Arc::clone(&old.adapter), Arc::clone(&old.target));
    scene.harness.cx.counterparts.replace([Arc::new(bare)]);
    scene.pull().await;
    assert!(scene.found().await.is_empty());
}

/// The time that counts is that of receipt, also when an operator replays it much later.
#[tokio::test]
async fn a_replay_is_judged_as_of_its_receipt() {
    let town = town();
    let short = town.authority.issue(8, |params| params.not_after = date_time_ymd(2026, 6, 20));
    let documents = vec![("J1", signed(&short, "J1"))];
    let nobody = Authority::new("よその認証局");
    let mut scene = Scene::new(town, nobody.trust(), documents);
    scene.pull().await;
    assert_eq!(scene.found().await, [row("J1", "", "G855")]);
    let authority = &scene.town.authority;
    scene.believe(authority.trust());
    scene.clock.set("2026-07-01T12:00");
    assert!(matches!(scene.replay("J1").await, Replayed::Done(_)));
    let found = scene.found().await;
    assert!(found.iter().any(|(id, route, _)| id == "J1" && route == "fetched"), "{found:?}");
}

/// What is well signed is scanned as it came and as the document that it is within the answer; what
/// is badly signed keeps the code of its signature.
#[tokio::test]
async fn what_is_signed_is_scanned_within_its_encoding() {
    let town = town();
    let good = signed(&town.signer, "J1");
    let laden = node("J2").replace("太郎", FakeScanner::BAD);
    let form = Form { uri: "#J2".to_owned(), ..Form::default() };
    let laden = package(&laden, &town.signer.sign(&laden, &form));
    let altered = signed(&town.signer, "J3").replace("太郎", "花子");
    let documents = vec![("J1", good), ("J2", laden), ("J3", altered)];
    let trust = town.authority.trust();
    let demands = [("    signature:\n", "    scan: {}\n    signature:\n")];
    let mut scene = Scene::changed(&demands, town, trust, documents);
    scene.pull().await;
    let expected = [row("J1", "fetched", ""), row("J2", "", "G861"), row("J3", "", "G852")];
    assert_eq!(scene.found().await, expected);
}
