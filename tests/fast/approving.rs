//! Four eyes on the command line: a demand, its answer, and the second person's word.

use crate::fixture::{Folder, MESSAGE};
use watashi::store::sqlite::Options;
use watashi::store::{SqliteStore, Store};

const FIRST: [&str; 4] = ["--operator", "yamada", "--reason", "taken from the file"];
const SECOND: [&str; 4] = ["--operator", "sato", "--reason", "compared with the original"];

fn with<'a>(words: &[&'a str], who: &[&'a str]) -> Vec<&'a str> {
    [words, who].concat()
}

/// What the command answered when it was refused.
fn refused(folder: &Folder, words: &[&str], who: &[&str], code: &str) {
    let ran = folder.run(&with(words, who));
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains(code), "{}", ran.err);
}

/// A route that needs a second person, and a store with a message that waits for one.
fn prepared() -> Folder {
    let folder = Folder::whole();
    let adapter = "adapters/post/adapter.yaml";
    let text = folder.read(adapter);
    let route = "mapping: order-to-parcel";
    assert!(text.contains(route), "{text}");
    folder.write(
        adapter,
        &text.replacen(route, &format!("{route}\n    approval: {{expires: 72h}}"), 1),
    );
    let path = folder.path("watashi.db");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(&path, folder.keys(), Options::default()).unwrap();
        let mut message = crate::operating::message(&folder, "asked");
        let approval = watashi::store::approvals::NewApproval {
            preparer: "yamada".to_owned(),
            within: std::time::Duration::from_secs(100 * 365 * 24 * 3_600),
            answers: None,
        };
        let demand = watashi::store::approvals::NewDemand {
            kind: "provision".to_owned(),
            number: "SN-0001".to_owned(),
            item: "25".to_owned(),
            due: None,
        };
        let exchange = message.exchanges.first_mut().unwrap();
        exchange.approval = Some(Box::new(approval));
        exchange.opens = Some(Box::new(demand));
        store.accept(message).await.unwrap();
        store.close().await.unwrap();
    });
    folder
}

#[test]
fn another_person_decides_on_the_command_line() {
    let folder = prepared();
    let listed = folder.run(&["approvals", "list"]);
    assert!(listed.out.contains("yamada") && listed.out.contains("asked"), "{}", listed.out);
    assert!(!listed.out.contains("山田"), "{}", listed.out);
    refused(&folder, &["approvals", "approve", "1"], &FIRST, "G426");
    let shown = folder.run(&with(&["approvals", "show", "1", "--document"], &SECOND));
    assert_eq!(shown.code, 0, "{}", shown.err);
    assert!(shown.out.contains("山田"), "what would leave: {}", shown.out);
    let agreed = folder.run(&with(&["approvals", "approve", "1"], &SECOND));
    assert_eq!(agreed.out, "exchange 1 is now received\n", "{}", agreed.err);
    // Clicked twice.
    let again = folder.run(&with(&["approvals", "approve", "1"], &SECOND));
    assert_eq!((again.code, again.out.as_str()), (0, "exchange 1 is now received\n"));
    refused(&folder, &["approvals", "reject", "1"], &SECOND, "G427");
    refused(&folder, &["approvals", "reject", "9"], &SECOND, "G427");
    assert!(!folder.run(&["approvals", "list"]).out.contains("yamada"));
    let all = folder.run(&["approvals", "list", "--all", "--json"]).json();
    let decided = (all[0]["state"].as_str(), all[0]["decided_by"].as_str());
    assert_eq!(decided, (Some("approved"), Some("sato")));
    let missing = folder.run(&["approvals", "show", "9"]);
    assert!(missing.err.contains("hint: "), "{}", missing.err);
}

#[test]
fn a_demand_is_shown_answered_or_closed() {
    let folder = prepared();
    let listed = folder.run(&["demands", "list"]);
    assert!(listed.out.contains("SN-0001") && listed.out.contains("25"), "{}", listed.out);
    let shown = folder.run(&with(&["demands", "show", "1", "--body"], &FIRST));
    assert_eq!((shown.code, shown.out.as_str()), (0, MESSAGE), "{}", shown.err);
    folder.write("answer.json", MESSAGE);
    // No route of these definitions takes answers.
    refused(&folder, &["answer", "1", "--file", "answer.json"], &FIRST, "G429");
    refused(&folder, &["answer", "9", "--file", "answer.json"], &FIRST, "G424");
    let gone = folder.run(&with(&["answer", "1", "--file", "nowhere.json"], &FIRST));
    assert_eq!(gone.code, 69, "{}", gone.err);
    let closed = folder.run(&with(&["demands", "close", "1"], &SECOND));
    assert_eq!(closed.out, "demand 1 is closed\n", "{}", closed.err);
    refused(&folder, &["demands", "close", "1"], &SECOND, "no such open demand");
    assert!(!folder.run(&["demands", "list"]).out.contains("SN-0001"));
}
