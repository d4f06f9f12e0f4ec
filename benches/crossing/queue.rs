//! The queue: filled with confirmed messages before a round, empty after it.

use crate::common;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use std::collections::VecDeque;
use std::time::Duration;

/// What the gateway consumes.
pub const QUEUE: &str = "watashi.ingest";
const EXCHANGE: &str = "watashi.in";
/// Messages whose confirms may be outstanding.
const UNCONFIRMED: usize = 500;
/// A guard against hanging.
const PATIENCE: Duration = Duration::from_secs(300);

/// A connection to the broker.
pub async fn connect(url: &str) -> Connection {
    Connection::connect(url, ConnectionProperties::default()).await.unwrap()
}

/// Publishes `count` messages, numbered from `from`, and waits until the broker has them all.
pub async fn fill(url: &str, from: usize, count: usize) {
    let filling = async {
        let connection = connect(url).await;
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let mut confirms = VecDeque::with_capacity(UNCONFIRMED);
        for number in from..from + count {
            if confirms.len() == UNCONFIRMED {
                confirmed(confirms.pop_front().unwrap()).await;
            }
            let properties = BasicProperties::default()
                .with_delivery_mode(2)
                .with_content_type("application/json".into())
                .with_message_id(format!("bench-{number}").into())
                .with_type(common::MESSAGE_TYPE.into());
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let body = common::record(number);
            let publish = channel.basic_publish(
                EXCHANGE.into(),
                common::MESSAGE_TYPE.into(),
                options,
                &body,
                properties,
            );
            confirms.push_back(publish.await.unwrap());
        }
        for confirm in confirms {
            confirmed(confirm).await;
        }
    };
    tokio::time::timeout(PATIENCE, filling).await.expect("the queue fills");
}

async fn confirmed(confirm: impl Future<Output = lapin::Result<lapin::Confirmation>>) {
    let confirmation = confirm.await.unwrap();
    assert!(matches!(confirmation, lapin::Confirmation::Ack(None)), "a message was not taken");
}

/// Waits until the forwarder has taken everything.
pub async fn drained(url: &str) {
    let connection = connect(url).await;
    let channel = connection.create_channel().await.unwrap();
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let draining = async {
        loop {
            let queue = channel.queue_declare(QUEUE.into(), options, FieldTable::default());
            if queue.await.unwrap().message_count() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, draining).await.expect("the queue is taken");
}

/// Sees that no message is left, nor given back by the forwarder that has ended.
pub async fn assert_empty(url: &str) {
    let connection = connect(url).await;
    let channel = connection.create_channel().await.unwrap();
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let emptying = async {
        let mut quiet = 0;
        // What was not acknowledged comes back a moment after its consumer has gone.
        while quiet < 3 {
            let queue = channel.queue_declare(QUEUE.into(), options, FieldTable::default());
            quiet = if queue.await.unwrap().message_count() == 0 { quiet + 1 } else { 0 };
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let emptied = tokio::time::timeout(Duration::from_secs(10), emptying).await;
    assert!(emptied.is_ok(), "messages left in the queue");
}
