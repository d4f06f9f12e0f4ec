//! The upstream system at its broker.

use crate::town::until;
use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use serde_json::Value;

/// The upstream system at its broker.
pub struct Upstream {
    channel: Channel,
    _connection: Connection,
}

impl Upstream {
    /// Connects with the administrator's login.
    pub async fn new(url: &str) -> Upstream {
        let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        Upstream { channel, _connection: connection }
    }

    /// Publishes one message and waits for the confirm.
    pub async fn post(&self, message_type: &str, id: Option<&str>, media: &str, body: &[u8]) {
        let mut properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type(media.into())
            .with_type(message_type.into());
        if let Some(id) = id {
            properties = properties.with_message_id(id.into());
        }
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let publish = self.channel.basic_publish(
            "watashi.in".into(),
            message_type.into(),
            options,
            body,
            properties,
        );
        let confirm = publish.await.unwrap().await.unwrap();
        assert!(confirm.is_ack() && confirm.take_message().is_none());
    }

    /// The next message for upstream, with its type.
    pub async fn answer(&self) -> (String, Value) {
        let message = until("answer", || async {
            let options = BasicGetOptions { no_ack: true };
            self.channel.basic_get("watashi.out.health".into(), options).await.unwrap()
        })
        .await;
        let message_type = message.properties.kind().as_ref().unwrap().as_str().to_owned();
        (message_type, serde_json::from_slice(&message.data).unwrap())
    }
}
