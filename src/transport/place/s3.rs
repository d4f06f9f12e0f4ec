//! S3-compatible object storage: four requests, signed, over our own TLS and address rules.
//!
//! An object appears by one PUT with `If-None-Match: *`, which the storage refuses where the name
//! is taken; so nothing is half there and nothing replaced. Addresses are path-style.

use super::sign::{self, Key, Signed};
use super::{Entry, LIST_LIMIT, Later, Place, PlaceError, Written, checked};
use crate::model::codes::transport as codes;
use crate::model::{Clock, Method, Secret};
use crate::transport::{Request, Response, SendError, Target};
use bytes::Bytes;
use quick_xml::Reader;
use quick_xml::events::Event;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Deadline of one request; a file of 64 MiB fits at 1 MiB/s.
const TIMEOUT: Duration = Duration::from_secs(90);
/// Largest answer to a list.
const LARGEST_LIST: usize = 8 << 20;
/// Largest answer that tells of an error, or of nothing.
const LARGEST_ERROR: usize = 64 << 10;
/// Pages of a list; each has up to 1000 names.
const PAGES: usize = 64;

/// Where objects are and who we are there.
pub struct Settings {
    /// `host` or `host:port`, as it stands in the base URL.
    pub host: String,
    /// Bucket.
    pub bucket: String,
    /// What stands before every name, without `/` at its ends; may be empty.
    pub prefix: String,
    /// Region; `us-east-1` where the storage knows none.
    pub region: String,
    /// Access key id.
    pub access_key: String,
    /// Secret access key.
    pub secret_key: Secret<Vec<u8>>,
}

/// A bucket, or a part of one.
pub struct ObjectStorage {
    target: Arc<dyn Target>,
    settings: Settings,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for ObjectStorage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { host, bucket, prefix, .. } = &self.settings;
        write!(formatter, "ObjectStorage({host}/{bucket}/{prefix})")
    }
}

/// What a PUT asks beside its content.
enum Put {
    /// Only where nothing has the name.
    New(Bytes),
}

impl ObjectStorage {
    /// The bucket behind this target, whose base URL has no path.
    pub fn new(
        target: Arc<dyn Target>,
        settings: Settings,
        clock: Arc<dyn Clock>,
    ) -> ObjectStorage {
        ObjectStorage { target, settings, clock }
    }

    /// The key of a path, as it stands in the bucket.
    fn key(&self, path: &str) -> String {
        match self.settings.prefix.as_str() {
            "" => path.to_owned(),
            prefix => format!("{prefix}/{path}"),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        query: &str,
        put: Option<Put>,
        most: usize,
    ) -> Result<Response, PlaceError> {
        let (body, condition) = match put {
            Some(Put::New(content)) => (content, true),
            None => (Bytes::new(), false),
        };
        let (digest, stamp) = (sign::sha256(&body), sign::stamp(self.clock.now()));
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut signed = vec![own("host", &self.settings.host)];
        if condition {
            signed.push(own("if-none-match", "*"));
        }
        signed.push(own("x-amz-content-sha256", &digest));
        signed.push(own("x-amz-date", &stamp));
        let path = format!("/{}{path}", self.settings.bucket);
        let key = Key {
            id: &self.settings.access_key,
            secret: self.settings.secret_key.expose(),
            region: &self.settings.region,
        };
        let request =
            Signed { method: word(method), path: &path, query, headers: &signed, digest: &digest };
        let authorization = sign::authorization(&key, &request, &stamp);
        // The client sets `host` by itself, out of the same base URL.
        let mut headers: Vec<_> = signed.into_iter().filter(|(name, _)| name != "host").collect();
        headers.push(own("authorization", &authorization));
        let path = if query.is_empty() { path } else { format!("{path}?{query}") };
        let token = None;
        let (timeout, max_response) = (TIMEOUT, most);
        let request = Request { method, path, headers, body, token, timeout, max_response };
        self.target.send(request).await.map_err(|error| lost(&error))
    }

    async fn list_all(&self, folder: &str) -> Result<Vec<Entry>, PlaceError> {
        let prefix =
            if folder.is_empty() { String::new() } else { format!("{}/", checked(folder)?) };
        let prefix = match self.settings.prefix.as_str() {
            "" => prefix,
            own => format!("{own}/{prefix}"),
        };
        let (mut found, mut token) = (Vec::new(), None::<String>);
        for _ in 0..PAGES {
            let from =
                token.as_deref().map(|token| format!("continuation-token={}&", encode(token)));
            let query = format!(
                "{}delimiter=%2F&list-type=2&prefix={}",
                from.unwrap_or_default(),
                encode(&prefix)
            );
            let response = self.send(Method::Get, "/", &query, None, LARGEST_LIST).await?;
            if response.status != 200 {
                return Err(refused(&response, folder));
            }
            let page = Page::read(&response.body)?;
            let entries = page.entries.into_iter().filter_map(|(key, size)| {
                let name = key.strip_prefix(&prefix)?.to_owned();
                let shown = !name.is_empty() && !name.starts_with('.') && !name.contains('/');
                shown.then_some(Entry { name, size })
            });
            found.extend(entries);
            if found.len() > LIST_LIMIT {
                break;
            }
            match page.next {
                Some(next) => token = Some(next),
                None => {
                    found.sort();
                    return Ok(found);
                }
            }
        }
        Err(PlaceError::new(&codes::TOO_MANY_FILES, folder))
    }

    async fn read_one(&self, path: &str, most: usize) -> Result<Option<Bytes>, PlaceError> {
        let key = format!("/{}", self.key(checked(path)?));
        // Room for an error, too: a small file's limit must not hide that there is none.
        let room = most.saturating_add(1).max(LARGEST_ERROR);
        let response = match self.send(Method::Get, &key, "", None, room).await {
            Err(error) if error.code == &codes::ANSWER_TOO_LARGE => {
                let detail = format!("{path}: more than {most} bytes");
                return Err(PlaceError::new(&codes::FILE_TOO_LARGE, detail));
            }
            other => other?,
        };
        match response.status {
            200 if response.body.len() > most => {
                let detail = format!("{path}: more than {most} bytes");
                Err(PlaceError::new(&codes::FILE_TOO_LARGE, detail))
            }
            200 => Ok(Some(response.body)),
            404 if is_missing_key(&response.body) => Ok(None),
            _ => Err(refused(&response, path)),
        }
    }

    async fn write_one(&self, path: &str, content: Bytes) -> Result<Written, PlaceError> {
        let key = format!("/{}", self.key(checked(path)?));
        let response =
            self.send(Method::Put, &key, "", Some(Put::New(content)), LARGEST_ERROR).await?;
        match response.status {
            200 | 201 => Ok(Written::New),
            412 => Ok(Written::Exists),
            // Another PUT of the same name is under way: looked at again.
            409 => Err(PlaceError::new(&codes::PLACE_UNREACHABLE, format!("{path}: conflict"))),
            _ => Err(refused(&response, path)),
        }
    }

    async fn remove_one(&self, path: &str) -> Result<(), PlaceError> {
        let key = format!("/{}", self.key(checked(path)?));
        let response = self.send(Method::Delete, &key, "", None, LARGEST_ERROR).await?;
        match response.status {
            200 | 204 => Ok(()),
            404 if is_missing_key(&response.body) => Ok(()),
            _ => Err(refused(&response, path)),
        }
    }

    /// Objects cannot be moved: written under the new name, then removed under the old one.
    async fn rename_one(&self, from: &str, to: &str) -> Result<(), PlaceError> {
        let refuse = |path: &str, why: &str| {
            PlaceError::new(&codes::PLACE_REFUSED, format!("{path}: {why}"))
        };
        let Some(content) = self.read_one(from, usize::MAX - 1).await? else {
            return match self.read_one(to, usize::MAX - 1).await? {
                Some(_) => Ok(()),
                None => Err(refuse(from, "not there")),
            };
        };
        if self.write_one(to, content.clone()).await? == Written::Exists
            && self.read_one(to, content.len()).await? != Some(content)
        {
            return Err(refuse(to, "another file is there"));
        }
        self.remove_one(from).await
    }
}

impl Place for ObjectStorage {
    fn list<'a>(&'a self, folder: &'a str) -> Later<'a, Vec<Entry>> {
        Box::pin(self.list_all(folder))
    }

    fn read<'a>(&'a self, path: &'a str, most: usize) -> Later<'a, Option<Bytes>> {
        Box::pin(self.read_one(path, most))
    }

    fn write<'a>(&'a self, path: &'a str, content: Bytes) -> Later<'a, Written> {
        Box::pin(self.write_one(path, content))
    }

    fn rename<'a>(&'a self, from: &'a str, to: &'a str) -> Later<'a, ()> {
        Box::pin(self.rename_one(from, to))
    }

    fn remove<'a>(&'a self, path: &'a str) -> Later<'a, ()> {
        Box::pin(self.remove_one(path))
    }
}

/// One page of a list.
#[derive(Debug, Default)]
struct Page {
    entries: Vec<(String, u64)>,
    next: Option<String>,
}

impl Page {
    /// Reads `ListBucketResult`: keys, sizes and where it goes on. Anything that is not well formed,
    /// or has a document type, is refused.
    fn read(bytes: &[u8]) -> Result<Page, PlaceError> {
        let odd = || PlaceError::new(&codes::PLACE_UNREADABLE, "the list is no ListBucketResult");
        let mut reader = Reader::from_str(std::str::from_utf8(bytes).map_err(|_| odd())?);
        let (mut page, mut path, mut text) = (Page::default(), Vec::<String>::new(), String::new());
        let (mut key, mut size) = (None, None);
        loop {
            match reader.read_event().map_err(|_| odd())? {
                Event::DocType(_) => return Err(odd()),
                Event::Start(start) => {
                    path.push(start.local_name().as_ref().to_owned());
                    text.clear();
                }
                Event::Text(part) => text.push_str(&part),
                Event::GeneralRef(reference) => {
                    text.push(match &*reference {
                        "amp" => '&',
                        "lt" => '<',
                        "gt" => '>',
                        "quot" => '"',
                        "apos" => '\'',
                        _ => reference.resolve_char_ref().ok().flatten().ok_or_else(odd)?,
                    });
                }
                Event::End(_) => {
                    let names: Vec<&str> = path.iter().map(String::as_str).collect();
                    match names.as_slice() {
                        ["ListBucketResult", "Contents", "Key"] => {
                            key = Some(std::mem::take(&mut text))
                        }
                        ["ListBucketResult", "Contents", "Size"] => {
                            size = Some(text.trim().parse::<u64>().map_err(|_| odd())?);
                        }
                        ["ListBucketResult", "Contents"] => {
                            page.entries
                                .push((key.take().ok_or_else(odd)?, size.take().ok_or_else(odd)?));
                        }
                        ["ListBucketResult", "NextContinuationToken"] => {
                            page.next = Some(std::mem::take(&mut text));
                        }
                        _ => {}
                    }
                    let is_root = names == ["ListBucketResult"];
                    path.pop();
                    if path.is_empty() {
                        return if is_root { Ok(page) } else { Err(odd()) };
                    }
                }
                Event::Eof => return Err(odd()),
                _ => {}
            }
        }
    }
}

/// Whether a 404 speaks of the object, not of the bucket or of a path on another server.
fn is_missing_key(body: &[u8]) -> bool {
    error_code(body).as_deref() == Some("NoSuchKey")
}

/// The storage's own error code, where the answer has one of a plain form.
fn error_code(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body.get(..body.len().min(4_096))?).ok()?;
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let plain = code.len() <= 64 && code.chars().all(|c| c.is_ascii_alphanumeric());
    plain.then(|| code.to_owned())
}

fn refused(response: &Response, what: &str) -> PlaceError {
    let code = match response.status {
        400..=404 => &codes::PLACE_REFUSED,
        _ => &codes::PLACE_UNREACHABLE,
    };
    let own = error_code(&response.body).unwrap_or_default();
    PlaceError::new(code, format!("{what}: status {} {own}", response.status).trim_end().to_owned())
}

fn lost(error: &SendError) -> PlaceError {
    if error.code == &codes::ANSWER_TOO_LARGE {
        return PlaceError::new(error.code, error.detail.clone());
    }
    let timed_out = [&codes::ANSWER_TIMEOUT, &codes::CONNECT_TIMEOUT].contains(&error.code);
    let code = if timed_out { &codes::PLACE_TIMEOUT } else { &codes::PLACE_UNREACHABLE };
    PlaceError::new(code, format!("{} {}", error.code, error.detail))
}

fn word(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
    }
}

/// Percent-encoding as signatures want it: all but the unreserved.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
