//! A server reached by SFTP, through the system's OpenSSH.
//!
//! `ssh` brings the connection, the login and the check of the host key, which is strict; the
//! files go over its standard input and output in the SFTP protocol, version 3, so that nothing
//! rests on this machine's disk and every answer is a number. No shell sees anything.

use super::{Entry, LIST_LIMIT, Later, Place, PlaceError, Written, checked, split};
use crate::model::codes::transport as codes;
use bytes::Bytes;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, Command};
use wire::{Status, Wire};

mod wire;

/// Longest time of one call, with its connection.
const PATIENCE: Duration = Duration::from_secs(120);
/// Bytes of what `ssh` says that are looked at.
const SAID: u64 = 4_096;

/// Where the server is and who we are there.
#[derive(Clone, Debug)]
pub struct Sftp {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Login.
    pub user: String,
    /// Private key, readable by its owner only.
    pub key: PathBuf,
    /// The server's host keys, in the form of `known_hosts`.
    pub known_hosts: PathBuf,
    /// Folder there; empty: where the login lands.
    pub root: String,
    /// The program.
    pub ssh: PathBuf,
}

impl Sftp {
    /// Whether host and login can stand in a command line.
    pub fn is_safe(&self) -> bool {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        let plain =
            |text: &str| !text.is_empty() && !text.starts_with('-') && text.chars().all(allowed);
        let root = |c: char| allowed(c) || c == '/';
        plain(&self.host) && plain(&self.user) && self.root.chars().all(root)
    }

    fn path(&self, path: &str) -> Result<String, PlaceError> {
        let path = checked(path)?;
        Ok(match self.root.trim_end_matches('/') {
            "" => path.to_owned(),
            root => format!("{root}/{path}"),
        })
    }

    fn command(&self) -> Command {
        let option = |name: &str, value: &str| format!("{name}={value}");
        let options = [
            option("BatchMode", "yes"),
            option("StrictHostKeyChecking", "yes"),
            option("UserKnownHostsFile", &self.known_hosts.to_string_lossy()),
            option("GlobalKnownHostsFile", "/dev/null"),
            option("UpdateHostKeys", "no"),
            option("IdentityFile", &self.key.to_string_lossy()),
            option("IdentitiesOnly", "yes"),
            option("IdentityAgent", "none"),
            option("PreferredAuthentications", "publickey"),
            option("ConnectTimeout", "10"),
            option("ServerAliveInterval", "10"),
            option("ServerAliveCountMax", "3"),
            option("ClearAllForwardings", "yes"),
            option("ForwardAgent", "no"),
            option("PermitLocalCommand", "no"),
            option("ControlPath", "none"),
            option("LogLevel", "ERROR"),
        ];
        let mut command = Command::new(&self.ssh);
        command.args(["-F", "/dev/null", "-T", "-x", "-p", &self.port.to_string()]);
        for option in &options {
            command.args(["-o", option]);
        }
        command.args(["-l", &self.user, "-s", "--", &self.host, "sftp"]);
        command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        command
    }

    /// Connects, does one thing, and ends the connection; all of it within the time.
    async fn session<T>(
        &self,
        work: impl AsyncFnOnce(&mut Wire) -> Result<T, PlaceError>,
    ) -> Result<T, PlaceError> {
        let whole = async {
            let lost = |_| PlaceError::new(&codes::PLACE_UNREACHABLE, "`ssh` cannot be started");
            let mut child = self.command().spawn().map_err(lost)?;
            let (stdin, stdout, stderr) =
                (child.stdin.take(), child.stdout.take(), child.stderr.take());
            let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
                return Err(PlaceError::new(&codes::PLACE_UNREACHABLE, "`ssh` has no pipes"));
            };
            let said = tokio::spawn(listen(stderr));
            let done = match Wire::begin(stdin, stdout).await {
                Ok(mut wire) => work(&mut wire).await,
                Err(error) => Err(error),
            };
            match done {
                Err(error) if error.code == &codes::PLACE_UNREACHABLE => {
                    Err(explained(error, &mut child, said.await.unwrap_or_default()).await)
                }
                done => done,
            }
        };
        match tokio::time::timeout(PATIENCE, whole).await {
            Ok(done) => done,
            Err(_) => Err(PlaceError::new(&codes::PLACE_TIMEOUT, "the server does not answer")),
        }
    }

    async fn list_all(&self, folder: &str) -> Result<Vec<Entry>, PlaceError> {
        let path = match folder {
            "" if self.root.is_empty() => ".".to_owned(),
            "" => self.root.clone(),
            folder => self.path(folder)?,
        };
        self.session(async |wire| {
            let Some(mut entries) = wire.list(&path, LIST_LIMIT).await? else {
                return if folder.is_empty() {
                    Err(PlaceError::new(&codes::PLACE_REFUSED, "the folder is not there"))
                } else {
                    Ok(Vec::new())
                };
            };
            entries.retain(|entry| !entry.name.starts_with('.'));
            entries.sort();
            Ok(entries)
        })
        .await
    }

    async fn read_one(&self, path: &str, most: usize) -> Result<Option<Bytes>, PlaceError> {
        let whole = self.path(path)?;
        let read = self.session(async |wire| wire.read(&whole, most).await).await?;
        if read.as_ref().is_some_and(|content| content.len() > most) {
            let detail = format!("{path}: more than {most} bytes");
            return Err(PlaceError::new(&codes::FILE_TOO_LARGE, detail));
        }
        Ok(read.map(Bytes::from))
    }

    async fn write_one(&self, path: &str, content: Bytes) -> Result<Written, PlaceError> {
        let (folder, name) = split(path);
        let hidden = if folder.is_empty() {
            format!(".{name}.part")
        } else {
            format!("{folder}/.{name}.part")
        };
        let (whole, hidden) = (self.path(path)?, self.path(&hidden)?);
        let parent = if folder.is_empty() { None } else { Some(self.path(folder)?) };
        self.session(async |wire| {
            if wire.is_there(&whole).await? {
                return Ok(Written::Exists);
            }
            if let Some(parent) = &parent {
                wire.make_folder(parent).await?;
            }
            wire.write(&hidden, &content).await?;
            // Fails where the name is taken: this form of the request never replaces.
            match wire.rename(&hidden, &whole).await? {
                Status::Ok => Ok(Written::New),
                Status::Other(number) => {
                    if wire.is_there(&whole).await? {
                        wire.remove(&hidden).await?;
                        return Ok(Written::Exists);
                    }
                    Err(refused(path, number))
                }
            }
        })
        .await
    }

    async fn rename_one(&self, from: &str, to: &str) -> Result<(), PlaceError> {
        let (old, new) = (self.path(from)?, self.path(to)?);
        let parent = match split(to).0 {
            "" => None,
            folder => Some(self.path(folder)?),
        };
        self.session(async |wire| {
            let (is_old, is_new) = (wire.is_there(&old).await?, wire.is_there(&new).await?);
            if is_new {
                if !is_old {
                    return Ok(());
                }
                let (old_one, new_one) = (
                    wire.read(&old, usize::MAX - 1).await?,
                    wire.read(&new, usize::MAX - 1).await?,
                );
                if old_one != new_one {
                    let detail = format!("{to}: another file is there");
                    return Err(PlaceError::new(&codes::PLACE_REFUSED, detail));
                }
                return wire.remove(&old).await;
            }
            if let Some(parent) = &parent {
                wire.make_folder(parent).await?;
            }
            match wire.rename(&old, &new).await? {
                Status::Ok => Ok(()),
                Status::Other(number) => Err(refused(from, number)),
            }
        })
        .await
    }
}

fn refused(path: &str, number: u32) -> PlaceError {
    PlaceError::new(&codes::PLACE_REFUSED, format!("{path}: status {number}"))
}

async fn listen(stderr: ChildStderr) -> String {
    let mut said = Vec::new();
    let mut stderr = stderr.take(SAID);
    // What was said so far is enough.
    let _ended = stderr.read_to_end(&mut said).await;
    String::from_utf8_lossy(&said).into_owned()
}

/// Which of its codes a lost connection gets: `ssh` tells why only in words. They choose between
/// causes for a person, and decide nothing.
async fn explained(error: PlaceError, child: &mut Child, said: String) -> PlaceError {
    let ended = tokio::time::timeout(Duration::from_secs(5), child.wait()).await;
    let status = ended.ok().and_then(Result::ok).and_then(|status| status.code());
    let has = |words: &str| said.contains(words);
    let code = if has("Host key verification failed") || has("host key is known") {
        &codes::HOST_KEY
    } else if has("Permission denied") || has("Load key") || has("subsystem request failed") {
        &codes::PLACE_REFUSED
    } else {
        error.code
    };
    let status = status.map_or_else(String::new, |status| format!(" (ssh ended with {status})"));
    PlaceError::new(code, format!("{}{status}", error.detail))
}

impl Place for Sftp {
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
        Box::pin(async move {
            let whole = self.path(path)?;
            self.session(async |wire| wire.remove(&whole).await).await
        })
    }
}
