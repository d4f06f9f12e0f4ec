//! Services as child processes: own ports, own data folder, gone when the tests are.

use lapin::{Connection, ConnectionProperties};
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::OnceCell;

/// How long a service may take to become ready; a guard against hanging, not a measurement.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs port mapper and broker, and kills both when the pipe on its standard input closes: that
/// happens when the test process ends, in whatever way. Unless told a last word, it then removes
/// the folder as well.
const KEEPER: &str = r#"
epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 </dev/null >/dev/null 2>&1 &
epmd=$!
"$1" </dev/null >"$2/log/stdout" 2>&1 &
server=$!
last=$(cat)
[ -f "$RABBITMQ_PID_FILE" ] && kill -9 "$(cat "$RABBITMQ_PID_FILE")" 2>/dev/null
kill -9 "$server" 2>/dev/null
wait "$server" 2>/dev/null
kill "$epmd" 2>/dev/null
wait "$epmd" 2>/dev/null
[ -n "$last" ] || rm -rf "$2"
exit 0
"#;

/// One RabbitMQ node.
pub struct Broker {
    folder: PathBuf,
    ports: [u16; 4],
    keeper: Option<Child>,
}

/// The broker that tests share; those that break it start one of their own.
pub async fn broker() -> &'static Broker {
    static SHARED: OnceCell<Broker> = OnceCell::const_new();
    SHARED.get_or_init(Broker::start).await
}

impl Broker {
    /// Starts a node with an empty database and waits until it takes connections.
    pub async fn start() -> Broker {
        let mut broker = Broker::prepare();
        broker.resume().await;
        broker
    }

    /// The same with a configuration, made out of the node's folder and a second free port.
    pub async fn start_with(configuration: impl FnOnce(&Path, u16) -> String) -> Broker {
        let mut broker = Broker::prepare();
        let configuration = configuration(&broker.folder, broker.second_port());
        fs::write(broker.folder.join("rabbitmq.conf"), configuration).unwrap();
        broker.resume().await;
        broker
    }

    fn prepare() -> Broker {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let folder = std::env::temp_dir()
            .join(format!("watashi-live-{}-rabbitmq-{number}", std::process::id()));
        fs::create_dir_all(folder.join("log")).unwrap();
        fs::write(folder.join(".erlang.cookie"), "watashi-live-tests").unwrap();
        let owner_only = fs::Permissions::from_mode(0o400);
        fs::set_permissions(folder.join(".erlang.cookie"), owner_only).unwrap();
        fs::write(folder.join("plugins"), "[].").unwrap();
        fs::write(folder.join("env"), "").unwrap();
        Broker { folder, ports: free_ports(), keeper: None }
    }

    /// `amqp://…` with the administrator's login.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.ports[0])
    }

    /// A port for what the configuration says; nobody listens there otherwise.
    pub fn second_port(&self) -> u16 {
        self.ports[3]
    }

    /// The URL of a new virtual host, for tests that use the names of the product.
    pub fn virtual_host(&self, name: &str) -> String {
        self.control(&["add_vhost", name]);
        self.control(&["set_permissions", "-p", name, "guest", ".*", ".*", ".*"]);
        self.url().replace("%2f", name)
    }

    /// The URL of a new login that has the gateway's rights in one virtual host and none elsewhere.
    pub fn gateway_in(&self, name: &str, host: &str) -> String {
        self.control(&["add_user", name, &format!("password-of-{name}")]);
        let read = r"^watashi\.(ingest|undeliverable)$";
        self.control(&["set_permissions", "-p", host, name, "^$", r"^watashi\.out$", read]);
        self.url()
            .replace("guest:guest", &format!("{name}:password-of-{name}"))
            .replace("%2f", host)
    }

    fn control(&self, arguments: &[&str]) {
        let [port, _, epmd, _] = self.ports;
        let output = Command::new("/usr/lib/rabbitmq/bin/rabbitmqctl")
            .args(["--node", &format!("live{port}@localhost")])
            .args(arguments)
            .env("HOME", &self.folder)
            .env("ERL_EPMD_PORT", epmd.to_string())
            .env("RABBITMQ_CONF_ENV_FILE", self.folder.join("env"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Kills the node with SIGKILL.
    pub fn crash(&mut self) {
        let Some(mut keeper) = self.keeper.take() else { return };
        if let Some(mut pipe) = keeper.stdin.take() {
            pipe.write_all(b"keep the folder").unwrap();
        }
        keeper.wait().unwrap();
    }

    /// Starts the node again on the same ports and data, and waits until it takes connections.
    pub async fn resume(&mut self) {
        let folder = &self.folder;
        let [port, distribution, epmd, _] = self.ports.map(|port| port.to_string());
        let _ = fs::remove_file(folder.join("pid"));
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .args([server_binary(), folder.clone()])
            .env("HOME", folder)
            .env("RABBITMQ_NODENAME", format!("live{port}@localhost"))
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
            .spawn()
            .unwrap();
        self.keeper = Some(keeper);
        let ready = tokio::time::timeout(PATIENCE, self.until_ready()).await;
        assert!(ready.is_ok(), "RabbitMQ did not start; its log is in {}", folder.display());
    }

    async fn until_ready(&self) {
        let url = self.url();
        while Connection::connect(&url, ConnectionProperties::default()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.crash();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn server_binary() -> PathBuf {
    ["/usr/lib/rabbitmq/bin/rabbitmq-server", "/usr/sbin/rabbitmq-server"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| Path::exists(path))
        .expect(
            "RabbitMQ is not installed: apt-get update && \
             apt-get install -y --no-install-recommends rabbitmq-server",
        )
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    free_ports()[0]
}

/// Ports that were free a moment ago, all different.
fn free_ports() -> [u16; 4] {
    let sockets = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    sockets.map(|socket| socket.local_addr().unwrap().port())
}
