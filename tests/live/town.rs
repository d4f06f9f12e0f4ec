//! A small synthetic town for live tests: the simulated counterparts and the gateway as child
//! processes in a folder of their own, which all go away with the test.

use super::database::Server;
use super::setup;
use serde_json::Value;
use std::fs;
use std::future::Future;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A guard against hanging, not a measurement.
const PATIENCE: Duration = Duration::from_secs(60);

/// The town that the simulators make of these is the same each time.
const PLAN: [&str; 12] = [
    "--seed",
    "21",
    "--residents",
    "20",
    "--notices",
    "40",
    "--inquiries",
    "0",
    "--applications",
    "0",
    "--faults",
    "0",
];

/// A future's output, or the end of the test.
pub async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("hangs: {what}"))
}

/// Asks until there is an answer.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    patiently(what, async {
        loop {
            match ask().await {
                Some(answer) => return answer,
                None => tokio::time::sleep(Duration::from_millis(25)).await,
            }
        }
    })
    .await
}

/// What a command left behind.
#[derive(Debug)]
pub struct Ran {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    /// Standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Counterparts that misbehave in nothing, and a configuration that leads to them.
pub struct Town {
    folder: PathBuf,
    /// Name of the configuration in the folder.
    config: String,
    /// None for another instance of the same town.
    counterparts: Option<Child>,
}

impl Town {
    /// Starts the counterparts.
    pub async fn new() -> Town {
        setup();
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let name = format!("watashi-live-{}-town-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let mut counterparts = Command::new(super::crossing::simulators())
            .arg("counterparts")
            .args(PLAN)
            .args(["--definitions", env!("CARGO_MANIFEST_DIR"), "--folder"])
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(counterparts.stdout.take().unwrap()).lines();
        patiently("counterparts", async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.starts_with("configuration") {
                    return;
                }
            }
            panic!("the counterparts did not start");
        })
        .await;
        let config = "watashi.toml".to_owned();
        let town = Town { folder, config, counterparts: Some(counterparts) };
        town.listen_elsewhere();
        town
    }

    /// A town whose store is a database of that server, and whose record has a key for all instances.
    pub async fn on_postgres(server: &Server, lease: &str) -> Town {
        let town = Town::new().await;
        let url = server.url(&server.database().await);
        town.store_at(&url, server.authority(), lease);
        let key = town.path("keys/record").display().to_string();
        let made =
            town.run(&["keys", "new-signing", "record.example/town", "--output", &key]).await;
        assert_eq!(made.code, 0, "{}", made.err);
        town.configure("record", &format!("signing-key = \"file:{key}\""));
        town
    }

    /// Has the store at a PostgreSQL server instead of in a file.
    fn store_at(&self, url: &str, authority: &str, lease: &str) {
        self.write("secrets/store", url);
        self.write("certificates/store.pem", authority);
        let path = format!("path = \"{}\"", self.path("store/watashi.db").display());
        let store = format!(
            "url = \"file:secrets/store\"\nca = \"file:certificates/store.pem\"\nlease = \"{lease}\""
        );
        let text = self.read("watashi.toml");
        assert!(text.contains(&path), "{text}");
        self.write("watashi.toml", &text.replace(&path, &store));
    }

    /// Another instance of the same town: a configuration that differs in its name and in where
    /// it listens.
    pub fn instance(&self, name: &str) -> Town {
        let config = format!("{name}.toml");
        let text = self.read(&self.config);
        let own = text.replace("name = \"demo\"", &format!("name = \"{name}\""));
        assert_ne!(text, own, "{text}");
        self.write(&config, &own);
        let other = Town { folder: self.folder.clone(), config, counterparts: None };
        other.listen_elsewhere();
        other
    }

    fn listen_elsewhere(&self) {
        for section in ["ingest", "ops"] {
            let address = self.listen(section);
            let text = self.read(&self.config);
            self.write(&self.config, &text.replace(&address, &free_address()));
        }
    }

    /// Sends a signal to the counterparts' process: stopped, they accept connections and answer
    /// nothing.
    pub async fn counterparts(&self, signal: &str) {
        let id = self.counterparts.as_ref().unwrap().id().unwrap().to_string();
        Command::new("kill").args([&format!("-{signal}"), &id]).status().await.unwrap();
    }

    /// Messages of a type that every counterpart takes.
    pub async fn messages(&self, message_type: &str, channel: Option<&str>) -> Vec<Value> {
        let mut command = Command::new(super::crossing::simulators());
        let output = command.arg("municipality").args(PLAN).output().await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let messages = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let wanted = messages.filter(|message| {
            message["message_type"] == message_type
                && channel.is_none_or(|channel| message["body"]["channel"] == channel)
                && message["expects"][0]["fate"] == "delivered"
        });
        let found: Vec<Value> = wanted.map(|mut message| message["body"].take()).collect();
        assert!(!found.is_empty(), "the town has no {message_type}");
        found
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The text of a file.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Writes a file that only its owner may read.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        let _may_be_new = fs::remove_file(&path);
        fs::write(&path, text).unwrap();
        self.mode(name, 0o600);
    }

    /// Sets who may read a file.
    pub fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Puts lines into a section of the configuration, which is made when it is not there.
    pub fn configure(&self, section: &str, lines: &str) {
        let mut text = self.read(&self.config);
        let head = format!("[{section}]\n");
        if !text.contains(&head) {
            text.push_str(&format!("\n{head}"));
        }
        self.write(&self.config, &text.replacen(&head, &format!("{head}{lines}\n"), 1));
    }

    /// Where a listener of the configuration listens.
    pub fn listen(&self, section: &str) -> String {
        let config: toml::Table = self.read(&self.config).parse().unwrap();
        config[section]["listen"].as_str().unwrap().to_owned()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watashi"));
        command.args(arguments).arg("--config").arg(self.path(&self.config));
        command.current_dir(&self.folder).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        let output = patiently("command", self.command(arguments).output()).await.unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts the gateway and waits until it has found its store.
    pub async fn start(&self) -> Gateway {
        let gateway = self.launch().await;
        until("its store", || async {
            let starting = |cause: &Value| {
                cause["detail"].as_str().is_some_and(|detail| detail.starts_with("starting"))
            };
            let ready = gateway.ready_if_any().await?;
            let causes = ready["causes"].as_array()?;
            (!causes.iter().any(starting)).then_some(())
        })
        .await;
        gateway
    }

    /// Starts the gateway and waits until it answers.
    pub async fn launch(&self) -> Gateway {
        self.start_with(&[]).await
    }

    /// The same with variables of its environment; it may end before it answers.
    pub async fn start_with(&self, variables: &[(&str, &str)]) -> Gateway {
        let log = || fs::File::options().create(true).append(true).open(self.path("logs/gateway"));
        let mut command = self.command(&["run"]);
        command.envs(variables.iter().copied());
        let mut child = command.stdout(log().unwrap()).stderr(log().unwrap()).spawn().unwrap();
        let ops = format!("http://{}", self.listen("ops"));
        let http = reqwest::Client::builder().build().unwrap();
        until("gateway", || {
            let ended = child.try_wait().unwrap();
            let may_end = !variables.is_empty();
            assert!(ended.is_none() || may_end, "{ended:?}: {}", self.read("logs/gateway"));
            let asked = http.get(format!("{ops}/live")).send();
            async move { if ended.is_some() { Some(()) } else { asked.await.ok().map(drop) } }
        })
        .await;
        Gateway { child, ops, http }
    }

    /// The exchanges in the store, as `watashi list` shows them.
    pub async fn exchanges(&self) -> Vec<Value> {
        let ran = self.run(&["list", "exchanges", "--json"]).await;
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.json().as_array().unwrap().clone()
    }

    /// Waits until a message's one exchange is in this state; gives the exchange.
    pub async fn until_state(&self, message_id: &str, state: &str) -> Value {
        until(&format!("{message_id} {state}"), || async {
            let found = self.exchanges().await;
            found.into_iter().find(|one| one["message_id"] == message_id && one["state"] == state)
        })
        .await
    }

    /// A client of the ingest listener with the health system's certificate.
    pub fn health(&self) -> Client {
        let pem = self.read("certificates/health.pem") + &self.read("keys/health.pem");
        Client::new(self, Some(&pem), None)
    }

    /// A client without a certificate, with or without a token.
    pub fn stranger(&self, token: Option<&str>) -> Client {
        Client::new(self, None, token)
    }
}

/// An address that nobody else gets, also while the gateway is down for a moment: below the ports
/// that the system gives to outgoing connections, and each once.
fn free_address() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let first = 10_000 + std::process::id() as usize % 100 * 200;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::SeqCst);
        let address = format!("127.0.0.1:{port}");
        if TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        if self.counterparts.is_some() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// The running gateway; killed when dropped.
pub struct Gateway {
    child: Child,
    ops: String,
    http: reqwest::Client,
}

impl Gateway {
    /// Whether it is ready, with causes and notes.
    pub async fn ready(&self) -> Value {
        let answer = self.http.get(format!("{}/ready", self.ops)).send().await.unwrap();
        let status = answer.status();
        let page: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(page["ready"] == true, status == 200, "{page}");
        page
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// An answer of the ops listener, as JSON.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.http.get(format!("{}{path}", self.ops)).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    /// Readiness, as long as it answers.
    pub async fn ready_if_any(&self) -> Option<Value> {
        let answer = self.http.get(format!("{}/ready", self.ops)).send().await.ok()?;
        serde_json::from_slice(&answer.bytes().await.ok()?).ok()
    }

    /// Sends it a signal.
    pub async fn signal(&self, name: &str) {
        let id = self.child.id().unwrap().to_string();
        Command::new("kill").args([&format!("-{name}"), &id]).status().await.unwrap();
    }

    /// Waits until it has ended; gives its exit code.
    pub async fn ended(&mut self) -> Option<i32> {
        patiently("stop", self.child.wait()).await.unwrap().code()
    }

    /// Asks it to stop (SIGTERM); gives its exit code.
    pub async fn stop(mut self) -> Option<i32> {
        let id = self.child.id().unwrap().to_string();
        Command::new("kill").args(["-TERM", &id]).status().await.unwrap();
        patiently("stop", self.child.wait()).await.unwrap().code()
    }
}

/// An answer of the ingest listener.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The registered code; empty where there is none.
    pub code: String,
    /// The whole body.
    pub text: String,
}

/// Posts over HTTPS.
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl Client {
    /// A client with this identity (certificate and key, PEM) and token.
    pub fn new(town: &Town, identity: Option<&str>, token: Option<&str>) -> Client {
        let ca = reqwest::Certificate::from_pem(town.read("certificates/ca.pem").as_bytes());
        let mut builder = reqwest::Client::builder().tls_certs_only([ca.unwrap()]);
        if let Some(pem) = identity {
            builder = builder.identity(reqwest::Identity::from_pem(pem.as_bytes()).unwrap());
        }
        Client {
            http: builder.build().unwrap(),
            base: format!("https://{}", town.listen("ingest")),
            token: token.map(str::to_owned),
        }
    }

    /// Posts a JSON document under an id.
    pub async fn post(&self, message_type: &str, id: &str, document: &Value) -> Answer {
        let body = document.to_string().into_bytes();
        self.post_as(message_type, Some(id), "application/json", body).await.unwrap()
    }

    /// Posts a JSON document to a gateway that may end meanwhile.
    pub async fn try_post(&self, message_type: &str, id: &str, document: &Value) -> Option<Answer> {
        let body = document.to_string().into_bytes();
        self.post_as(message_type, Some(id), "application/json", body).await.ok()
    }

    /// Posts anything.
    pub async fn post_as(
        &self,
        message_type: &str,
        id: Option<&str>,
        media: &str,
        body: Vec<u8>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self
            .http
            .post(format!("{}/v1/messages/{message_type}", self.base))
            .header("content-type", media)
            .body(body);
        if let Some(id) = id {
            request = request.header("idempotency-key", id);
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = patiently("answer", request.send()).await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        let page: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        let code = page["code"].as_str().unwrap_or_default().to_owned();
        Ok(Answer { status, code, text })
    }
}
