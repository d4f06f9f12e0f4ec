//! The gateway under test as a child process: started, killed, restarted, asked.

use crate::Trouble;
use crate::demo::folder::Site;
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;
use tokio::process::{Child, Command};

/// How long the gateway may take to become ready.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// One line of `/api/v1/counts`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Count {
    /// Route; empty when none could be chosen.
    pub route: String,
    /// State name.
    pub state: String,
    /// Code, for dead ones.
    pub code: Option<String>,
    /// How many.
    pub count: u64,
    /// Extra attempts.
    #[serde(default)]
    pub retried: u64,
    /// Resolved unknowns.
    #[serde(default)]
    pub unknown_resolved: u64,
}

#[derive(Deserialize)]
struct Counts {
    counts: Vec<Count>,
}

/// The running gateway and the ways to ask it.
pub struct Gateway {
    program: PathBuf,
    config: PathBuf,
    folder: PathBuf,
    ops: String,
    ops_token: String,
    client: reqwest::Client,
    child: tokio::sync::Mutex<Option<Child>>,
    /// Times it was started.
    starts: Mutex<u32>,
    /// Begins the names of its logs.
    name: String,
    /// Variables of every start.
    environment: Mutex<Vec<(String, String)>>,
}

impl Gateway {
    /// Prepares; nothing is started yet.
    pub fn new(program: &Path, site: &Site) -> Result<Self, Trouble> {
        if !program.is_file() {
            let place = program.display();
            return Err(format!("{place} is missing: run `cargo build` or give --watashi").into());
        }
        let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
        Ok(Gateway {
            program: program.to_path_buf(),
            config: site.config.clone(),
            folder: site.folder.clone(),
            ops: site.ops.clone(),
            ops_token: site.ops_token.clone(),
            client,
            child: tokio::sync::Mutex::default(),
            starts: Mutex::default(),
            name: "run".to_owned(),
            environment: Mutex::default(),
        })
    }

    /// The same with another beginning for the names of its logs.
    pub fn named(self, name: String) -> Gateway {
        Gateway { name, ..self }
    }

    /// Starts it, with these variables in its environment; gives the number of the start.
    pub async fn spawn(&self, environment: &[(&str, String)]) -> Result<u32, Trouble> {
        let number = {
            let mut starts = self.starts.lock().map_err(|_| "poisoned")?;
            *starts += 1;
            *starts
        };
        let log = |kind: &str| fs::File::create(self.folder.join(self.log(number, kind)));
        let always = self.environment.lock().map_err(|_| "poisoned")?.clone();
        let spawned = Command::new(&self.program)
            .arg("run")
            .arg("--config")
            .arg(&self.config)
            .envs(always)
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::null())
            .stdout(log("stdout")?)
            .stderr(log("stderr")?)
            .kill_on_drop(true)
            .spawn()?;
        self.child.lock().await.replace(spawned);
        Ok(number)
    }

    /// Gives every later start this variable.
    pub fn set_environment(&self, name: &str, value: &str) -> Result<(), Trouble> {
        let mut environment = self.environment.lock().map_err(|_| "poisoned")?;
        environment.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    /// Waits until it ends by itself; kills it (SIGKILL) when it has not by then. Tells whether it
    /// ended by itself, and where it says that it crashed, else its last line.
    pub async fn until_ended(&self, within: Duration) -> Result<(bool, String), Trouble> {
        let Some(mut child) = self.child.lock().await.take() else {
            return Ok((true, String::new()));
        };
        let ended = tokio::time::timeout(within, child.wait()).await.is_ok();
        if !ended {
            child.kill().await?;
        }
        let number = self.starts.lock().map(|starts| *starts).unwrap_or_default();
        let tail = self.tail(number);
        // Other threads may have written after the one that ended the process.
        let crash = tail.lines().rev().find(|line| line.starts_with("crash at "));
        let last = crash.or(tail.lines().last()).unwrap_or_default().to_owned();
        Ok((ended, last))
    }

    /// Starts it and waits until it is ready.
    pub async fn start(&self) -> Result<(), Trouble> {
        let number = self.spawn(&[]).await?;
        let mut child = self.child.lock().await;
        let Some(running) = child.as_mut() else { return Err("ended at once".into()) };
        let deadline = tokio::time::Instant::now() + READY_WITHIN;
        loop {
            if let Some(status) = running.try_wait()? {
                let tail = self.tail(number);
                return Err(
                    format!("watashi ended with {status} before it was ready:\n{tail}").into()
                );
            }
            if self.get("/ready").await.is_ok_and(|(status, _)| status == 200) {
                return Ok(());
            }
            if tokio::time::Instant::now() > deadline {
                let answer = self.get("/ready").await.map(|(_, text)| text).unwrap_or_default();
                let tail = self.tail(number);
                return Err(format!("watashi does not become ready: {answer}\n{tail}").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Kills it as a power cut would (SIGKILL).
    pub async fn kill(&self) -> Result<(), Trouble> {
        if let Some(mut child) = self.child.lock().await.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// Kills it, then starts it again.
    pub async fn kill_and_restart(&self) -> Result<(), Trouble> {
        self.kill().await?;
        self.start().await
    }

    /// Sends it a signal.
    pub async fn signal(&self, signal: &str) -> Result<(), Trouble> {
        if let Some(id) = self.child.lock().await.as_ref().and_then(Child::id) {
            Command::new("kill").arg(signal).arg(id.to_string()).status().await?;
        }
        Ok(())
    }

    /// An error when it ended by itself.
    pub async fn check_alive(&self) -> Result<(), Trouble> {
        let mut child = self.child.lock().await;
        if let Some(status) = child.as_mut().map(Child::try_wait).transpose()?.flatten() {
            let number = self.starts.lock().map(|starts| *starts).unwrap_or_default();
            let tail = self.tail(number);
            return Err(format!("watashi ended by itself with {status}:\n{tail}").into());
        }
        Ok(())
    }

    /// Asks it to stop (SIGTERM) and waits; kills it when it does not.
    pub async fn stop(&self) -> Result<(), Trouble> {
        let Some(mut child) = self.child.lock().await.take() else { return Ok(()) };
        if let Some(id) = child.id() {
            Command::new("kill").arg("-TERM").arg(id.to_string()).status().await?;
        }
        match tokio::time::timeout(Duration::from_secs(30), child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(_) => Err("watashi did not stop with exit code 0".into()),
            Err(_) => {
                child.kill().await?;
                Err("watashi did not stop within 30 s of SIGTERM".into())
            }
        }
    }

    /// Counts per route, state and code.
    pub async fn counts(&self) -> Result<Vec<Count>, Trouble> {
        let (status, text) = self.get("/api/v1/counts").await?;
        if status != 200 {
            return Err(format!("/api/v1/counts answered {status}").into());
        }
        Ok(serde_json::from_str::<Counts>(&text)?.counts)
    }

    /// A page of the ops listener: status and text.
    pub async fn get(&self, path: &str) -> Result<(u16, String), Trouble> {
        let url = format!("{}{path}", self.ops);
        let answer = self.client.get(url).bearer_auth(&self.ops_token).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// An operator's act on an exchange.
    pub async fn act(&self, exchange: i64, act: &str, reason: &str) -> Result<u16, Trouble> {
        let body = serde_json::json!({"operator": "demo", "reason": reason});
        Ok(self.post(&format!("/api/v1/exchanges/{exchange}/{act}"), &body).await?.0)
    }

    /// Posts to a page of the ops listener: status and text of the answer.
    pub async fn post(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<(u16, String), Trouble> {
        let request = self.client.post(format!("{}{path}", self.ops)).bearer_auth(&self.ops_token);
        let request = request.header("content-type", "application/json").body(body.to_string());
        let answer = request.send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// Runs a command of its CLI; the output is kept in the run folder, to be searched later.
    pub async fn cli(&self, name: &str, arguments: &[&str]) -> Result<(bool, String), Trouble> {
        let always = self.environment.lock().map_err(|_| "poisoned")?.clone();
        let output = Command::new(&self.program)
            .envs(always)
            .args(arguments)
            .arg("--config")
            .arg(&self.config)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        fs::write(self.folder.join(format!("cli/{name}.stdout")), &output.stdout)?;
        fs::write(self.folder.join(format!("cli/{name}.stderr")), &output.stderr)?;
        let text = String::from_utf8(output.stdout)?;
        if !output.status.success() {
            let problem = String::from_utf8_lossy(&output.stderr);
            let line = problem.lines().next().unwrap_or("no message");
            eprint_line(&format!("`watashi {}`: {}: {line}", arguments.join(" "), output.status));
        }
        Ok((output.status.success(), text))
    }

    fn log(&self, number: u32, kind: &str) -> String {
        format!("logs/{}-{number}.{kind}", self.name)
    }

    fn tail(&self, number: u32) -> String {
        let path = self.folder.join(self.log(number, "stderr"));
        let text = fs::read_to_string(path).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(15)..).unwrap_or_default().join("\n")
    }
}

/// Progress and problems go to stderr; stdout is for the result.
#[expect(clippy::print_stderr, reason = "the demo talks to the person who started it")]
pub fn eprint_line(text: &str) {
    eprintln!("{text}");
}

/// Items of a CLI's JSON: an array, an object with one array in it, or one object per line.
pub fn items<T: serde::de::DeserializeOwned>(text: &str) -> Vec<T> {
    let parse = |value: serde_json::Value| serde_json::from_value(value).ok();
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(serde_json::Value::Array(list)) => list.into_iter().filter_map(parse).collect(),
        Ok(serde_json::Value::Object(map)) => {
            let array = map.values().find_map(|value| value.as_array().cloned());
            let list = array.unwrap_or_else(|| vec![serde_json::Value::Object(map)]);
            list.into_iter().filter_map(parse).collect()
        }
        _ => text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(),
    }
}
