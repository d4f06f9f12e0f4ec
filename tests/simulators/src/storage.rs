//! A small, strict S3-compatible object storage: one bucket in memory, over TLS, path-style.
//!
//! It checks Signature Version 4 to the letter, refuses what S3 refuses, and demands
//! `If-None-Match: *` of every PUT, because whoever hands files over must never replace one. Lists
//! come in pages of three. Faults are planned by the number of the request.

use crate::Trouble;
use crate::pki::{Authority, Identity};
use aws_lc_rs::{digest, hmac};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Largest object.
const LARGEST: usize = 64 << 20;
/// Names in one page of a list.
const PAGE: usize = 3;
/// How far clocks may differ, seconds.
const SKEW: i64 = 15 * 60;

/// What the storage is like.
#[derive(clap::Args)]
pub struct Options {
    /// Folder for the CA certificate (`storage-ca.pem`)
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,
    /// The bucket
    #[arg(long, default_value = "municipality")]
    bucket: String,
    /// Region that requests must be signed for
    #[arg(long, default_value = "jp-east-1")]
    region: String,
    /// Access key id
    #[arg(long, default_value = "watashi-test")]
    access_key: String,
    /// Secret access key
    #[arg(long, default_value = "not-a-secret-but-long-enough")]
    secret_key: String,
    /// Faults by number of the request: `3=cut-after,5=503`; words: 503, cut-before, cut-after, slow
    #[arg(long, default_value = "")]
    faults: String,
}

struct Storage {
    options: Options,
    objects: Mutex<BTreeMap<String, Bytes>>,
    requests: AtomicU64,
    faults: BTreeMap<u64, String>,
}

/// A request as it came.
struct Asked {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: BTreeMap<String, String>,
    body: Bytes,
}

type Answer = (u16, String);

/// Runs until the process is ended; prints its address.
pub async fn run(options: Options) -> Result<bool, Trouble> {
    let authority = Authority::new("storage")?;
    std::fs::create_dir_all(&options.folder)?;
    std::fs::write(options.folder.join("storage-ca.pem"), &authority.certificate)?;
    let acceptor = TlsAcceptor::from(Arc::new(tls(&authority.server("storage")?)?));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    announce(listener.local_addr()?);
    let faults = faults(&options.faults)?;
    let objects = Mutex::default();
    let storage = Arc::new(Storage { options, objects, requests: AtomicU64::new(0), faults });
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        tokio::spawn(serve(stream, acceptor.clone(), Arc::clone(&storage)));
    }
}

#[expect(clippy::print_stdout, reason = "whoever started it reads where it listens")]
fn announce(address: SocketAddr) {
    println!("storage https://{address}");
}

fn faults(text: &str) -> Result<BTreeMap<u64, String>, Trouble> {
    let parts = text.split(',').filter(|part| !part.is_empty());
    let one = |part: &str| {
        let (number, word) = part.split_once('=').ok_or("a fault is NUMBER=WORD")?;
        Ok((number.parse()?, word.to_owned()))
    };
    parts.map(one).collect()
}

fn tls(identity: &Identity) -> Result<rustls::ServerConfig, Trouble> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes())?];
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes())?;
    Ok(rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?)
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, storage: Arc<Storage>) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let service = service_fn(move |request| handle(Arc::clone(&storage), request));
    let _ended = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// The connection ends without an answer.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("cut on purpose")
    }
}

impl std::error::Error for Cut {}

async fn handle(
    storage: Arc<Storage>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Cut> {
    let asked = read(request).await.ok_or(Cut)?;
    let number = storage.requests.fetch_add(1, Ordering::SeqCst) + 1;
    let fault = storage.faults.get(&number).map_or("", String::as_str);
    match fault {
        "cut-before" => return Err(Cut),
        "503" => return respond(&error(503, "SlowDown"), None),
        "slow" => tokio::time::sleep(std::time::Duration::from_millis(300)).await,
        _ => {}
    }
    let (answer, content) = storage.answer(&asked);
    if fault == "cut-after" { Err(Cut) } else { respond(&answer, content) }
}

fn respond((status, body): &Answer, content: Option<Bytes>) -> Result<Response<Full<Bytes>>, Cut> {
    let (kind, body) = match content {
        Some(content) => ("application/octet-stream", content),
        None => ("application/xml", Bytes::from(body.clone())),
    };
    let response = Response::builder().status(*status).header("content-type", kind);
    response.body(Full::new(body)).map_err(|_| Cut)
}

async fn read(request: Request<Incoming>) -> Option<Asked> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, LARGEST).collect().await.ok()?.to_bytes();
    let text =
        |value: &hyper::header::HeaderValue| value.to_str().unwrap_or_default().trim().to_owned();
    let headers = head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value)));
    let query = head.uri.query().unwrap_or_default().split('&').filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (name.to_owned(), value.to_owned())
    };
    Some(Asked {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: query.map(pair).collect(),
        headers: headers.collect(),
        body,
    })
}

fn error(status: u16, code: &str) -> Answer {
    (
        status,
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code></Error>"),
    )
}

impl Storage {
    fn answer(&self, asked: &Asked) -> (Answer, Option<Bytes>) {
        if let Err(code) = self.check(asked) {
            return (error(403, code), None);
        }
        let mut parts = asked.path.splitn(3, '/');
        let (_, bucket, key) = (parts.next(), parts.next(), parts.next().unwrap_or_default());
        if bucket != Some(self.options.bucket.as_str()) {
            return (error(404, "NoSuchBucket"), None);
        }
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let ok = |status: u16| (status, String::new());
        let answer = match (asked.method.as_str(), key) {
            ("GET", "") => list(&objects, asked),
            ("GET", key) => match objects.get(key) {
                Some(content) => return (ok(200), Some(content.clone())),
                None => error(404, "NoSuchKey"),
            },
            ("PUT", "") => error(405, "MethodNotAllowed"),
            ("PUT", key) => match asked.headers.get("if-none-match").map(String::as_str) {
                Some("*") if objects.contains_key(key) => error(412, "PreconditionFailed"),
                Some("*") => {
                    objects.insert(key.to_owned(), asked.body.clone());
                    ok(200)
                }
                // S3 would take it; nobody here may replace an object.
                _ => error(400, "InvalidRequest"),
            },
            ("DELETE", key) if !key.is_empty() => {
                objects.remove(key);
                ok(204)
            }
            _ => error(405, "MethodNotAllowed"),
        };
        (answer, None)
    }

    /// Signature Version 4, as its documentation says.
    fn check(&self, asked: &Asked) -> Result<(), &'static str> {
        let header = |name: &str| asked.headers.get(name).map(String::as_str);
        let authorization = header("authorization").ok_or("AccessDenied")?;
        let fields = authorization.strip_prefix("AWS4-HMAC-SHA256 ").ok_or("InvalidArgument")?;
        let field = |name: &str| {
            let mut fields = fields.split(',').map(str::trim);
            fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
        };
        let (Some(credential), Some(names), Some(signature)) =
            (field("Credential"), field("SignedHeaders"), field("Signature"))
        else {
            return Err("AuthorizationHeaderMalformed");
        };
        let stamp = header("x-amz-date").ok_or("AccessDenied")?;
        let then =
            jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", stamp).map_err(|_| "AccessDenied")?;
        let then = then.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| "AccessDenied")?;
        if (then.timestamp().as_second() - crate::clock::now_ms() / 1_000).abs() > SKEW {
            return Err("RequestTimeTooSkewed");
        }
        let day = stamp.get(..8).unwrap_or_default();
        let scope = format!("{day}/{}/s3/aws4_request", self.options.region);
        if credential != format!("{}/{scope}", self.options.access_key) {
            return Err("InvalidAccessKeyId");
        }
        let digest = header("x-amz-content-sha256").ok_or("MissingSecurityHeader")?;
        if digest != sha256(&asked.body) {
            return Err("XAmzContentSHA256Mismatch");
        }
        let names: Vec<&str> = names.split(';').collect();
        let needed = asked.headers.keys().map(String::as_str).filter(|name| {
            *name == "host" || *name == "if-none-match" || name.starts_with("x-amz-")
        });
        if needed.into_iter().any(|name| !names.contains(&name)) || !names.is_sorted() {
            return Err("AccessDenied");
        }
        let mut headers = String::new();
        for name in &names {
            headers.push_str(&format!("{name}:{}\n", header(name).ok_or("AccessDenied")?));
        }
        let mut query: Vec<String> =
            asked.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        query.sort();
        let canonical = [
            asked.method.as_str(),
            &asked.path,
            &query.join("&"),
            &headers,
            &names.join(";"),
            digest,
        ]
        .join("\n");
        let text = ["AWS4-HMAC-SHA256", stamp, &scope, &sha256(canonical.as_bytes())].join("\n");
        let mut key = format!("AWS4{}", self.options.secret_key).into_bytes();
        for part in [day, &self.options.region, "s3", "aws4_request"] {
            key = keyed(&key, part);
        }
        if signature == hex(&keyed(&key, &text)) { Ok(()) } else { Err("SignatureDoesNotMatch") }
    }
}

fn list(objects: &BTreeMap<String, Bytes>, asked: &Asked) -> Answer {
    let query = |name: &str| {
        let found = asked.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.replace("%2F", "/"))
    };
    if query("list-type").as_deref() != Some("2") {
        return error(400, "InvalidArgument");
    }
    let prefix = query("prefix").unwrap_or_default();
    let after = query("continuation-token").unwrap_or_default();
    let here = objects.iter().filter(|(key, _)| {
        let name = key.strip_prefix(&prefix);
        key.as_str() > after.as_str() && name.is_some_and(|name| !name.contains('/'))
    });
    let mut here: Vec<(&String, &Bytes)> = here.take(PAGE + 1).collect();
    let more = here.len() > PAGE;
    here.truncate(PAGE);
    let contents = here.iter().map(|(key, content)| {
        format!("<Contents><Key>{key}</Key><Size>{}</Size></Contents>", content.len())
    });
    let contents: String = contents.collect();
    let next = here.last().filter(|_| more).map_or_else(String::new, |(key, _)| {
        format!("<NextContinuationToken>{key}</NextContinuationToken>")
    });
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    (200, format!("{head}<IsTruncated>{more}</IsTruncated>{contents}{next}</ListBucketResult>"))
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
