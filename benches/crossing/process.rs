//! A forwarder as a child process: what it uses, and how it ends.

use std::fs;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::process::{Child, Command};

/// Unit of the times in `/proc/PID/stat`: Linux shows hundredths of a second on every machine.
pub const TICKS_PER_SECOND: f64 = 100.0;
/// A forwarder that used less CPU than this in `QUIET` has nothing left to do.
const IDLE_CPU: f64 = 0.03;
const QUIET: Duration = Duration::from_millis(500);
/// How long finishing and stopping may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running forwarder; killed when dropped.
pub struct Forwarder {
    child: Child,
    pid: u32,
}

impl Forwarder {
    /// Starts it.
    pub fn start(command: &mut Command) -> Forwarder {
        let child = command.kill_on_drop(true).spawn().unwrap();
        let pid = child.id().unwrap();
        Forwarder { child, pid }
    }

    /// Resolves when it ends by itself, which it should not.
    pub async fn ended(&mut self) {
        let status = self.child.wait().await;
        eprintln!("forwarder: {status:?}");
    }

    /// User and system time of all its threads so far.
    pub fn cpu_seconds(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap();
        // The name in parentheses may hold anything; what follows does not.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |index: usize| fields[index].parse::<f64>().unwrap();
        (ticks(11) + ticks(12)) / TICKS_PER_SECOND
    }

    /// The same, as soon as it has nothing left to do.
    pub async fn cpu_when_idle(&self) -> f64 {
        let waiting = async {
            let mut before = self.cpu_seconds();
            loop {
                tokio::time::sleep(QUIET).await;
                let now = self.cpu_seconds();
                if now - before < IDLE_CPU {
                    return before;
                }
                before = now;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("it becomes idle")
    }

    /// Largest resident set so far.
    pub fn peak_rss_mb(&self) -> f64 {
        self.status_mb("VmHWM:")
    }

    /// Resident set now.
    pub fn rss_mb(&self) -> f64 {
        self.status_mb("VmRSS:")
    }

    fn status_mb(&self, name: &str) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1024.0
    }

    /// Asks it to end and waits until it has.
    pub async fn stop(mut self) {
        let pid = self.pid.to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
        assert!(told.success(), "kill -TERM {pid}");
        let status: ExitStatus =
            tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it stops").unwrap();
        assert!(status.success(), "the forwarder ended with {status}");
    }
}
