//! The commands and the files of instances that share one PostgreSQL: keys are rotated, the whole
//! store is looked at, it is put back, and files are written and read once, whoever is killed.

use crate::database::server;
use crate::files::{FOLDER, daily, sets, subjects, use_files};
use crate::setup;
use crate::town::{Town, until};
use base64::Engine;
use serde_json::{Value, json};
use std::fs;

/// A lease that ends while a test waits; longer than the timeouts of a town.
const LEASE: &str = "3s";
const ACTS: [&str; 4] = ["--operator", "sato", "--reason", "年次更新"];

/// Runs an act of an operator.
async fn act(town: &Town, words: &[&str]) -> crate::town::Ran {
    town.run(&[words, &ACTS[..]].concat()).await
}

/// Posts a notice and waits until it is delivered.
async fn deliver(town: &Town, id: &str, notice: &Value) {
    let mut notice = notice.clone();
    notice["noticeId"] = json!(id);
    assert_eq!(town.health().post("notice.requested", id, &notice).await.status, 202);
    town.until_state(id, "delivered").await;
}

#[tokio::test]
async fn keys_are_rotated_beside_running_instances() {
    setup();
    let town = Town::on_postgres(server().await, "60s").await;
    let first = town.start().await;
    let notice = town.messages("notice.requested", Some("osr")).await.remove(0);
    for number in 0..5 {
        deliver(&town, &format!("k{number}"), &notice).await;
    }

    // The new key is listed and sealed with in every instance, then all that is there is wrapped anew.
    let key = base64::engine::general_purpose::STANDARD.encode([7; 32]);
    town.write("keys/k2", &key);
    let path = town.path("keys/k2").display().to_string();
    let config = town.read("watashi.toml").replace("current = \"k1\"", "current = \"k2\"");
    let head = "\n\n[ingest]";
    assert!(config.contains(head), "{config}");
    let listed = format!("\nk2 = \"file:{path}\"{head}");
    town.write("watashi.toml", &config.replacen(head, &listed, 1));
    let other = town.instance("second");
    let second = other.start().await;
    let reloaded = act(&town, &["reload"]).await;
    assert_eq!(reloaded.code, 0, "{reloaded:?}");
    deliver(&other, "k5", &notice).await;
    deliver(&town, "k6", &notice).await;

    let rotated = act(&town, &["keys", "rotate", "--json"]).await;
    assert_eq!(rotated.code, 0, "{rotated:?}");
    let page = rotated.json();
    assert_eq!((&page["current"], &page["others"]), (&json!("k2"), &json!({})), "{page}");
    let (seen, done) = (page["seen"].as_u64().unwrap(), page["rewrapped"].as_u64().unwrap());
    assert!(done >= 5 && done < seen, "what was sealed since is under the new key: {page}");
    assert!(rotated.err.contains("key `k1` seals nothing any more"), "{}", rotated.err);
    let again = act(&town, &["keys", "rotate", "--json"]).await.json();
    assert_eq!(again["rewrapped"], 0, "{again}");

    let first_id = town.until_state("k0", "delivered").await["id"].to_string();
    let shown = act(&town, &["dlq", "show", &first_id, "--body"]).await;
    assert_eq!(shown.code, 0, "{shown:?}");
    let verified = town.run(&["log", "verify"]).await;
    assert_eq!(verified.code, 0, "{}", verified.err);
    assert_eq!(first.stop().await, Some(0));
    assert_eq!(second.stop().await, Some(0));
    assert_eq!(act(&town, &["keys", "rotate"]).await.code, 0, "with no gateway as well");
}

#[tokio::test]
async fn the_whole_store_is_looked_at_and_what_is_wrong_is_named() {
    setup();
    let server = server().await;
    let town = Town::on_postgres(server, "60s").await;
    let gateway = town.start().await;
    let notice = town.messages("notice.requested", Some("osr")).await.remove(0);
    for number in 0..3 {
        deliver(&town, &format!("c{number}"), &notice).await;
    }
    let good = town.run(&["check", "--store"]).await;
    assert_eq!(good.code, 0, "beside the gateway: {good:?}");
    for what in ["references", "lanes", "record"] {
        assert!(good.out.contains(&format!("ok      {what}: ")), "{what}: {}", good.out);
    }
    let all = town.run(&["check"]).await;
    assert_eq!(all.code, 0, "{all:?}");
    assert!(all.out.contains("PostgreSQL on 127.0.0.1"), "{}", all.out);
    assert_eq!(gateway.stop().await, Some(0));

    let url = town.read("secrets/store");
    let owner = server.owner(url.rsplit('/').next().unwrap()).await;
    for (harm, mend, what) in [
        (
            "CREATE TABLE kept AS SELECT * FROM messages WHERE id = 2; DELETE FROM messages WHERE id = 2",
            "INSERT INTO messages SELECT * FROM kept; DROP TABLE kept",
            "references: T203",
        ),
        (
            "UPDATE exchanges SET state = 'held', due = NULL WHERE id = 1",
            "UPDATE exchanges SET state = 'delivered' WHERE id = 1",
            "lanes: T203",
        ),
        (
            "SET session_replication_role = replica;
            UPDATE records SET entry = replace(entry, 'intended', 'Intended') WHERE sequence = 2",
            "SET session_replication_role = replica;
            UPDATE records SET entry = replace(entry, 'Intended', 'intended') WHERE sequence = 2",
            "record: T401",
        ),
    ] {
        owner.batch_execute(harm).await.unwrap();
        let bad = town.run(&["check", "--store"]).await;
        assert_eq!(bad.code, 3, "{what}: {bad:?}");
        assert!(bad.out.contains(&format!("FAILED  {what}")), "{what}: {}", bad.out);
        owner.batch_execute(mend).await.unwrap();
        assert_eq!(town.run(&["check", "--store"]).await.code, 0, "{what} mended");
    }
}

#[tokio::test]
async fn a_database_put_back_is_found_adopted_and_sends_nothing_twice() {
    setup();
    let server = server().await;
    let town = Town::on_postgres(server, LEASE).await;
    fs::create_dir(town.path("export")).unwrap();
    let export = format!("export = \"{}\"", town.path("export").display());
    town.configure("record", &export);
    let refused = town.run(&["backup", town.path("store").to_str().unwrap()]).await;
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("PostgreSQL's own tools"), "{}", refused.err);

    let gateway = town.start().await;
    let notice = town.messages("notice.requested", Some("osr")).await.remove(0);
    deliver(&town, "b1", &notice).await;
    let database = town.read("secrets/store").rsplit('/').next().unwrap().to_owned();
    let dump = server.path("dump");
    server.tool("pg_dump", &["--format=custom", "--file", &dump, &database]);
    deliver(&town, "b2", &notice).await;
    assert_eq!(gateway.stop().await, Some(0));

    let old = server.database().await;
    server.tool("pg_restore", &["--dbname", &old, &dump]);
    town.write("secrets/store", &server.url(&old));
    let forgotten = town.run(&["run"]).await;
    assert_eq!(forgotten.code, 3, "{forgotten:?}");
    assert!(forgotten.err.contains("T404"), "{}", forgotten.err);
    let adopted = act(&town, &["restore", "--adopt", "--json"]).await;
    assert_eq!(adopted.code, 0, "{adopted:?}");
    let page = adopted.json();
    assert_eq!((&page["epoch"], &page["ghosts"]), (&json!(2), &json!(1)), "{page}");

    let gateway = town.start().await;
    let mut again = notice.clone();
    again["noticeId"] = json!("b2");
    assert_eq!(town.health().post("notice.requested", "b2", &again).await.status, 202);
    let known = town.until_state("b2", "delivered").await;
    assert_eq!(known["attempts"], 0, "the record tells that it was applied: {known}");
    assert_eq!(act(&town, &["restore", "--complete"]).await.code, 0);
    deliver(&town, "b3", &notice).await;
    assert_eq!(gateway.stop().await, Some(0));
    let verified = town.run(&["log", "verify"]).await;
    assert_eq!(verified.code, 0, "{}", verified.err);
}

/// Two instances of one town that writes and reads files.
async fn two_with_files() -> [Town; 2] {
    setup();
    let town = Town::on_postgres(server().await, LEASE).await;
    use_files(&town, FOLDER);
    for adapter in ["reservation", "public-assistance"] {
        town.configure(&format!("counterpart.{adapter}"), "timeout = \"2s\"");
    }
    let other = town.instance("second");
    [town, other]
}

/// Waits until the instance of that name has a role.
async fn until_it_has(town: &Town, name: &str, role: &str) {
    until(&format!("{name} to have {role}"), || async {
        let status = town.run(&["status", "--json"]).await.json();
        let instances = status["instances"].as_array().unwrap().clone();
        let has = |one: &Value| {
            let mut roles = one["roles"].as_array().unwrap().iter();
            one["name"] == name && roles.any(|one| one.as_str().unwrap().starts_with(role))
        };
        instances.iter().any(has).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_writer_of_files_is_killed_and_another_finishes_its_set() {
    let [one, two] = two_with_files().await;
    let persons = subjects(&one).await;
    let points = ["intend:after-commit", "file:planned", "file:shown@2", "file:all-written"];
    for (round, point) in points.iter().enumerate() {
        let plan = if point.contains('@') { (*point).to_owned() } else { format!("{point}@1") };
        let mut first = one.start_with(&[("WATASHI_CRASH_AT", &plan)]).await;
        until_it_has(&one, "demo", "file-out:reservation").await;
        let second = two.start().await;
        let mut expected = Vec::new();
        for person in &persons {
            let mut person = person.clone();
            let id = format!("S-{round}-{}", person["subjectId"].as_str().unwrap());
            person["subjectId"] = json!(id);
            let posted = two.health().post("subject.registered", &id, &person).await;
            assert_eq!(posted.status, 202, "{point}: {posted:?}");
            expected.push(id);
        }
        first.ended().await;
        until("all delivered", || async {
            let exchanges = two.exchanges().await;
            exchanges.iter().all(|one| one["state"] == "delivered").then_some(())
        })
        .await;
        until_it_has(&two, "second", "file-out:reservation").await;
        let (mut whole, rest) = sets(&one.path("extracts/subjects"));
        let all = whole.len();
        whole.dedup();
        assert_eq!((whole.len(), all), (all, 3 * (round + 1)), "{point}: doubled or lost");
        assert_eq!(rest, [] as [String; 0], "{point}: without marker");
        assert!(expected.iter().all(|id| whole.contains(id)), "{point}: {whole:?}");
        assert_eq!(second.stop().await, Some(0));
    }
    assert_eq!(one.run(&["log", "verify"]).await.code, 0);
}

#[tokio::test]
async fn the_reader_of_files_is_killed_and_another_reads_the_rest() {
    let [one, two] = two_with_files().await;
    let folder = one.path("daily/statuses");
    fs::create_dir(&folder).unwrap();
    let points = ["accept:after-commit", "file:accepted", "file:finishing", "file:moved-there"];
    for (point, day) in points.iter().zip(1..) {
        let plan = format!("{point}@1");
        let mut first = one.start_with(&[("WATASHI_CRASH_AT", &plan)]).await;
        until_it_has(&one, "demo", "file-in:public-assistance").await;
        let second = two.start().await;
        let name = daily(&folder, day);
        first.ended().await;
        until("taken", || async {
            let exchanges = two.exchanges().await;
            let delivered = exchanges.iter().filter(|one| one["state"] == "delivered").count();
            assert!(exchanges.len() <= 20 * day, "{point}: doubled");
            let is_away = fs::read_dir(&folder).unwrap().count() == 0;
            (delivered == 20 * day && is_away).then_some(())
        })
        .await;
        assert!(one.path(&format!("daily/done/{name}.csv")).is_file(), "{point}");
        assert_eq!(second.stop().await, Some(0));
    }
    assert_eq!(one.run(&["log", "verify"]).await.code, 0);
}
