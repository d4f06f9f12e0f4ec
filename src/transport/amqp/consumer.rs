//! Consuming: deliveries go to a bounded channel, acknowledgements come back as receipts.
//!
//! Prefetch is the only brake the broker knows, so it is set before the first subscription. A
//! receipt names the generation of the channel it belongs to; one of a channel that is gone is
//! discarded, and the redelivery is recognised by its message id.

use super::connection::{self, step};
use super::delivery::{self, Delivery};
use super::topology::{self, short};
use super::window::Window;
use super::{BrokerError, Settings, Status, failure};
use crate::model::codes::transport as codes;
use crate::telemetry::crash;
use crate::transport::{Shutdown, stopped};
use futures_util::stream::{BoxStream, SelectAll};
use futures_util::{FutureExt, StreamExt, future, stream};
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Connection, Event};
use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// How long a completed delivery may wait behind an open gap before it is acknowledged alone.
const GAP_PATIENCE: Duration = Duration::from_millis(100);

/// Deliveries handed over in one go before acknowledgements are looked at again.
const TOGETHER: usize = 32;

/// How long acknowledgements are still awaited after the word to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// Proof of one delivery, to be handed back when its message is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Receipt {
    generation: u64,
    tag: u64,
}

/// Takes receipts of messages that are safe; cheap to clone, never blocks.
#[derive(Clone, Debug)]
pub struct Acknowledger {
    completions: mpsc::UnboundedSender<Receipt>,
}

impl Acknowledger {
    /// Acknowledges these deliveries, grouped with whatever else is complete. The number of
    /// receipts under way is bounded by the prefetch.
    pub fn complete(&self, receipts: impl IntoIterator<Item = Receipt>) {
        for receipt in receipts {
            // Without a source there is no channel either, and the delivery comes back.
            let _ = self.completions.send(receipt);
        }
    }
}

/// Pauses and resumes consumption; cheap to clone.
#[derive(Clone, Debug)]
pub struct Control {
    paused: watch::Sender<bool>,
    status: watch::Receiver<Status>,
}

impl Control {
    /// Takes nothing more off the queue: beyond the prefetch, the queue keeps what comes. What was
    /// handed over is still acknowledged. Holds over reconnections until `resume`.
    ///
    /// Nothing is cancelled. A cancelled consumer keeps what it has not acknowledged, and the broker
    /// makes the next consumer active at once: that one would be given what is newer first. What is
    /// here stays here, in its order, or goes back as a whole ([`Settings::hand_over`]).
    pub fn pause(&self) {
        self.paused.send_replace(true);
    }

    /// Takes deliveries again.
    pub fn resume(&self) {
        self.paused.send_replace(false);
    }

    /// What the connection is doing.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }
}

/// The consuming side of the broker: the ingest queue and the undeliverable one.
#[derive(Debug)]
pub struct Source {
    settings: Settings,
    paused: watch::Receiver<bool>,
    completions: mpsc::UnboundedReceiver<Receipt>,
    status: watch::Sender<Status>,
    generation: u64,
}

/// Why a session ended without an error.
enum End {
    Stopped,
    /// Paused for long: everything went back, so that another instance may take it.
    GivenBack,
}

impl Source {
    /// Prepares a source; nothing is connected before `run`.
    ///
    /// # Errors
    /// Settings that can never work.
    pub fn new(settings: Settings) -> Result<(Source, Control, Acknowledger), BrokerError> {
        settings.check()?;
        let (paused, pausing) = watch::channel(false);
        let (status, statuses) = watch::channel(Status::default());
        let (sender, completions) = mpsc::unbounded_channel();
        let source = Source { settings, paused: pausing, completions, status, generation: 0 };
        let control = Control { paused, status: statuses };
        Ok((source, control, Acknowledger { completions: sender }))
    }

    /// Consumes until told to stop, over any number of connections. On the word to stop the
    /// subscriptions are cancelled, `sink` is dropped, and acknowledgements of what was handed
    /// over are awaited for a bounded time; what was not handed over comes back later.
    pub async fn run(mut self, sink: mpsc::Sender<Delivery>, mut shutdown: Shutdown) {
        let mut sink = Some(sink);
        let mut pauses = connection::pauses();
        loop {
            let was_connected = match self.session(&mut sink, &mut shutdown).await {
                Ok(End::Stopped) => break,
                // Connected again at once, and without a subscription while paused.
                Ok(End::GivenBack) => continue,
                Err(error) => {
                    tracing::warn!(code = error.code.code, detail = error.detail, "broker lost");
                    self.status.send_replace(Status {
                        cause: Some((error.code, error.detail)),
                        ..Status::default()
                    })
                }
            };
            if was_connected.connected {
                pauses = connection::pauses();
            }
            let pause = pauses.next().unwrap_or_default();
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stopped(&mut shutdown) => break,
            }
        }
        self.status.send_replace(Status::default());
    }

    /// One connection, from opening to its end.
    async fn session(
        &mut self,
        sink: &mut Option<mpsc::Sender<Delivery>>,
        shutdown: &mut Shutdown,
    ) -> Result<End, BrokerError> {
        let (link, channel) = tokio::select! {
            opened = open(&self.settings) => opened?,
            () = stopped(shutdown) => return Ok(End::Stopped),
        };
        self.generation += 1;
        let mut session = Session {
            channel,
            names: vec![
                (self.settings.names.ingest.clone(), false),
                (self.settings.names.undeliverable.clone(), true),
            ],
            generation: self.generation,
            window: Window::default(),
            deliveries: SelectAll::new(),
            subscribed: HashSet::new(),
            pending: None,
            owed: 0,
            rests_since: None,
        };
        let mut events = connection::events(&link);
        let ended = self.converse(&mut session, sink, shutdown, &mut events).await;
        match ended {
            Ok(End::Stopped) => {
                *sink = None;
                self.drain(&mut session).await;
                connection::close(&link).await;
            }
            // The broker gives back what is not acknowledged, in its order, before it makes the
            // next consumer active.
            Ok(End::GivenBack) => connection::close(&link).await,
            // Dropping the connection closes it; waiting for it would only delay the next one.
            Err(_) => drop(link),
        }
        ended
    }

    async fn converse(
        &mut self,
        session: &mut Session,
        sink: &mut Option<mpsc::Sender<Delivery>>,
        shutdown: &mut Shutdown,
        events: &mut BoxStream<'static, Event>,
    ) -> Result<End, BrokerError> {
        let Some(sink) = sink.as_ref() else { return Ok(End::Stopped) };
        self.follow_pause(session).await?;
        loop {
            let rested = session.rested_at(self.settings.hand_over);
            tokio::select! {
                biased;
                () = stopped(shutdown) => return Ok(End::Stopped),
                receipt = self.completions.recv() => {
                    // Without acknowledgers nothing can become safe any more.
                    let Some(receipt) = receipt else { return Ok(End::Stopped) };
                    session.note(receipt);
                    while let Ok(receipt) = self.completions.try_recv() {
                        session.note(receipt);
                    }
                    session.acknowledge().await?;
                }
                changed = self.paused.changed() => {
                    if changed.is_err() { return Ok(End::Stopped) }
                    self.follow_pause(session).await?;
                }
                event = events.next() => lost(event)?,
                () = tokio::time::sleep_until(rested.unwrap_or_else(Instant::now)),
                    if rested.is_some() => return Ok(End::GivenBack),
                permit = sink.reserve(), if session.may_take() && session.pending.is_some() => {
                    let Ok(permit) = permit else { return Ok(End::Stopped) };
                    if let Some(delivery) = session.pending.take() {
                        session.owed += 1;
                        permit.send(delivery);
                    }
                }
                item = session.deliveries.next(),
                    if session.may_take()
                        && session.pending.is_none()
                        && !session.deliveries.is_empty() =>
                {
                    if let Some(item) = item { session.take(item)? }
                    session.hand_over(sink)?;
                }
                () = tokio::time::sleep(GAP_PATIENCE), if session.window.is_waiting() => {
                    session.acknowledge().await?;
                }
            }
        }
    }

    /// Takes deliveries or does not, as `Control` asks for.
    async fn follow_pause(&mut self, session: &mut Session) -> Result<(), BrokerError> {
        let paused = *self.paused.borrow_and_update();
        session.rests_since = paused.then(|| session.rests_since.unwrap_or_else(Instant::now));
        if !paused && session.subscribed.is_empty() {
            session.subscribe().await?;
        }
        self.status.send_replace(Status { connected: true, consuming: !paused, cause: None });
        Ok(())
    }

    /// After the word to stop: no more deliveries, but the commits under way still count. Nothing is
    /// cancelled: the broker would make the next consumer active at once, ahead of what is not yet
    /// acknowledged here. Closing gives that back first, in its order.
    async fn drain(&mut self, session: &mut Session) {
        session.pending = None;
        let deadline = Instant::now() + DRAIN;
        while session.owed > 0 {
            let next = tokio::time::timeout_at(deadline, self.completions.recv()).await;
            let Ok(Some(receipt)) = next else { break };
            session.note(receipt);
        }
        // Twice: the second round takes the stragglers behind a gap that will not close.
        for _ in 0..2 {
            let _ = session.acknowledge().await;
        }
    }
}

/// Connection, topology, channel and prefetch, in this order.
async fn open(settings: &Settings) -> Result<(Connection, Channel), BrokerError> {
    let link = connection::open(settings, "consume").await?;
    topology::audit(&link, &settings.names).await?.verdict()?;
    let channel = step("open channel", link.create_channel()).await?;
    step("qos", channel.basic_qos(settings.prefetch, BasicQosOptions::default())).await?;
    Ok((link, channel))
}

/// Whether news of the connection mean that it is lost.
fn lost(event: Option<Event>) -> Result<(), BrokerError> {
    match event {
        Some(Event::Error(error)) => Err(failure::of("connection", &error)),
        None => Err(BrokerError::new(&codes::BROKER_UNREACHABLE, "connection ended")),
        Some(_) => Ok(()),
    }
}

/// What a subscription yields; its end is an item of its own, because it must not pass unnoticed.
enum Item {
    Delivery(Box<lapin::Result<lapin::message::Delivery>>),
    Ended,
}

/// One channel and everything that belongs to it alone.
struct Session {
    channel: Channel,
    /// Queues, and whether they hold what the broker set aside.
    names: Vec<(String, bool)>,
    generation: u64,
    window: Window,
    deliveries: SelectAll<BoxStream<'static, Incoming>>,
    /// Consumer tags that may not end by themselves.
    subscribed: HashSet<ShortString>,
    /// Taken from the broker, not yet from us.
    pending: Option<Delivery>,
    /// Handed over and not yet completed.
    owed: usize,
    /// Since when nothing is taken, while paused.
    rests_since: Option<Instant>,
}

struct Incoming {
    consumer: ShortString,
    queue: String,
    undeliverable: bool,
    item: Item,
}

impl Session {
    async fn subscribe(&mut self) -> Result<(), BrokerError> {
        for (queue, undeliverable) in self.names.clone() {
            let consume = self.channel.basic_consume(
                short(&queue),
                ShortString::default(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            );
            let consumer = step("consume", consume).await?;
            let tag = consumer.tag();
            self.subscribed.insert(tag.clone());
            let items = consumer
                .map(|item| Item::Delivery(Box::new(item)))
                .chain(stream::once(future::ready(Item::Ended)));
            let items = items.map(move |item| Incoming {
                consumer: tag.clone(),
                queue: queue.clone(),
                undeliverable,
                item,
            });
            self.deliveries.push(items.boxed());
        }
        Ok(())
    }

    /// Whether deliveries are taken: not while paused.
    fn may_take(&self) -> bool {
        self.rests_since.is_none()
    }

    /// When it will have been paused with a subscription for so long; never without a limit.
    fn rested_at(&self, limit: Option<Duration>) -> Option<Instant> {
        let subscribed = !self.subscribed.is_empty();
        Some(self.rests_since? + limit.filter(|_| subscribed)?)
    }

    fn take(&mut self, incoming: Incoming) -> Result<(), BrokerError> {
        match incoming.item {
            Item::Delivery(item) => {
                let raw = item.map_err(|error| failure::of("consume", &error))?;
                let receipt = Receipt { generation: self.generation, tag: raw.delivery_tag };
                self.pending =
                    Some(delivery::read(raw, incoming.queue, incoming.undeliverable, receipt));
                Ok(())
            }
            Item::Ended if self.subscribed.contains(&incoming.consumer) => {
                Err(BrokerError::new(&codes::CONSUMER_ENDED, incoming.queue))
            }
            Item::Ended => Ok(()),
        }
    }

    /// Hands over what was taken and what the broker sent along with it, as far as there is room.
    fn hand_over(&mut self, sink: &mpsc::Sender<Delivery>) -> Result<(), BrokerError> {
        for _ in 0..TOGETHER {
            let Some(delivery) = self.pending.take() else { return Ok(()) };
            match sink.try_send(delivery) {
                Ok(()) => self.owed += 1,
                // Without room it waits for some; without a receiver that will end the session.
                Err(TrySendError::Full(delivery) | TrySendError::Closed(delivery)) => {
                    self.pending = Some(delivery);
                    return Ok(());
                }
            }
            // Nothing there is no loss: it is asked for again before anything waits for it.
            if let Some(Some(item)) = self.deliveries.next().now_or_never() {
                self.take(item)?;
            }
        }
        Ok(())
    }

    fn note(&mut self, receipt: Receipt) {
        if receipt.generation == self.generation {
            self.window.complete(receipt.tag);
            self.owed = self.owed.saturating_sub(1);
        }
    }

    async fn acknowledge(&mut self) -> Result<(), BrokerError> {
        for ack in self.window.take() {
            let options = BasicAckOptions { multiple: ack.multiple };
            let mut sending = pin!(self.channel.basic_ack(ack.tag, options));
            step("acknowledge", &mut sending).await?;
            crash::reach("ack:after");
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A receipt out of thin air, for tests of this module and its neighbours.
    pub fn receipt(generation: u64, tag: u64) -> Receipt {
        Receipt { generation, tag }
    }

    #[test]
    fn pausing_is_remembered_before_anything_is_connected() {
        let settings = Settings::new(crate::model::Secret::new("amqp://127.0.0.1:1".to_owned()));
        let (source, control, acknowledger) = Source::new(settings).unwrap();
        control.pause();
        assert!(*source.paused.borrow());
        control.resume();
        assert!(!*source.paused.borrow());
        assert_eq!(*control.status().borrow(), Status::default());
        drop(source);
        acknowledger.complete([receipt(1, 1)]);
    }
}
