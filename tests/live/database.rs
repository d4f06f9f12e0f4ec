//! PostgreSQL as a child process: own port, own data folder, TLS with an authority of its own, run
//! by a user that is not root, gone when the tests are.

use super::services::free_port;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};
use watashi::model::Secret;
use watashi::store::postgres::Address;
use watashi::transport::https::{Identity, tls};

/// How long the server may take to become ready; a guard against hanging, not a measurement.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the server, and kills it when the pipe on its standard input closes: that happens when the
/// test process ends, in whatever way. Unless told a last word, it then removes the folder.
const KEEPER: &str = r#"
folder=$1; shift
"$@" </dev/null >>"$folder/log" 2>&1 &
server=$!
last=$(cat)
kill -9 "$server" 2>/dev/null
wait "$server" 2>/dev/null
[ -n "$last" ] || rm -rf "$folder"
exit 0
"#;

const SETTINGS: &str = "listen_addresses = '127.0.0.1'
ssl = on
ssl_cert_file = 'server.crt'
ssl_key_file = 'server.key'
ssl_ca_file = 'ca.crt'
max_connections = 100
shared_buffers = 32MB
password_encryption = 'scram-sha-256'
";

/// Over the network only with TLS; the tests themselves come through the socket.
const ACCESS: &str = "local all all trust
local replication owner trust
hostssl all machine 127.0.0.1/32 cert
hostssl all all 127.0.0.1/32 scram-sha-256
hostnossl all all 127.0.0.1/32 reject
";

/// The server that tests share; those that break it start one of their own.
pub async fn server() -> &'static Server {
    static SHARED: OnceCell<Server> = OnceCell::const_new();
    SHARED.get_or_init(Server::start).await
}

/// One PostgreSQL server.
pub struct Server {
    folder: PathBuf,
    port: u16,
    authority: Arc<Authority>,
    keeper: Option<Child>,
}

/// A throwaway authority.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    fn new() -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "database tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), certificate }
    }

    /// Certificate and key.
    fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![usage];
        params.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))];
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// The user that the server runs as: PostgreSQL refuses root.
fn user() -> Option<&'static str> {
    let output = Command::new("id").arg("-u").output().unwrap();
    if output.stdout != b"0\n" {
        return None;
    }
    let exists = |name: &&str| Command::new("id").arg(name).output().unwrap().status.success();
    ["postgres", "nobody"].into_iter().find(exists)
}

/// Gives a file or folder to that user.
fn own(path: &Path) {
    if let Some(user) = user() {
        run(&["chown".to_owned(), user.to_owned()], &[path.to_str().unwrap()]);
    }
}

/// A new folder of that user.
fn own_folder() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::SeqCst);
    let name = format!("watashi-live-{}-postgres-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    fs::create_dir_all(&folder).unwrap();
    own(&folder);
    folder
}

fn program(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(user) = user() {
        let groups = Command::new("id").args(["-g", user]).output().unwrap();
        let group = String::from_utf8(groups.stdout).unwrap().trim().to_owned();
        words = ["setpriv", "--reuid", user, "--regid", &group, "--clear-groups", "--"]
            .map(str::to_owned)
            .to_vec();
    }
    words.push(binaries().join(name).display().to_string());
    words
}

/// The folder of the newest version that is installed.
fn binaries() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            Some((version, path.join("bin")))
        })
        .collect();
    found.sort();
    let others = ["/usr/local/bin", "/usr/bin"].map(PathBuf::from);
    let mut all = found.into_iter().rev().map(|(_, path)| path).chain(others);
    all.find(|path| Path::exists(&path.join("initdb"))).expect(
        "PostgreSQL is not installed: apt-get update && \
         apt-get install -y --no-install-recommends postgresql",
    )
}

fn run(words: &[String], more: &[&str]) {
    let output = Command::new(&words[0]).args(&words[1..]).args(more).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?} {more:?}: {told}");
}

impl Server {
    /// Starts a server with an empty cluster and waits until it takes connections.
    pub async fn start() -> Server {
        let folder = own_folder();
        let data = folder.join("data");
        let options = ["--username=owner", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"];
        run(&program("initdb"), &[&options[..], &[data.to_str().unwrap()]].concat());
        let authority = Arc::new(Authority::new());
        let (certificate, key) = authority.issue("server", ExtendedKeyUsagePurpose::ServerAuth);
        let socket = format!("unix_socket_directories = '{}'\n", folder.display());
        for (name, text) in [
            ("server.crt", certificate.as_str()),
            ("server.key", key.as_str()),
            ("ca.crt", authority.certificate.as_str()),
            ("pg_hba.conf", ACCESS),
            ("postgresql.auto.conf", &format!("{SETTINGS}{socket}")),
        ] {
            let path = data.join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            own(&path);
        }
        let mut server = Server { folder, port: free_port(), authority, keeper: None };
        server.resume().await;
        let owner = server.owner("postgres").await;
        let users = "CREATE ROLE watashi LOGIN PASSWORD 'watashi'; CREATE ROLE machine LOGIN";
        owner.batch_execute(users).await.unwrap();
        server
    }

    /// Starts a standby of this server, called `standby`; returns once it streams.
    pub async fn standby(&self) -> Server {
        let folder = own_folder();
        let data = folder.join("data");
        let from = format!(
            "host={} port={} user=owner application_name=standby",
            self.folder.display(),
            self.port
        );
        let copy = ["--no-sync", "--checkpoint=fast", "-R", "-d", &from, "-D"];
        run(&program("pg_basebackup"), &[&copy[..], &[data.to_str().unwrap()]].concat());
        // The last word counts.
        let settings = data.join("postgresql.auto.conf");
        let mut text = fs::read_to_string(&settings).unwrap();
        text.push_str(&format!("\nunix_socket_directories = '{}'\n", folder.display()));
        fs::write(&settings, text).unwrap();
        let authority = Arc::clone(&self.authority);
        let mut standby = Server { folder, port: free_port(), authority, keeper: None };
        standby.resume().await;
        self.until("SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'").await;
        standby
    }

    /// Confirms nothing from now on before the standby has it.
    pub async fn demand_standby(&self) {
        self.set("synchronous_standby_names", "standby").await;
        self.until("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'").await;
    }

    /// Changes a setting of the running server.
    pub async fn set(&self, name: &str, value: &str) {
        let owner = self.owner("postgres").await;
        owner.batch_execute(&format!("ALTER SYSTEM SET {name} = '{value}'")).await.unwrap();
        owner.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    }

    /// Waits until a question of the owner has an answer.
    pub async fn until(&self, sql: &str) {
        let owner = self.owner("postgres").await;
        let answered = tokio::time::timeout(PATIENCE, async {
            while owner.query(sql, &[]).await.unwrap().is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        answered.await.unwrap_or_else(|_| panic!("hangs: {sql}"));
    }

    /// Makes a standby the primary.
    pub async fn promote(&self) {
        let owner = self.owner("postgres").await;
        let promoted = owner.query_one("SELECT pg_promote()", &[]).await.unwrap();
        assert!(promoted.get::<_, bool>(0));
    }

    /// A session of the owner, through the socket.
    pub async fn owner(&self, database: &str) -> Client {
        self.try_owner(database).await.unwrap()
    }

    async fn try_owner(&self, database: &str) -> Result<Client, tokio_postgres::Error> {
        let url = format!(
            "host={} port={} user=owner dbname={database}",
            self.folder.display(),
            self.port
        );
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// A new database; gives its name.
    pub async fn database(&self) -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("store_{}", COUNT.fetch_add(1, Ordering::SeqCst));
        let sql = format!("CREATE DATABASE {name} OWNER watashi TEMPLATE template0");
        self.owner("postgres").await.batch_execute(&sql).await.unwrap();
        name
    }

    /// Where a database is, as a configuration says it.
    pub fn url(&self, database: &str) -> String {
        format!("postgresql://watashi:watashi@127.0.0.1:{}/{database}", self.port)
    }

    /// The same where this server has a standby: both are named, this one first.
    pub fn url_with(&self, standby: &Server, database: &str) -> String {
        let [here, there] = [self.port, standby.port].map(|port| format!("127.0.0.1:{port}"));
        format!("postgresql://watashi:watashi@{here},{there}/{database}")
    }

    /// PEM of the authority that signed the server's certificate.
    pub fn authority(&self) -> &str {
        &self.authority.certificate
    }

    /// The address of a database, over TLS.
    pub fn address(&self, database: &str) -> Address {
        self.address_at(self.url(database))
    }

    /// The same for any URL whose servers this one's authority has signed.
    pub fn address_at(&self, url: String) -> Address {
        let tls = tls::client_config(self.authority().as_bytes(), None).unwrap();
        Address::new(&Secret::new(url), Some(Arc::new(tls))).unwrap()
    }

    /// The same for a role that proves itself by a certificate.
    pub fn address_of_machine(&self, database: &str, name: &str) -> Address {
        let (certificate, key) = self.authority.issue(name, ExtendedKeyUsagePurpose::ClientAuth);
        let identity = Identity {
            certificate_pem: certificate.into_bytes(),
            key_pem: Secret::new(key.into_bytes()),
        };
        let tls = tls::client_config(self.authority().as_bytes(), Some(&identity)).unwrap();
        let url = format!("postgresql://machine@127.0.0.1:{}/{database}", self.port);
        Address::new(&Secret::new(url), Some(Arc::new(tls))).unwrap()
    }

    /// Runs one of the server's own tools through the socket, as the owner.
    pub fn tool(&self, name: &str, arguments: &[&str]) {
        let (folder, port) = (self.folder.display().to_string(), self.port.to_string());
        let place = ["--host", &folder, "--port", &port, "--username", "owner"];
        run(&program(name), &[&place, arguments].concat());
    }

    /// A path that its tools can write to.
    pub fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Kills the server with SIGKILL.
    pub fn crash(&mut self) {
        let Some(mut keeper) = self.keeper.take() else { return };
        if let Some(mut pipe) = keeper.stdin.take() {
            std::io::Write::write_all(&mut pipe, b"keep the folder").unwrap();
        }
        keeper.wait().unwrap();
    }

    /// Starts it again on the same port and data, and waits until it takes connections. It may
    /// refuse for a moment, while processes of the killed one still hold its memory.
    pub async fn resume(&mut self) {
        let ready = tokio::time::timeout(PATIENCE, async {
            loop {
                let ended =
                    self.keeper.as_mut().is_none_or(|keeper| keeper.try_wait().unwrap().is_some());
                if ended || !self.is_running() {
                    self.crash();
                    self.keeper = Some(self.spawn());
                }
                if self.try_owner("postgres").await.is_ok() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let ready = ready.await.is_ok();
        let log = self.folder.join("log");
        assert!(ready, "PostgreSQL did not start: {}", fs::read_to_string(log).unwrap());
    }

    /// Whether the last server that was started has not given up.
    fn is_running(&self) -> bool {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let last = log.lines().next_back().unwrap_or_default();
        !last.contains("HINT:") && !last.contains("FATAL:  lock file")
    }

    fn spawn(&self) -> Child {
        let data = self.folder.join("data").display().to_string();
        // What the last one said is not what this one says.
        let _none_yet = fs::remove_file(self.folder.join("log"));
        Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(&self.folder)
            .args(program("postgres"))
            .args(["-D", &data, "-p", &self.port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.crash();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
