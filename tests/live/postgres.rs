//! The store on PostgreSQL: the same suite as SQLite, and what only a server can do to it.

use super::database::{Server, server};
use super::setup;
use super::store::conformance as suite;
use super::store::lifecycle;
use futures_util::future::BoxFuture;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::sync::Arc;
use watashi::model::Secret;
use watashi::store::postgres::Options;
use watashi::store::{Keys, PostgresStore, Store};

pub fn keys(fill: u8) -> Arc<Keys> {
    let masters = vec![("k1".to_owned(), Secret::new(vec![fill; 32]))];
    Arc::new(Keys::from_masters("k1", masters).unwrap())
}

/// A store in a database of its own.
async fn open(server: &Server, database: &str) -> Arc<PostgresStore> {
    open_with(server, database, Options::default()).await
}

async fn open_with(server: &Server, database: &str, options: Options) -> Arc<PostgresStore> {
    PostgresStore::open(server.address(database), keys(1), options).await.unwrap()
}

/// Waits in a place that cannot.
fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(future))
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    setup();
    let server = server().await;
    suite::run(|| now(async { open(server, &server.database().await).await })).await;
}

struct Database(&'static Server, String);

impl lifecycle::Home for Database {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        Box::pin(async { open(self.0, &self.1).await as Arc<dyn Store> })
    }

    fn restart(&self, store: Arc<dyn Store>) -> BoxFuture<'_, Arc<dyn Store>> {
        Box::pin(async move {
            store.close().await.unwrap();
            lifecycle::Home::open(self).await
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn does_what_the_model_does() {
    setup();
    let server = server().await;
    let config = ProptestConfig { cases: 12, failure_persistence: None, ..Default::default() };
    let steps = prop::collection::vec(lifecycle::step(), 1..40);
    let run = |steps| {
        now(async {
            let home = Database(server, server.database().await);
            lifecycle::run(&home, steps).await;
        });
        Ok(())
    };
    now(async { TestRunner::new(config).run(&steps, run).unwrap() });
}
