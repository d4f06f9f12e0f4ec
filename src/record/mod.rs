//! The 情報提供等記録 and everything else that must be provable: append-only, a Merkle tree.
//!
//! An entry is canonical JSON; its leaf hash is RFC 6962's SHA-256(0x00 ‖ entry). The tree over
//! all leaves has one root, which tells whether any entry was changed, left out or moved.

use jiff::Timestamp;
use std::sync::Arc;

pub mod checkpoint;
mod entry;
mod export;
pub mod index;
pub mod note;
mod row;
pub mod segment;
pub mod tree;
pub mod verifier;
#[cfg(test)]
mod verifier_tests;
mod walk;

pub use checkpoint::Checkpoint;
pub use entry::time_of;
pub use export::{Query, export, find, parse_export};
pub use row::RecordRow;
pub use tree::{Frontier, Hash, Head};
pub use walk::{Broken, Verdict, Verifier, hex, unhex, verify};

/// What an entry tells of (番号法23条 for the first group).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 求め: we ask a provider for 特定個人情報.
    Request,
    /// 提供: we provide it (副本 included).
    Provide,
    /// 取得: we received what we asked for.
    Obtain,
    /// 送付: sent to a counterpart outside the 情報提供ネットワーク (PMH, 申請管理).
    Send,
    /// 通知: a notice to a resident.
    Notify,
    /// 受領: an inbound business message was taken over.
    Receive,
    /// 操作: an operator's act.
    Operate,
    /// Life of the gateway itself: start, bundle change, purge, key change.
    System,
}

/// Where in its life the exchange was when the entry was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Durable before the first byte leaves.
    Intended,
    /// What came of it.
    Outcome,
    /// Something that has no intent of its own (an act, a purge, a refusal before sending).
    Noted,
}

/// The legal frame of a route, the same for all its messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Basis {
    /// The provision, e.g. `番号法第19条第8号`.
    pub law: String,
    /// Item of the 主務省令第2条の表, e.g. `25`.
    pub table_item: String,
    /// 事務コード / name of the administrative work.
    pub affair: String,
    /// 事務手続コード.
    pub procedure: String,
    /// 照会者.
    pub inquirer: String,
    /// 提供者.
    pub provider: String,
    /// 特定個人情報名コード.
    pub information: String,
}

/// An entry before the store gives it its sequence. No field carries personal data: the subject is
/// a keyed pseudonym, the body a salted commitment. What is the same for all messages of a route
/// is shared with it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What it tells of.
    pub kind: Kind,
    /// Intended, outcome or noted.
    pub phase: Phase,
    /// When (UTC; the canonical form adds JST).
    pub at: Timestamp,
    /// Sender of the message.
    pub source: Arc<str>,
    /// Its id.
    pub message_id: Arc<str>,
    /// Its type.
    pub message_type: Arc<str>,
    /// 団体コード.
    pub municipality: Option<Arc<str>>,
    /// Route, counterpart and operation; empty for acts that have none.
    pub route: Arc<str>,
    /// Counterpart.
    pub counterpart: Arc<str>,
    /// Operation.
    pub operation: Arc<str>,
    /// Attempt number, from 1; 0 when none.
    pub attempt: u32,
    /// The key the counterpart sees.
    pub idempotency_key: Arc<str>,
    /// Legal frame.
    pub basis: Option<Arc<Basis>>,
    /// Item codes provided or asked for.
    pub items: Arc<[String]>,
    /// 処理通番, 受付番号 or task id.
    pub reference: Option<String>,
    /// 不開示.
    pub not_disclosed: bool,
    /// `applied`, `refused`, `not-applied`, `unknown`, `not-sent`, or the act's own word.
    pub outcome: Option<String>,
    /// Registered code of a failure.
    pub code: Option<String>,
    /// Keyed pseudonym of the person, hex.
    pub subject: Option<Arc<str>>,
    /// HMAC-SHA-256(salt, body), hex; the salt rests beside the sealed body and dies with it.
    pub commitment: Option<Arc<str>>,
    /// Who did it: `watashi-operator` of the message, or the operator of an act.
    pub operator: Option<Arc<str>>,
    /// Reason given by an operator. Free text is limited and screened by the caller.
    pub reason: Option<String>,
    /// Digest of the definitions in force, hex.
    pub bundle: Arc<str>,
}
