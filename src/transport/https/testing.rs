//! Certificates made on the spot and a server that misbehaves on demand, for tests only.

use super::tls::{Identity, ServerTls, server_config};
use crate::model::{Clock, Secret};
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A certificate authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Test authority");
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    pub fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> Identity {
        self.certify(&[name, "127.0.0.1"], usage, 2096)
    }

    /// A server's, for these names until that year.
    pub fn issue_for(&self, names: &[&str], until: i32) -> Identity {
        self.certify(names, ExtendedKeyUsagePurpose::ServerAuth, until)
    }

    fn certify(&self, names: &[&str], usage: ExtendedKeyUsagePurpose, until: i32) -> Identity {
        let owned: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(owned).unwrap();
        params.distinguished_name.push(DnType::CommonName, names[0]);
        params.extended_key_usages = vec![usage];
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity {
            certificate_pem: certificate.pem().into_bytes(),
            key_pem: Secret::new(key.serialize_pem().into_bytes()),
        }
    }

    /// Settings of a listener called `localhost`; clients need a certificate if `require`.
    pub fn server(&self, require: bool) -> ServerTls {
        ServerTls {
            identity: self.issue("localhost", ExtendedKeyUsagePurpose::ServerAuth),
            client_ca: require.then(|| self.pem()),
            require_client: require,
        }
    }

    pub fn client(&self) -> Identity {
        self.issue("watashi", ExtendedKeyUsagePurpose::ClientAuth)
    }
}

/// What the server does with one request.
#[derive(Clone)]
pub enum Act {
    /// Sends these bytes and closes properly.
    Say(Vec<u8>),
    /// Sends these bytes and drops the connection without a word of farewell.
    Cut(Vec<u8>),
    /// Never answers.
    Hang,
}

/// An answer with a body.
pub fn say(status: &str, headers: &str, body: &str) -> Act {
    let length = body.len();
    Act::Say(
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
            .into_bytes(),
    )
}

/// A TLS server that treats each request as a closure decides, given its text.
pub struct Server {
    pub address: SocketAddr,
    pub requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub async fn start(
        tls: &ServerTls,
        act: impl Fn(&str) -> Act + Send + Sync + 'static,
    ) -> Server {
        let acceptor = TlsAcceptor::from(Arc::new(server_config(tls).unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, act) = (Arc::clone(&requests), Arc::new(act));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, seen, act) = (acceptor.clone(), Arc::clone(&seen), Arc::clone(&act));
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let request = read(&mut stream).await;
                    seen.lock().unwrap().push(request.clone());
                    match act(&request) {
                        Act::Say(bytes) => {
                            let _ = stream.write_all(&bytes).await;
                            let _ = stream.shutdown().await;
                        }
                        Act::Cut(bytes) => {
                            let _ = stream.write_all(&bytes).await;
                            let _ = stream.flush().await;
                        }
                        Act::Hang => std::future::pending().await,
                    }
                });
            }
        });
        Server { address, requests }
    }

    /// The requests so far whose first line begins like this.
    pub fn count(&self, begin: &str) -> usize {
        self.requests.lock().unwrap().iter().filter(|text| text.starts_with(begin)).count()
    }
}

pub async fn read(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut text = String::new();
    let mut buffer = [0_u8; 4096];
    loop {
        let length =
            text.to_ascii_lowercase().split_once("content-length: ").map_or(0, |(_, rest)| {
                rest.split("\r\n").next().unwrap_or_default().parse::<usize>().unwrap()
            });
        if text.split_once("\r\n\r\n").is_some_and(|(_, body)| body.len() >= length) {
            return text;
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return text,
            Ok(count) => text.push_str(std::str::from_utf8(&buffer[..count]).unwrap()),
        }
    }
}

/// A clock that stands still.
pub struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        "2026-06-01T00:00:00Z".parse().unwrap()
    }
}
