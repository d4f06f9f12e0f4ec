//! What callers make ready before they queue a call: bodies sealed, entries in their text form. The
//! group that writes it holds up everybody.

use crate::record::{Draft, Hash, hex, tree};
use crate::store::keys::Sealed;
use crate::store::sqlite::{body_label, outgoing_label};
use crate::store::{
    Announcement, Intent, Keys, NewExchange, NewMessage, NewOutgoing, Settlement, StoreError,
};
use std::sync::Arc;

/// An entry in the form it is hashed in.
pub(super) struct Entry {
    pub text: String,
    pub leaf: Hash,
}

impl Entry {
    pub fn new(draft: &Draft) -> Entry {
        let text = draft.canonical();
        let leaf = tree::leaf(text.as_bytes());
        Entry { text, leaf }
    }

    pub fn all(drafts: &[Draft]) -> Vec<Entry> {
        drafts.iter().map(Entry::new).collect()
    }
}

/// An answer for upstream, sealed.
pub(super) struct Outgoing {
    pub message: NewOutgoing,
    pub sealed: Sealed,
}

impl Outgoing {
    pub fn new(keys: &Keys, message: &NewOutgoing) -> Result<Outgoing, StoreError> {
        let sealed = keys.seal(&outgoing_label(&message.message_id), message.body.expose())?;
        let body = crate::model::Secret::new(Vec::new());
        Ok(Outgoing { message: NewOutgoing { body, ..message.clone() }, sealed })
    }
}

/// One exchange of a message, with what upstream is told should it be dead on arrival.
pub(super) struct Arriving {
    pub exchange: NewExchange,
    pub announce: Option<Arc<Outgoing>>,
    /// The entry of its first attempt, where one comes with it.
    pub intended: Option<Entry>,
}

/// A message on its way in.
pub(super) struct Message {
    pub envelope: Arc<crate::model::Envelope>,
    pub fingerprint: [u8; 32],
    pub sealed: Sealed,
    pub commitment: Arc<str>,
    pub exchanges: Vec<Arriving>,
    pub record: Vec<Entry>,
    pub if_reused: Option<Announcement>,
    /// Seals the announcement of a reused id, should it be needed.
    pub keys: Arc<Keys>,
}

impl Message {
    /// Seals body and salt as one and completes entries that name no commitment.
    pub fn new(keys: &Arc<Keys>, message: NewMessage) -> Result<Message, StoreError> {
        let NewMessage { envelope, fingerprint, body, exchanges, mut record, if_reused } = message;
        let label = body_label(&envelope.source, &fingerprint);
        let (sealed, commitment) = keys.seal_committed(&label, body.expose())?;
        let commitment: Arc<str> = commitment.into();
        for draft in &mut record {
            draft.commitment.get_or_insert_with(|| Arc::clone(&commitment));
        }
        let arriving = |mut exchange: NewExchange| {
            let announce = exchange.announce.take();
            let announce =
                announce.map(|message| Outgoing::new(keys, &message).map(Arc::new)).transpose()?;
            let draft = exchange.first.as_mut().and_then(|first| first.record.as_mut());
            let intended = draft.map(|draft| {
                draft.commitment.get_or_insert_with(|| Arc::clone(&commitment));
                Entry::new(draft)
            });
            Ok(Arriving { exchange, announce, intended })
        };
        let exchanges = exchanges.into_iter().map(arriving).collect::<Result<_, StoreError>>()?;
        Ok(Message {
            envelope,
            fingerprint,
            sealed,
            commitment,
            exchanges,
            record: Entry::all(&record),
            if_reused,
            keys: Arc::clone(keys),
        })
    }

    /// The id under which it is kept apart when its own was used for other content.
    pub fn aside(&self) -> String {
        let fingerprint = hex(&self.fingerprint);
        format!("{}~{}", self.envelope.message_id, fingerprint.get(..12).unwrap_or(""))
    }
}

/// An attempt about to be made.
pub(super) struct Intended {
    pub intent: Intent,
    pub entry: Option<Entry>,
}

impl Intended {
    pub fn new(intent: Intent) -> Intended {
        let entry = intent.record.as_ref().map(Entry::new);
        Intended { intent, entry }
    }
}

/// One exchange's settlement.
pub(super) struct Ending {
    pub settlement: Settlement,
    pub outbox: Vec<Arc<Outgoing>>,
    pub record: Vec<Entry>,
}

impl Ending {
    pub fn new(keys: &Keys, settlement: &Settlement) -> Result<Ending, StoreError> {
        let outbox =
            settlement.outbox.iter().map(|message| Outgoing::new(keys, message).map(Arc::new));
        let record = Entry::all(&settlement.record);
        let settlement =
            Settlement { outbox: Vec::new(), record: Vec::new(), ..settlement.clone() };
        Ok(Ending { outbox: outbox.collect::<Result<_, _>>()?, record, settlement })
    }
}
