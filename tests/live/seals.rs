//! One record of several instances: who seals it, and what the others do meanwhile.

use super::database::server;
use super::postgres::{open_with, until};
use super::setup;
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use watashi::archive::Archive;
use watashi::model::Clock;
use watashi::model::codes::store as codes;
use watashi::pipeline::seal::{Sealer, Watch};
use watashi::record::checkpoint::Signer;
use watashi::record::note::SigningKey;
use watashi::record::{Draft, Kind, Phase};
use watashi::store::postgres::Options;

/// A fixed instant, and this many seconds.
struct Ahead(AtomicI64);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        let seconds = self.0.load(Ordering::SeqCst);
        Timestamp::from_second(1_790_000_000 + seconds).unwrap()
    }
}

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        let path = std::env::temp_dir().join(format!("watashi-live-{}-seals", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _left_behind = std::fs::remove_dir_all(&self.0);
    }
}

async fn write(sealer: &Sealer) {
    let draft = Draft::new(Kind::System, Phase::Noted, sealer.clock.now());
    sealer.store.note(vec![draft]).await.unwrap();
}

/// Of two instances one seals and exports; the other judges by what that one tells, and takes over.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_seals_and_the_other_takes_over() {
    setup();
    let server = server().await;
    let database = server.database().await;
    let folder = Folder::new();
    let clock = Arc::new(Ahead(AtomicI64::new(0)));
    let instance = async |name: &str| {
        let archive = folder.0.join(name);
        std::fs::create_dir(&archive).unwrap();
        let text = SigningKey::text_of("log.example/a", &[1; 32]).unwrap();
        let key = SigningKey::parse(&text).unwrap();
        let options = Options { name: name.to_owned(), ..Options::default() };
        Sealer {
            store: open_with(server, &database, options).await,
            clock: clock.clone(),
            signer: Signer::new(key, None).unwrap(),
            archive: Some(Archive::new(archive)),
            grace: Duration::from_secs(3_600),
            sealing: Arc::default(),
        }
    };
    let (first, second) = (instance("first").await, instance("second").await);
    let (mut watch, mut other) = (Watch::default(), Watch::default());
    write(&first).await;
    first.seal_as_leader(&mut watch, true).await.unwrap();
    first.export().await;
    let sealed = first.store.last_checkpoints(1).await.unwrap()[0].head.size;
    assert_eq!(sealed, first.store.tree().await.unwrap().size());

    write(&second).await;
    second.seal_as_leader(&mut other, true).await.unwrap();
    let unchanged = second.store.last_checkpoints(1).await.unwrap()[0].head.size;
    assert_eq!(unchanged, sealed, "it signs nothing while another leads");
    second.judge(&mut other).await;
    assert!(second.sealing.stops_sending().is_none());
    clock.0.store(2 * 3_600, Ordering::SeqCst);
    second.judge(&mut other).await;
    let refusal = second.sealing.stops_sending().unwrap();
    assert_eq!(refusal.code, &codes::RECORD_UNSEALED, "what nobody seals is not sent");

    first.seal_as_leader(&mut watch, true).await.unwrap();
    first.export().await;
    second.judge(&mut other).await;
    assert!(second.sealing.stops_sending().is_none(), "the first one told that it has exported");

    first.store.close().await.unwrap();
    write(&second).await;
    until("the second one seals", async || {
        second.seal_as_leader(&mut Watch::default(), true).await.unwrap();
        let sealed = second.store.last_checkpoints(1).await.unwrap()[0].head.size;
        (sealed == second.store.tree().await.unwrap().size()).then_some(())
    })
    .await;
    second.export().await;
    second.judge(&mut other).await;
    assert!(second.sealing.stops_sending().is_none() && second.sealing.notes().is_empty());
}
