//! The bare pipe: lapin to reqwest, the bytes as they are, acknowledged one by one after 2xx.
//! No store, no record, no mapping, no retry: what it does not do is the price of the gateway.

use crate::process::Forwarder;
use crate::queue::{QUEUE, connect};
use crate::{pki, sink};
use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;

/// First argument of the process.
pub const ROLE: &str = "bare-process";

/// Starts the process.
pub fn start(folder: &Path, url: &str, port: u16, in_flight: usize, prefetch: u16) -> Forwarder {
    Forwarder::start(
        Command::new(std::env::current_exe().unwrap())
            .arg(ROLE)
            .arg(folder)
            .args([url, &port.to_string(), &in_flight.to_string(), &prefetch.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null()),
    )
}

/// The process: forwards until SIGTERM.
pub async fn run(words: &[String]) {
    let [folder, url, port, in_flight, prefetch] = words else { panic!("five arguments") };
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(pki::client(Path::new(folder)))
        .http1_only()
        .no_proxy()
        .build()
        .unwrap();
    let target: Arc<str> = format!("https://127.0.0.1:{port}/records").into();
    let slots = Arc::new(Semaphore::new(in_flight.parse().unwrap()));
    let connection = connect(url).await;
    let channel = connection.create_channel().await.unwrap();
    channel.basic_qos(prefetch.parse().unwrap(), BasicQosOptions::default()).await.unwrap();
    let options = BasicConsumeOptions::default();
    let mut deliveries = channel
        .basic_consume(QUEUE.into(), "bare".into(), options, FieldTable::default())
        .await
        .unwrap();
    let mut terminate = signal(SignalKind::terminate()).unwrap();
    loop {
        let delivery = tokio::select! {
            delivery = deliveries.next() => delivery.expect("a delivery").unwrap(),
            _ = terminate.recv() => return,
        };
        let slot = Arc::clone(&slots).acquire_owned().await.unwrap();
        let (client, target) = (client.clone(), Arc::clone(&target));
        tokio::spawn(async move {
            forward(delivery, &client, &target).await;
            drop(slot);
        });
    }
}

async fn forward(mut delivery: Delivery, client: &reqwest::Client, target: &str) {
    let key = delivery.properties.message_id().as_ref().expect("a message id").to_string();
    let request = client
        .post(target)
        .header(sink::KEY_HEADER, key)
        .header("content-type", "application/json")
        .body(std::mem::take(&mut delivery.data));
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success());
    answer.bytes().await.unwrap();
    delivery.ack(BasicAckOptions::default()).await.unwrap();
}
