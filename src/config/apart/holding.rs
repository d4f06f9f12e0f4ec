//! What a municipality must have for itself, and when two of them have the same.

use crate::model::Code;
use crate::model::codes::config as codes;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;

/// One thing of one configuration.
#[derive(Debug)]
pub(super) struct Holding {
    /// What is compared.
    pub what: What,
    /// How messages name it; never what it holds.
    pub shown: String,
    /// Where it stands in the configuration.
    pub span: Range<usize>,
}

/// A fingerprint of a secret; never shown.
pub(super) type Digest = [u8; 32];

/// What is compared.
#[derive(Debug)]
pub(super) enum What {
    /// A 団体コード.
    Municipality(String),
    /// The name of a gateway or of a log.
    Name(String),
    /// A database at a server.
    Database(String),
    /// What a secret holds.
    Secret(Digest),
    /// A virtual host at a broker.
    VirtualHost(String),
    /// A user, role, client id or access key, and where it logs in.
    Login(String),
    /// An address that is listened at.
    Listener(SocketAddr),
    /// A folder of this machine.
    Folder(PathBuf),
    /// A folder elsewhere: which storage or server, and the path there.
    Remote(String, PathBuf),
    /// A certificate of an authority that signs those of senders.
    Clients(Digest),
}

impl What {
    /// Only what is in one group can meet.
    pub fn group(&self) -> String {
        match self {
            What::Municipality(code) => format!("municipality {code}"),
            What::Name(name) => format!("name {name}"),
            What::Database(database) => format!("database {database}"),
            What::Secret(digest) => format!("secret {}", crate::record::hex(digest)),
            What::VirtualHost(host) => format!("virtual host {host}"),
            What::Login(login) => format!("login {login}"),
            What::Listener(address) => format!("port {}", address.port()),
            What::Folder(_) => "folder".to_owned(),
            What::Remote(at, _) => format!("remote {at}"),
            What::Clients(digest) => format!("clients {}", crate::record::hex(digest)),
        }
    }

    /// The code of what is wrong when two municipalities have these; `None` when nothing is. Both are
    /// of one group.
    pub fn meets(&self, other: &What) -> Option<&'static Code> {
        let within =
            |one: &PathBuf, other: &PathBuf| one.starts_with(other) || other.starts_with(one);
        match (self, other) {
            (What::Listener(one), What::Listener(other)) => {
                let (one, other) = (one.ip(), other.ip());
                (one == other || one.is_unspecified() || other.is_unspecified())
                    .then_some(&codes::LISTENER_SHARED)
            }
            (What::Folder(one), What::Folder(other))
            | (What::Remote(_, one), What::Remote(_, other)) => {
                within(one, other).then_some(&codes::FOLDER_SHARED)
            }
            (What::Municipality(_), _) => Some(&codes::MUNICIPALITY_SHARED),
            (What::Name(_), _) => Some(&codes::NAME_SHARED),
            (What::Database(_), _) => Some(&codes::STORE_SHARED),
            (What::Secret(_), _) => Some(&codes::SECRET_SHARED),
            (What::VirtualHost(_), _) => Some(&codes::BROKER_SHARED),
            (What::Login(_), _) => Some(&codes::LOGIN_SHARED),
            (What::Clients(_), _) => Some(&codes::CLIENTS_SHARED),
            // Another kind is in another group.
            (What::Listener(_) | What::Folder(_) | What::Remote(..), _) => None,
        }
    }
}
