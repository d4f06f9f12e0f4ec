//! A PostgreSQL server as a child process: own port, own folder, run by a user that is not root,
//! killed, restarted and resumed at will.

use crate::Trouble;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long the server may take to become ready, also after its disk was full.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the server, and kills it when the pipe on its standard input closes, which also happens
/// when this program ends in whatever way.
const KEEPER: &str = r#"
folder=$1; shift
"$@" </dev/null >>"$folder/log" 2>&1 &
server=$!
cat >/dev/null
kill -9 "$server" 2>/dev/null
wait "$server" 2>/dev/null
exit 0
"#;

/// Only from this machine; several instances share it.
const SETTINGS: &str = "listen_addresses = '127.0.0.1'\nmax_connections = 200\n\
     shared_buffers = 32MB\nmax_wal_size = 96MB\nmin_wal_size = 32MB\n";
const ACCESS: &str = "local all all trust\nhost all all 127.0.0.1/32 trust\n";

/// One server.
pub struct Postgres {
    folder: PathBuf,
    port: u16,
    keeper: Option<Child>,
}

impl Postgres {
    /// Starts a server with an empty cluster in `folder` and waits until it takes connections.
    pub async fn start(folder: &Path) -> Result<Postgres, Trouble> {
        fs::create_dir_all(folder)?;
        // The socket's name must stay short.
        let socket = std::env::temp_dir().join(format!("wt-pg-{}", std::process::id()));
        fs::create_dir_all(&socket)?;
        own(folder)?;
        own(&socket)?;
        let data = folder.join("data").display().to_string();
        let options = ["--username=watashi", "--encoding=UTF8", "--locale=C", "--no-sync"];
        run(command("initdb")?.args(options).args(["-D", &data]))?;
        let socket = format!("unix_socket_directories = '{}'\n", socket.display());
        for (name, text) in
            [("pg_hba.conf", ACCESS), ("postgresql.auto.conf", &format!("{SETTINGS}{socket}"))]
        {
            let path = folder.join("data").join(name);
            fs::write(&path, text)?;
            own(&path)?;
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut server = Postgres { folder: folder.to_path_buf(), port, keeper: None };
        server.resume().await?;
        Ok(server)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// `postgresql://…` of a database at an address of the caller's: its own or a relay.
    pub fn url(address: SocketAddr, database: &str) -> String {
        format!("postgresql://watashi:watashi@{address}/{database}")
    }

    /// Makes a new database.
    pub fn database(&self, name: &str) -> Result<(), Trouble> {
        let port = self.port.to_string();
        run(command("createdb")?.args([
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-U",
            "watashi",
            "-T",
            "template0",
            name,
        ]))
    }

    /// Kills it (SIGKILL).
    pub fn crash(&mut self) -> Result<(), Trouble> {
        let Some(mut keeper) = self.keeper.take() else { return Ok(()) };
        drop(keeper.stdin.take());
        keeper.wait()?;
        Ok(())
    }

    /// Ends its sessions in the middle of what they do, and starts it anew in good order.
    pub async fn restart(&mut self) -> Result<(), Trouble> {
        let data = self.folder.join("data").display().to_string();
        run(command("pg_ctl")?.args(["-D", &data, "-m", "fast", "-w", "stop"]))?;
        self.crash()?;
        self.resume().await
    }

    /// Starts it where it does not run, and waits until it takes connections. It may refuse for a
    /// moment, while processes of the killed one still hold its memory.
    pub async fn resume(&mut self) -> Result<(), Trouble> {
        let port = self.port.to_string();
        let folder = self.folder.display().to_string();
        let ready = async {
            loop {
                let ended = match &mut self.keeper {
                    Some(keeper) => keeper.try_wait()?.is_some() || !is_running(&self.folder),
                    None => true,
                };
                if ended {
                    self.crash()?;
                    self.keeper = Some(spawn(&self.folder, &port)?);
                }
                let asked = command("psql")?
                    .args(["-h", "127.0.0.1", "-p", &port, "-U", "watashi", "-d", "postgres"])
                    .args(["-c", "SELECT 1"])
                    .output()?;
                if asked.status.success() {
                    return Ok::<_, Trouble>(());
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let slow = |_| format!("PostgreSQL did not start; its log is in {folder}");
        tokio::time::timeout(PATIENCE, ready).await.map_err(slow)?
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ended = self.crash();
    }
}

/// Whether the last server that was started has not given up.
fn is_running(folder: &Path) -> bool {
    let log = fs::read(folder.join("log")).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let last = log.lines().next_back().unwrap_or_default();
    !last.contains("HINT:")
        && !last.contains("FATAL:  lock file")
        && !last.contains("database system is shut down")
        && !last.contains("could not write")
}

fn spawn(folder: &Path, port: &str) -> Result<Child, Trouble> {
    // What the last one said is not what this one says.
    let _none_yet = fs::remove_file(folder.join("log"));
    let data = folder.join("data").display().to_string();
    let keeper = Command::new("sh")
        .args(["-c", KEEPER, "keeper"])
        .arg(folder)
        .args(words("postgres")?)
        .args(["-D", &data, "-p", port])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(keeper)
}

/// Gives a path to the user that the server runs as.
fn own(path: &Path) -> Result<(), Trouble> {
    match user() {
        Some(user) => run(Command::new("chown").arg(user).arg(path)),
        None => Ok(()),
    }
}

/// The user that the server runs as when we are root: PostgreSQL refuses root.
fn user() -> Option<&'static str> {
    let told = |words: &[&str]| Command::new("id").args(words).output().ok();
    if told(&["-u"])?.stdout != b"0\n" {
        return None;
    }
    let exists = |name: &&str| told(&[name]).is_some_and(|output| output.status.success());
    ["postgres", "nobody"].into_iter().find(exists)
}

fn words(program: &str) -> Result<Vec<String>, Trouble> {
    let mut words = Vec::new();
    if let Some(user) = user() {
        let groups = Command::new("id").args(["-g", user]).output()?;
        let group = String::from_utf8(groups.stdout)?.trim().to_owned();
        words = ["setpriv", "--reuid", user, "--regid", &group, "--clear-groups", "--"]
            .map(str::to_owned)
            .to_vec();
    }
    words.push(binaries()?.join(program).display().to_string());
    Ok(words)
}

fn command(program: &str) -> Result<Command, Trouble> {
    let words = words(program)?;
    let (first, rest) = words.split_first().ok_or("no program")?;
    let mut command = Command::new(first);
    command.args(rest).current_dir("/");
    Ok(command)
}

/// The folder of the newest version that is installed.
fn binaries() -> Result<PathBuf, Trouble> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let path = entry.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            Some((version, path.join("bin")))
        })
        .collect();
    found.sort();
    let others = ["/usr/local/bin", "/usr/bin"].map(PathBuf::from);
    let mut all = found.into_iter().rev().map(|(_, path)| path).chain(others);
    all.find(|path| path.join("initdb").exists())
        .ok_or_else(|| "PostgreSQL is not installed: run `make setup`".into())
}

fn run(command: &mut Command) -> Result<(), Trouble> {
    let output = command.output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}
