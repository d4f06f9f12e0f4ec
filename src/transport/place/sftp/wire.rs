//! The SFTP protocol, version 3, as far as files need it.
//! Source: draft-ietf-secsh-filexfer-02, and OpenSSH's PROTOCOL for `fsync@openssh.com`.

use crate::model::codes::transport as codes;
use crate::transport::place::{Entry, PlaceError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, ChildStdout};

const INIT: u8 = 1;
const VERSION: u8 = 2;
const OPEN: u8 = 3;
const CLOSE: u8 = 4;
const READ: u8 = 5;
const WRITE: u8 = 6;
const LSTAT: u8 = 7;
const OPENDIR: u8 = 11;
const READDIR: u8 = 12;
const REMOVE: u8 = 13;
const MKDIR: u8 = 14;
const RENAME: u8 = 18;
const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const DATA: u8 = 103;
const NAME: u8 = 104;
const ATTRS: u8 = 105;
const EXTENDED: u8 = 200;

const OK: u32 = 0;
const EOF: u32 = 1;
const NO_SUCH_FILE: u32 = 2;
const PERMISSION_DENIED: u32 = 3;

const FOR_READING: u32 = 0x01;
/// Write, create, truncate.
const FOR_WRITING: u32 = 0x02 | 0x08 | 0x10;
const FSYNC: &str = "fsync@openssh.com";

/// Bytes of one read or write, which every server takes.
const BLOCK: usize = 32 * 1024;
/// Writes under way at once.
const WINDOW: usize = 16;
/// Longest packet of a server.
const LONGEST: u32 = 1 << 20;

/// What a server says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is done.
    Ok,
    /// It is not; the number says why.
    Other(u32),
}

/// One connection.
pub struct Wire {
    stdin: ChildStdin,
    stdout: ChildStdout,
    last: u32,
    syncs: bool,
}

/// One answer: its type and what follows the number of the request.
struct Answer {
    kind: u8,
    rest: Vec<u8>,
}

impl Wire {
    /// Begins: both sides tell their version.
    pub async fn begin(stdin: ChildStdin, stdout: ChildStdout) -> Result<Wire, PlaceError> {
        let mut wire = Wire { stdin, stdout, last: 0, syncs: false };
        wire.put(INIT, &3_u32.to_be_bytes()).await?;
        let (kind, payload) = wire.packet().await?;
        let mut fields = Fields(&payload);
        if kind != VERSION || fields.number().unwrap_or(0) < 3 {
            return Err(odd("another protocol than SFTP 3"));
        }
        while let (Some(name), Some(_)) = (fields.text(), fields.text()) {
            wire.syncs |= name == FSYNC.as_bytes();
        }
        Ok(wire)
    }

    async fn put(&mut self, kind: u8, payload: &[u8]) -> Result<(), PlaceError> {
        let length = u32::try_from(payload.len() + 1).map_err(|_| odd("a packet too long"))?;
        let mut packet = Vec::with_capacity(payload.len() + 5);
        packet.extend(length.to_be_bytes());
        packet.push(kind);
        packet.extend(payload);
        self.stdin.write_all(&packet).await.map_err(|_| lost())?;
        self.stdin.flush().await.map_err(|_| lost())
    }

    async fn packet(&mut self) -> Result<(u8, Vec<u8>), PlaceError> {
        let length = self.stdout.read_u32().await.map_err(|_| lost())?;
        if length == 0 || length > LONGEST {
            return Err(odd("a packet of a length that is not allowed"));
        }
        let kind = self.stdout.read_u8().await.map_err(|_| lost())?;
        let mut payload = vec![0; length as usize - 1];
        self.stdout.read_exact(&mut payload).await.map_err(|_| lost())?;
        Ok((kind, payload))
    }

    async fn ask(&mut self, kind: u8, payload: &[u8]) -> Result<u32, PlaceError> {
        self.last = self.last.wrapping_add(1);
        let mut whole = Vec::with_capacity(payload.len() + 4);
        whole.extend(self.last.to_be_bytes());
        whole.extend(payload);
        self.put(kind, &whole).await?;
        Ok(self.last)
    }

    async fn answer(&mut self, to: u32) -> Result<Answer, PlaceError> {
        let (kind, payload) = self.packet().await?;
        let (number, rest) =
            payload.split_first_chunk::<4>().ok_or_else(|| odd("a short answer"))?;
        if u32::from_be_bytes(*number) != to {
            return Err(odd("an answer to another request"));
        }
        Ok(Answer { kind, rest: rest.to_vec() })
    }

    async fn call(&mut self, kind: u8, payload: &[u8]) -> Result<Answer, PlaceError> {
        let number = self.ask(kind, payload).await?;
        self.answer(number).await
    }

    /// A request that is answered by a status alone.
    async fn order(&mut self, kind: u8, payload: &[u8]) -> Result<Status, PlaceError> {
        self.call(kind, payload).await?.status()
    }

    /// A handle, or why there is none.
    async fn open(&mut self, kind: u8, payload: &[u8]) -> Result<Result<Vec<u8>, u32>, PlaceError> {
        let answer = self.call(kind, payload).await?;
        if answer.kind == HANDLE {
            let handle = Fields(&answer.rest).text().map(<[u8]>::to_vec);
            return handle.map(Ok).ok_or_else(|| odd("a handle that is none"));
        }
        match answer.status()? {
            Status::Other(number) => Ok(Err(number)),
            Status::Ok => Err(odd("no handle")),
        }
    }

    async fn close(&mut self, handle: &[u8]) -> Result<(), PlaceError> {
        done(self.order(CLOSE, &text(handle)).await?, "close")
    }

    /// Whether something has this name.
    pub async fn is_there(&mut self, path: &str) -> Result<bool, PlaceError> {
        let answer = self.call(LSTAT, &text(path.as_bytes())).await?;
        if answer.kind == ATTRS {
            return Ok(true);
        }
        match answer.status()? {
            Status::Other(NO_SUCH_FILE) => Ok(false),
            status => done(status, "stat").map(|()| true),
        }
    }

    /// Makes a folder, where it is missing; what is above it must be there.
    pub async fn make_folder(&mut self, path: &str) -> Result<(), PlaceError> {
        if self.is_there(path).await? {
            return Ok(());
        }
        let status = self.order(MKDIR, &[text(path.as_bytes()), vec![0; 4]].concat()).await?;
        // Somebody else may have made it in between.
        if status == Status::Ok || self.is_there(path).await? {
            Ok(())
        } else {
            done(status, "mkdir")
        }
    }

    /// The regular files of a folder; `None` when it is not there.
    pub async fn list(
        &mut self,
        path: &str,
        most: usize,
    ) -> Result<Option<Vec<Entry>>, PlaceError> {
        let handle = match self.open(OPENDIR, &text(path.as_bytes())).await? {
            Ok(handle) => handle,
            Err(NO_SUCH_FILE) => return Ok(None),
            Err(number) => return Err(denied("open a folder", number)),
        };
        let mut entries = Vec::new();
        loop {
            let answer = self.call(READDIR, &text(&handle)).await?;
            if answer.kind != NAME {
                match answer.status()? {
                    Status::Other(EOF) => break,
                    status => done(status, "read a folder")?,
                }
                break;
            }
            let mut fields = Fields(&answer.rest);
            for _ in 0..fields.number().unwrap_or(0) {
                let (name, _) =
                    (fields.text().ok_or_else(short)?, fields.text().ok_or_else(short)?);
                let (size, is_file) = fields.attributes().ok_or_else(short)?;
                if let (Ok(name), true) = (String::from_utf8(name.to_vec()), is_file) {
                    entries.push(Entry { name, size });
                }
            }
            if entries.len() > most {
                return Err(PlaceError::new(&codes::TOO_MANY_FILES, ""));
            }
        }
        self.close(&handle).await?;
        Ok(Some(entries))
    }

    /// A file; one that is longer than `most` is cut behind it.
    pub async fn read(&mut self, path: &str, most: usize) -> Result<Option<Vec<u8>>, PlaceError> {
        let payload =
            [text(path.as_bytes()), FOR_READING.to_be_bytes().to_vec(), vec![0; 4]].concat();
        let handle = match self.open(OPEN, &payload).await? {
            Ok(handle) => handle,
            Err(NO_SUCH_FILE) => return Ok(None),
            Err(number) => return Err(denied("open", number)),
        };
        let mut content = Vec::new();
        while content.len() <= most {
            let from = (content.len() as u64).to_be_bytes().to_vec();
            let length = (BLOCK as u32).to_be_bytes().to_vec();
            let answer = self.call(READ, &[text(&handle), from, length].concat()).await?;
            if answer.kind != DATA {
                match answer.status()? {
                    Status::Other(EOF) => break,
                    status => done(status, "read")?,
                }
                return Err(odd("no data"));
            }
            let data = Fields(&answer.rest).text().ok_or_else(short)?;
            if data.is_empty() {
                break;
            }
            content.extend(data);
        }
        self.close(&handle).await?;
        Ok(Some(content))
    }

    /// Writes a file, whatever had the name, and makes it safe against a crash where the server
    /// can do that.
    pub async fn write(&mut self, path: &str, content: &[u8]) -> Result<(), PlaceError> {
        let payload =
            [text(path.as_bytes()), FOR_WRITING.to_be_bytes().to_vec(), vec![0; 4]].concat();
        let opened = self.open(OPEN, &payload).await?;
        let handle = opened.map_err(|number| denied("open for writing", number))?;
        let mut under_way = std::collections::VecDeque::with_capacity(WINDOW);
        for (block, number) in content.chunks(BLOCK).zip(0_u64..) {
            let from = (number * BLOCK as u64).to_be_bytes().to_vec();
            let payload = [text(&handle), from, text(block)].concat();
            under_way.push_back(self.ask(WRITE, &payload).await?);
            if under_way.len() >= WINDOW
                && let Some(first) = under_way.pop_front()
            {
                done(self.answer(first).await?.status()?, "write")?;
            }
        }
        for number in under_way {
            done(self.answer(number).await?.status()?, "write")?;
        }
        if self.syncs {
            let payload = [text(FSYNC.as_bytes()), text(&handle)].concat();
            done(self.order(EXTENDED, &payload).await?, "fsync")?;
        }
        self.close(&handle).await
    }

    /// Gives a file another name.
    pub async fn rename(&mut self, from: &str, to: &str) -> Result<Status, PlaceError> {
        self.order(RENAME, &[text(from.as_bytes()), text(to.as_bytes())].concat()).await
    }

    /// Removes a file, if it is there.
    pub async fn remove(&mut self, path: &str) -> Result<(), PlaceError> {
        match self.order(REMOVE, &text(path.as_bytes())).await? {
            Status::Other(NO_SUCH_FILE) => Ok(()),
            status => done(status, "remove"),
        }
    }
}

impl Answer {
    fn status(&self) -> Result<Status, PlaceError> {
        if self.kind != STATUS {
            return Err(odd("an answer of another kind"));
        }
        match Fields(&self.rest).number() {
            Some(OK) => Ok(Status::Ok),
            Some(number) => Ok(Status::Other(number)),
            None => Err(short()),
        }
    }
}

/// The fields of a packet, one after the other.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*number))
    }

    fn long(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_be_bytes(*number))
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.number()? as usize;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(text)
    }

    /// The size, and whether it is a regular file as far as the server says.
    fn attributes(&mut self) -> Option<(u64, bool)> {
        let flags = self.number()?;
        let has = |flag: u32| flags & flag != 0;
        let size = if has(1) { self.long()? } else { 0 };
        if has(2) {
            self.long()?;
        }
        let is_file = if has(4) { self.number()? & 0o170_000 == 0o100_000 } else { true };
        if has(8) {
            self.long()?;
        }
        if has(0x8000_0000) {
            for _ in 0..self.number()? {
                self.text()?;
                self.text()?;
            }
        }
        Some((size, is_file))
    }
}

/// A text with its length before it.
fn text(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), bytes].concat()
}

fn done(status: Status, what: &str) -> Result<(), PlaceError> {
    match status {
        Status::Ok => Ok(()),
        Status::Other(number) => Err(denied(what, number)),
    }
}

fn denied(what: &str, number: u32) -> PlaceError {
    let code = match number {
        NO_SUCH_FILE | PERMISSION_DENIED => &codes::PLACE_REFUSED,
        _ => &codes::PLACE_UNREACHABLE,
    };
    PlaceError::new(code, format!("{what}: status {number}"))
}

fn odd(detail: &str) -> PlaceError {
    PlaceError::new(&codes::PLACE_UNREADABLE, detail)
}

fn short() -> PlaceError {
    odd("a packet that ends too soon")
}

fn lost() -> PlaceError {
    PlaceError::new(&codes::PLACE_UNREACHABLE, "the connection ended")
}
