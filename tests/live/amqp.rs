//! The AMQP transport against RabbitMQ.

use crate::pki::Authority;
use crate::services::{Broker, broker};
use crate::setup;
use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicPublishOptions,
    BasicRejectOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use watashi::model::Secret;
use watashi::transport::amqp::topology::{self, Finding};
use watashi::transport::amqp::{
    Acknowledger, AmqpPublisher, Control, Delivery, Names, Settings, Source, Status,
};
use watashi::transport::https::Identity;
use watashi::transport::{Outgoing, Publisher};

/// A guard against hanging, not a measurement.
const PATIENCE: Duration = Duration::from_secs(120);

async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("hangs: {what}"))
}

fn settings(broker: &Broker, prefix: &str) -> Settings {
    let mut settings = Settings::new(Secret::new(broker.url()));
    settings.names = Names::with_prefix(prefix);
    settings
}

/// What producers, administrators and the upstream system do, with the bare library.
struct Outsider {
    channel: Channel,
    _connection: Connection,
}

impl Outsider {
    async fn new(broker: &Broker) -> Outsider {
        let properties = ConnectionProperties::default();
        let connection = Connection::connect(&broker.url(), properties).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        Outsider { channel, _connection: connection }
    }

    async fn publish(&self, names: &Names, ids: impl IntoIterator<Item = u32>) {
        for id in ids {
            let properties = BasicProperties::default()
                .with_delivery_mode(2)
                .with_message_id(id.to_string().into())
                .with_type("a.b".into());
            let exchange = names.incoming.as_str().into();
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let publish =
                self.channel.basic_publish(exchange, "a.b".into(), options, b"{}", properties);
            let confirm = publish.await.unwrap().await.unwrap();
            assert!(confirm.is_ack() && confirm.take_message().is_none());
        }
    }

    /// Messages ready in a queue; those that a consumer holds are not among them.
    async fn ready(&self, queue: &str) -> u32 {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let declare = self.channel.queue_declare(queue.into(), options, FieldTable::default());
        declare.await.unwrap().message_count()
    }

    async fn until_ready(&self, queue: &str, count: u32) {
        patiently("queue length", async {
            while self.ready(queue).await != count {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }
}

/// A running source.
struct Consuming {
    control: Control,
    acknowledger: Acknowledger,
    deliveries: mpsc::Receiver<Delivery>,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl Consuming {
    fn start(settings: Settings) -> Consuming {
        let (source, control, acknowledger) = Source::new(settings).unwrap();
        let (sink, deliveries) = mpsc::channel(16);
        let (stop, shutdown) = watch::channel(false);
        let running = tokio::spawn(source.run(sink, shutdown));
        Consuming { control, acknowledger, deliveries, stop, running }
    }

    async fn next(&mut self) -> Delivery {
        patiently("delivery", self.deliveries.recv()).await.expect("source runs")
    }

    /// Ids of so many deliveries, in their order, each acknowledged as it comes.
    async fn take_and_complete(&mut self, count: usize) -> Vec<u32> {
        let mut taken = Vec::new();
        while taken.len() < count {
            let delivery = self.next().await;
            taken.extend(
                delivery.properties.message_id.as_ref().map(|id| id.parse::<u32>().unwrap()),
            );
            self.acknowledger.complete([delivery.receipt]);
        }
        taken
    }

    async fn take(&mut self, count: usize) -> Vec<Delivery> {
        let mut taken = Vec::new();
        while taken.len() < count {
            taken.push(self.next().await);
        }
        taken
    }

    async fn until(&self, what: impl FnMut(&Status) -> bool) -> Status {
        let mut status = self.control.status();
        patiently("status", status.wait_for(what)).await.unwrap().clone()
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        drop((self.deliveries, self.acknowledger));
        patiently("stop", self.running).await.unwrap();
    }
}

fn ids(deliveries: &[Delivery]) -> BTreeSet<u32> {
    let id = |delivery: &Delivery| delivery.properties.message_id.clone().unwrap().parse().unwrap();
    deliveries.iter().map(id).collect()
}

fn answer(id: &str) -> Outgoing {
    Outgoing {
        routing_key: "inquiry.answered".to_owned(),
        message_id: id.to_owned(),
        message_type: "inquiry.answered".to_owned(),
        correlation_id: Some("c".to_owned()),
        content_type: "application/json".to_owned(),
        headers: vec![],
        body: Secret::new(b"{}".to_vec()),
    }
}

#[tokio::test]
async fn topology_is_created_once_and_found_right() {
    setup();
    let settings = settings(broker().await, "t-apply");
    let before = topology::check(&settings).await.unwrap();
    assert!(before.lines.iter().all(|line| line.finding == Finding::Missing), "{before:?}");
    assert_eq!(before.verdict().unwrap_err().code.code, "N111");

    let applied = topology::apply(&settings).await.unwrap();
    let created = applied.lines.iter().filter(|line| line.finding == Finding::Created).count();
    assert_eq!(created, 6, "{applied:?}");
    let again = topology::apply(&settings).await.unwrap();
    assert!(again.lines.iter().all(|line| line.finding == Finding::Right), "{again:?}");
    topology::check(&settings).await.unwrap().verdict().unwrap();
}

#[tokio::test]
async fn wrong_topology_is_named_and_left_alone() {
    setup();
    let broker = broker().await;
    let settings = settings(broker, "t-wrong");
    let outsider = Outsider::new(broker).await;
    let classic = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let queue = settings.names.ingest.as_str();
    let declare = outsider.channel.queue_declare(queue.into(), classic, FieldTable::default());
    declare.await.unwrap();

    let applied = topology::apply(&settings).await.unwrap();
    let error = applied.verdict().unwrap_err();
    assert_eq!(error.code.code, "N112");
    assert!(error.detail.starts_with("queue t-wrong.ingest: "), "{}", error.detail);

    let consuming = Consuming::start(settings);
    let status = consuming.until(|status| status.cause.is_some()).await;
    assert_eq!(status.cause.unwrap().0.code, "N112");
    consuming.stop().await;
}

#[tokio::test]
async fn published_means_routed_and_confirmed() {
    setup();
    let broker = broker().await;
    let mut settings = settings(broker, "t-publish");
    let queue = settings.names.answers.take().unwrap();
    topology::apply(&settings).await.unwrap();
    let (_stop, shutdown) = watch::channel(false);
    let publisher = AmqpPublisher::start(settings.clone(), shutdown).unwrap();
    let mut status = publisher.status();
    patiently("connection", status.wait_for(|status| status.connected)).await.unwrap();

    let error = publisher.publish(answer("lost")).await.unwrap_err();
    assert_eq!(error.code.code, "N122", "{}", error.detail);

    settings.names.answers = Some(queue.clone());
    topology::apply(&settings).await.unwrap();
    let numbers: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    let publishes = numbers.iter().map(|number| publisher.publish(answer(number)));
    for outcome in futures_util::future::join_all(publishes).await {
        outcome.unwrap();
    }
    let outsider = Outsider::new(broker).await;
    assert_eq!(outsider.ready(&queue).await, 50);
    let first = outsider.channel.basic_get(queue.as_str().into(), BasicGetOptions::default());
    let first = first.await.unwrap().unwrap();
    assert_eq!(*first.properties.delivery_mode(), Some(2));
    assert_eq!(first.properties.correlation_id().as_ref().unwrap().as_str(), "c");
    first.acker.ack(BasicAckOptions::default()).await.unwrap();
}

#[tokio::test]
async fn completed_deliveries_leave_the_queue_and_an_open_one_comes_back() {
    setup();
    let broker = broker().await;
    let mut settings = settings(broker, "t-ack");
    // The queue gives no more than this without acknowledgements, so all of them must arrive.
    settings.prefetch = 10;
    topology::apply(&settings).await.unwrap();
    let outsider = Outsider::new(broker).await;
    outsider.publish(&settings.names, 0..200).await;

    let mut consuming = Consuming::start(settings.clone());
    let open = consuming.next().await;
    assert_eq!(open.properties.queue, "t-ack.ingest");
    let mut seen = ids(std::slice::from_ref(&open));
    while seen.len() < 200 {
        let mut some = consuming.take(1).await;
        while let Ok(delivery) = consuming.deliveries.try_recv() {
            some.push(delivery);
        }
        seen.extend(ids(&some));
        consuming.acknowledger.complete(some.iter().rev().map(|delivery| delivery.receipt));
    }
    consuming.stop().await;
    outsider.until_ready(&settings.names.ingest, 1).await;

    let mut consuming = Consuming::start(settings.clone());
    let again = consuming.next().await;
    assert!(again.properties.redelivered);
    assert_eq!(again.properties.message_id, open.properties.message_id);
    consuming.acknowledger.complete([again.receipt]);
    consuming.stop().await;
    outsider.until_ready(&settings.names.ingest, 0).await;
}

#[tokio::test]
async fn a_broker_crash_loses_nothing_and_old_receipts_do_no_harm() {
    setup();
    let mut broker = Broker::start().await;
    // The answers' queue is declared last and stays unused: RabbitMQ 3.10.8 was seen to leave
    // the queue declared last without a leader after SIGKILL.
    let settings = settings(&broker, "t-crash");
    topology::apply(&settings).await.unwrap();
    let outsider = Outsider::new(&broker).await;
    outsider.publish(&settings.names, 0..59).await;
    // What is published here comes back as a delivery, so one queue shows both sides.
    let mut publishing = settings.clone();
    publishing.names.outgoing = settings.names.incoming.clone();
    let (_stop, shutdown) = watch::channel(false);
    let publisher = AmqpPublisher::start(publishing, shutdown).unwrap();
    let mut status = publisher.status();
    patiently("connection", status.wait_for(|status| status.connected)).await.unwrap();
    publisher.publish(answer("59")).await.unwrap();

    let mut consuming = Consuming::start(settings.clone());
    let old = consuming.take(60).await;
    consuming.acknowledger.complete(old[..20].iter().map(|delivery| delivery.receipt));
    broker.crash();
    assert!(consuming.until(|status| !status.connected).await.cause.is_some());
    patiently("loss", status.wait_for(|status| !status.connected)).await.unwrap();
    assert!(publisher.publish(answer("meanwhile")).await.is_err());

    broker.resume().await;
    consuming.until(|status| status.consuming).await;
    // Receipts of the dead channel: on the new one their tags belong to other messages.
    consuming.acknowledger.complete(old[20..].iter().map(|delivery| delivery.receipt));
    patiently("reconnection", status.wait_for(|status| status.connected)).await.unwrap();
    publisher.publish(answer("60")).await.unwrap();
    let mut missing: BTreeSet<u32> = ids(&old[20..]);
    missing.insert(60);
    while !missing.is_empty() {
        let delivery = consuming.next().await;
        let [id] = ids(std::slice::from_ref(&delivery)).into_iter().collect::<Vec<_>>()[..] else {
            panic!("one id");
        };
        assert_eq!(delivery.properties.redelivered, id != 60, "{id}");
        missing.remove(&id);
        consuming.acknowledger.complete([delivery.receipt]);
    }
    consuming.stop().await;
    Outsider::new(&broker).await.until_ready(&settings.names.ingest, 0).await;
}

#[tokio::test]
async fn a_deleted_queue_is_a_fault_and_not_created_again() {
    setup();
    let broker = broker().await;
    let settings = settings(broker, "t-delete");
    topology::apply(&settings).await.unwrap();
    let mut consuming = Consuming::start(settings.clone());
    consuming.until(|status| status.consuming).await;
    let outsider = Outsider::new(broker).await;
    let queue = settings.names.ingest.as_str();
    outsider.channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.unwrap();

    let missing = |status: &Status| {
        status.cause.as_ref().is_some_and(|(code, detail)| {
            code.code == "N111" && detail.contains("queue t-delete.ingest")
        })
    };
    consuming.until(missing).await;
    topology::apply(&settings).await.unwrap();
    consuming.until(|status| status.consuming).await;
    outsider.publish(&settings.names, [7]).await;
    let delivery = consuming.next().await;
    consuming.acknowledger.complete([delivery.receipt]);
    consuming.stop().await;
}

#[tokio::test]
async fn while_paused_the_queue_keeps_what_comes() {
    setup();
    let broker = broker().await;
    let settings = settings(broker, "t-pause");
    topology::apply(&settings).await.unwrap();
    let mut consuming = Consuming::start(settings.clone());
    consuming.until(|status| status.consuming).await;
    consuming.control.pause();
    let paused = consuming.until(|status| !status.consuming).await;
    assert!(paused.connected);
    let outsider = Outsider::new(broker).await;
    let more = u32::from(settings.prefetch) + 10;
    outsider.publish(&settings.names, 0..more).await;
    // What the prefetch allows is on its way, the rest is the queue's; nothing is handed over.
    outsider.until_ready(&settings.names.ingest, 10).await;
    assert!(consuming.deliveries.try_recv().is_err());

    consuming.control.resume();
    let deliveries = consuming.take_and_complete(more as usize).await;
    assert_eq!(deliveries, (0..more).collect::<Vec<_>>());
    consuming.stop().await;
    outsider.until_ready(&settings.names.ingest, 0).await;
}

#[tokio::test]
async fn paused_for_long_it_gives_back_everything_in_its_order_to_the_next() {
    setup();
    let broker = broker().await;
    let mut settings = settings(broker, "t-hand-over");
    settings.hand_over = Some(Duration::from_millis(300));
    topology::apply(&settings).await.unwrap();
    let mut first = Consuming::start(settings.clone());
    first.until(|status| status.consuming).await;
    let mut second = Consuming::start(settings.clone());
    second.until(|status| status.consuming).await;
    let outsider = Outsider::new(broker).await;
    outsider.publish(&settings.names, 0..40).await;
    // Five are safe, some more are in the hands of the first, the others are here or in the queue.
    let taken = first.take(12).await;
    let safe = taken.iter().take(5).map(|delivery| delivery.receipt);
    first.acknowledger.complete(safe);
    first.control.pause();
    first.until(|status| !status.consuming).await;

    // What was not acknowledged comes first, in its order; nothing newer was given before.
    let found = second.take_and_complete(35).await;
    assert_eq!(found, (5..40).collect::<Vec<_>>());
    first.control.resume();
    first.until(|status| status.consuming).await;
    second.stop().await;
    outsider.publish(&settings.names, 40..50).await;
    // What the first had handed over, but not acknowledged, may still be there: it is recognised.
    let mut found = Vec::new();
    while found.len() < 10 {
        found.extend(first.take_and_complete(1).await.into_iter().filter(|id| *id >= 40));
    }
    assert_eq!(found, (40..50).collect::<Vec<_>>());
    first.stop().await;
    outsider.until_ready(&settings.names.ingest, 0).await;
}

#[tokio::test]
async fn what_the_broker_sets_aside_arrives_with_its_reason() {
    setup();
    let broker = broker().await;
    let settings = settings(broker, "t-dead");
    topology::apply(&settings).await.unwrap();
    let outsider = Outsider::new(broker).await;
    outsider.publish(&settings.names, [5]).await;
    let queue = settings.names.ingest.as_str();
    let consume = outsider.channel.basic_consume(
        queue.into(),
        "rejecting".into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    let mut consumer = consume.await.unwrap();
    let message = patiently("message", consumer.next()).await.unwrap().unwrap();
    message.acker.reject(BasicRejectOptions { requeue: false }).await.unwrap();
    let cancel = BasicCancelOptions::default();
    outsider.channel.basic_cancel("rejecting".into(), cancel).await.unwrap();

    let mut consuming = Consuming::start(settings.clone());
    let delivery = consuming.next().await;
    assert_eq!(ids(std::slice::from_ref(&delivery)), BTreeSet::from([5]));
    let undeliverable = delivery.undeliverable.clone().unwrap();
    assert_eq!((undeliverable.reason.as_str(), undeliverable.queue.as_str()), ("rejected", queue));
    consuming.acknowledger.complete([delivery.receipt]);
    consuming.stop().await;
    outsider.until_ready(&settings.names.undeliverable, 0).await;
}

/// A port that speaks TLS and refuses clients without a certificate of `authority`.
fn with_tls(authority: &Authority, folder: &Path, port: u16) -> String {
    let own = authority.server("broker");
    fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    fs::write(folder.join("broker.pem"), &own.certificate).unwrap();
    fs::write(folder.join("broker.key"), &own.key).unwrap();
    let folder = folder.display();
    format!(
        "listeners.ssl.default = 127.0.0.1:{port}\n\
         ssl_options.cacertfile = {folder}/ca.pem\n\
         ssl_options.certfile = {folder}/broker.pem\n\
         ssl_options.keyfile = {folder}/broker.key\n\
         ssl_options.verify = verify_peer\n\
         ssl_options.fail_if_no_peer_cert = true\n"
    )
}

fn over_tls(broker: &Broker, authority: &Authority, own: Option<&Authority>) -> Settings {
    let mut settings = Settings::new(Secret::new(format!(
        "amqps://guest:guest@localhost:{}/%2f",
        broker.second_port()
    )));
    settings.names = Names::with_prefix("over-tls");
    settings.ca = Some(authority.pem().into_bytes());
    settings.identity = own.map(|issuer| {
        let client = issuer.client("watashi");
        let key_pem = Secret::new(client.key.into_bytes());
        Identity { certificate_pem: client.certificate.into_bytes(), key_pem }
    });
    settings
}

#[tokio::test]
async fn over_tls_both_sides_prove_who_they_are() {
    setup();
    let (authority, foreign) = (Authority::new("ca"), Authority::new("other"));
    let broker = Broker::start_with(|folder, port| with_tls(&authority, folder, port)).await;
    let good = over_tls(&broker, &authority, Some(&authority));
    topology::apply(&good).await.unwrap();
    let outsider = Outsider::new(&broker).await;
    outsider.publish(&good.names, 0..20).await;
    let mut consuming = Consuming::start(good.clone());
    for delivery in consuming.take(20).await {
        consuming.acknowledger.complete([delivery.receipt]);
    }
    outsider.until_ready(&good.names.ingest, 0).await;
    consuming.stop().await;
    for (what, settings) in [
        ("a broker of another authority", over_tls(&broker, &foreign, Some(&authority))),
        ("our certificate of another authority", over_tls(&broker, &authority, Some(&foreign))),
        ("no certificate of ours", over_tls(&broker, &authority, None)),
    ] {
        let refused = patiently(what, topology::check(&settings)).await.expect_err(what);
        assert!(refused.code.code.starts_with("N1"), "{what}: {refused}");
        assert!(!refused.to_string().contains("guest:guest"), "{what}: {refused}");
    }
}
