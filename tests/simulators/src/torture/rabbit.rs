//! A RabbitMQ node as a child process: own ports, own folder, killed and resumed at will.

use crate::Trouble;
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long the node may take to become ready.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs port mapper and broker, and kills both when the pipe on its standard input closes, which
/// also happens when this program ends in whatever way.
const KEEPER: &str = r#"
epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 </dev/null >/dev/null 2>&1 &
epmd=$!
"$1" </dev/null >"$2/log/stdout" 2>&1 &
server=$!
cat >/dev/null
[ -f "$RABBITMQ_PID_FILE" ] && kill -9 "$(cat "$RABBITMQ_PID_FILE")" 2>/dev/null
kill -9 "$server" 2>/dev/null
wait "$server" 2>/dev/null
kill "$epmd" 2>/dev/null
wait "$epmd" 2>/dev/null
exit 0
"#;

/// One node.
pub struct Rabbit {
    folder: PathBuf,
    ports: [u16; 3],
    keeper: Option<Child>,
}

impl Rabbit {
    /// Starts a node with an empty database and waits until it takes connections.
    pub async fn start(folder: &Path) -> Result<Rabbit, Trouble> {
        fs::create_dir_all(folder.join("log"))?;
        fs::write(folder.join(".erlang.cookie"), "watashi-torture")?;
        let owner_only = fs::Permissions::from_mode(0o400);
        fs::set_permissions(folder.join(".erlang.cookie"), owner_only)?;
        fs::write(folder.join("plugins"), "[].")?;
        fs::write(folder.join("env"), "")?;
        let mut ports = [0; 3];
        let mut held = Vec::new();
        for port in &mut ports {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            *port = listener.local_addr()?.port();
            held.push(listener);
        }
        drop(held);
        let mut rabbit = Rabbit { folder: folder.to_path_buf(), ports, keeper: None };
        rabbit.resume().await?;
        Ok(rabbit)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        let [port, ..] = self.ports;
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// `amqp://…` with the administrator's login, at an address of the caller's: its own or a relay.
    pub fn url(address: SocketAddr) -> String {
        format!("amqp://guest:guest@{address}/%2f")
    }

    /// Kills the node (SIGKILL).
    pub fn crash(&mut self) -> Result<(), Trouble> {
        let Some(mut keeper) = self.keeper.take() else { return Ok(()) };
        if let Some(mut pipe) = keeper.stdin.take() {
            pipe.flush()?;
        }
        keeper.wait()?;
        Ok(())
    }

    /// Starts the node again on the same ports and data, and waits until it takes connections.
    pub async fn resume(&mut self) -> Result<(), Trouble> {
        let folder = &self.folder;
        let [port, distribution, epmd] = self.ports.map(|port| port.to_string());
        let _maybe_none = fs::remove_file(folder.join("pid"));
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .args([server()?, folder.clone()])
            .env("HOME", folder)
            .env("RABBITMQ_NODENAME", format!("torture{port}@localhost"))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", &port)
            .env("RABBITMQ_DIST_PORT", &distribution)
            .env("ERL_EPMD_PORT", &epmd)
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_PID_FILE", folder.join("pid"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("plugins"))
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", folder.join("generated"))
            .env("RABBITMQ_CONF_ENV_FILE", folder.join("env"))
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 1:1 +sbwt none")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        self.keeper = Some(keeper);
        let url = Rabbit::url(self.address());
        let ready = async {
            while Connection::connect(&url, ConnectionProperties::default()).await.is_err() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let log = folder.join("log");
        let slow = |_| format!("RabbitMQ did not start; its log is in {}", log.display());
        Ok(tokio::time::timeout(PATIENCE, ready).await.map_err(slow)?)
    }

    /// Runs `rabbitmqctl`.
    pub async fn control(&self, arguments: &[&str]) -> Result<(), Trouble> {
        let [port, _, epmd] = self.ports;
        let output = tokio::process::Command::new("/usr/lib/rabbitmq/bin/rabbitmqctl")
            .args(["--node", &format!("torture{port}@localhost")])
            .args(arguments)
            .env("HOME", &self.folder)
            .env("ERL_EPMD_PORT", epmd.to_string())
            .env("RABBITMQ_CONF_ENV_FILE", self.folder.join("env"))
            .output()
            .await?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
        }
    }

    /// Deletes a queue while it is empty; tells whether it was.
    pub async fn delete_if_empty(&self, queue: &str) -> Result<bool, Trouble> {
        let url = Rabbit::url(self.address());
        let connection = Connection::connect(&url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let found = channel.queue_declare(queue.into(), passive, FieldTable::default()).await?;
        if found.message_count() > 0 {
            return Ok(false);
        }
        // A quorum queue knows no `if-empty`.
        channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await?;
        Ok(true)
    }
}

impl Drop for Rabbit {
    fn drop(&mut self) {
        let _ended = self.crash();
    }
}

fn server() -> Result<PathBuf, Trouble> {
    ["/usr/lib/rabbitmq/bin/rabbitmq-server", "/usr/sbin/rabbitmq-server"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.exists())
        .ok_or_else(|| "RabbitMQ is not installed: run `make setup`".into())
}
