//! Where PostgreSQL is, and how one of its servers is reached: TLS, and the one of several that can
//! be written.

use super::connection::{ANSWER, Purpose, Session, odd, unreachable};
use crate::model::Secret;
use crate::model::codes::store as codes;
use crate::store::StoreError;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Longest wait for a connection to one server, and for what a session begins with.
const CONNECT: Duration = Duration::from_secs(5);

/// Where PostgreSQL is: one server, or several of which one can be written.
#[derive(Clone)]
pub struct Address {
    config: Config,
    /// The same, one for each server: one that takes a connection and says nothing must not use up
    /// the time of the others.
    servers: Arc<[Config]>,
    /// The server that was found last; all sessions look there first.
    found: Arc<AtomicUsize>,
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Address").field("hosts", &self.hosts()).finish_non_exhaustive()
    }
}

impl Address {
    /// Reads `postgresql://user:password@host[:port][,host…]/database`. Without `tls` only this
    /// machine is spoken to: a loopback address or a socket in the file system.
    ///
    /// # Errors
    /// `T111` for a URL that cannot be used, `T112` for another machine without TLS.
    pub fn new(
        url: &Secret<String>,
        tls: Option<Arc<rustls::ClientConfig>>,
    ) -> Result<Address, StoreError> {
        let unusable = |detail: &str| StoreError::new(&codes::STORE_ADDRESS, detail);
        let mut config: Config = url
            .expose()
            .parse()
            .map_err(|_| unusable("not postgresql://user:password@host/database"))?;
        if config.get_hosts().is_empty() {
            return Err(unusable("it names no host"));
        }
        let near = config.get_hosts().iter().all(is_here)
            && config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback);
        if tls.is_none() && !near {
            return Err(StoreError::new(&codes::STORE_TLS_NEEDED, ""));
        }
        let ssl = if tls.is_some() { SslMode::Require } else { SslMode::Disable };
        settings_of(&mut config, ssl);
        let servers = each_server(&config)
            .ok_or_else(|| unusable("as many ports as hosts are needed, or one for all"))?;
        Ok(Address { config, servers: servers.into(), found: Arc::default(), tls })
    }

    /// How many servers it names.
    pub fn servers(&self) -> usize {
        self.servers.len()
    }

    /// The hosts, for people.
    pub fn hosts(&self) -> String {
        let name = |host: &Host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        };
        self.config.get_hosts().iter().map(name).collect::<Vec<_>>().join(", ")
    }

    /// Each server with its port, as `host:port`.
    pub fn addresses(&self) -> Vec<String> {
        let ports = self.config.get_ports();
        let port = |index: usize| ports.get(index).or(ports.first()).copied().unwrap_or(5432);
        let hosts = self.config.get_hosts().iter().enumerate();
        let name = |(index, host): (usize, &Host)| match host {
            Host::Tcp(name) => format!("{}:{}", name.to_ascii_lowercase(), port(index)),
            Host::Unix(path) => format!("{}:{}", path.display(), port(index)),
        };
        hosts.map(name).collect()
    }

    /// The database; without a name in the URL it is that of the role.
    pub fn database(&self) -> &str {
        self.config.get_dbname().unwrap_or_else(|| self.role())
    }

    /// The role that logs in; empty where the URL names none.
    pub fn role(&self) -> &str {
        self.config.get_user().unwrap_or_default()
    }

    /// A new session. `statements` are prepared at once: what is sent in one go later keeps its
    /// order only when nothing of it has to be prepared in between.
    pub(super) async fn connect(
        &self,
        purpose: Purpose,
        statements: &[&'static str],
    ) -> Result<Session, StoreError> {
        let late = |_| Err(unreachable("no connection in time"));
        let first = self.found.load(Ordering::Relaxed);
        let around = self.servers.iter().enumerate().cycle().skip(first);
        let mut failures = Vec::new();
        for (number, server) in around.take(self.servers.len()) {
            let client = tokio::time::timeout(CONNECT, self.reach(server)).await;
            match client.unwrap_or_else(late) {
                Ok(client) => {
                    self.found.store(number, Ordering::Relaxed);
                    let opened = Session::open(client, purpose, statements);
                    let late = |_| Err(unreachable("the session was not ready in time"));
                    return tokio::time::timeout(CONNECT, opened).await.unwrap_or_else(late);
                }
                Err(error) => failures.push(error),
            }
        }
        Err(all_of(failures))
    }

    async fn reach(&self, server: &Config) -> Result<Client, StoreError> {
        Ok(match &self.tls {
            Some(tls) => {
                let connector = MakeRustlsConnect::new(tls.as_ref().clone());
                let (client, connection) = server.connect(connector).await?;
                // Its error is what every later call on the client answers.
                tokio::spawn(async move { connection.await.map_or((), |()| ()) });
                client
            }
            None => {
                let (client, connection) = server.connect(NoTls).await?;
                tokio::spawn(async move { connection.await.map_or((), |()| ()) });
                client
            }
        })
    }
}

/// One configuration for each server of several; `None` where ports and hosts do not go together.
fn each_server(config: &Config) -> Option<Vec<Config>> {
    let (hosts, ports) = (config.get_hosts(), config.get_ports());
    if hosts.len() < 2 {
        return Some(vec![config.clone()]);
    }
    let addresses = config.get_hostaddrs();
    if ports.len() > 1 && ports.len() != hosts.len()
        || !addresses.is_empty() && addresses.len() != hosts.len()
    {
        return None;
    }
    let one = |(number, host): (usize, &Host)| {
        let mut one = Config::new();
        match host {
            Host::Tcp(name) => one.host(name),
            Host::Unix(path) => one.host_path(path),
        };
        if let Some(address) = addresses.get(number) {
            one.hostaddr(*address);
        }
        if let Some(port) = ports.get(number).or(ports.first()) {
            one.port(*port);
        }
        config.get_user().map(|user| one.user(user));
        config.get_password().map(|password| one.password(password));
        config.get_dbname().map(|name| one.dbname(name));
        config.get_options().map(|options| one.options(options));
        one.channel_binding(config.get_channel_binding());
        settings_of(&mut one, config.get_ssl_mode());
        one
    };
    Some(hosts.iter().enumerate().map(one).collect())
}

/// What every connection of ours has.
fn settings_of(config: &mut Config, ssl: SslMode) {
    config
        .application_name("watashi")
        .ssl_mode(ssl)
        .target_session_attrs(TargetSessionAttrs::ReadWrite)
        .connect_timeout(CONNECT)
        .keepalives_idle(Duration::from_secs(10))
        .keepalives_interval(Duration::from_secs(5))
        .keepalives_retries(2)
        .tcp_user_timeout(ANSWER);
}

/// Why none of the servers would do.
fn all_of(mut failures: Vec<StoreError>) -> StoreError {
    if failures.len() < 2 {
        return failures.pop().unwrap_or_else(odd);
    }
    let details: Vec<&str> = failures.iter().map(|error| error.detail.as_str()).collect();
    unreachable(details.join("; "))
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost"
                || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_machine_is_spoken_to_over_tls_only() {
        let address = |url: &str| Address::new(&Secret::new(url.to_owned()), None);
        for near in [
            "postgresql://w:p@127.0.0.1:5432/w",
            "postgresql://w@[::1]/w",
            "postgresql://w@localhost/w",
            "postgresql://w@%2Fvar%2Frun%2Fpostgresql/w",
        ] {
            assert!(address(near).is_ok(), "{near}");
        }
        for far in ["postgresql://w:p@10.0.0.5/w", "postgresql://w:p@localhost,db.example/w"] {
            assert_eq!(address(far).unwrap_err().code, &codes::STORE_TLS_NEEDED, "{far}");
        }
        for bad in ["mysql://w@localhost/w", "postgresql:///w"] {
            let error = address(bad).unwrap_err();
            assert_eq!(error.code, &codes::STORE_ADDRESS, "{bad}");
        }
    }

    #[test]
    fn several_servers_are_tried_one_by_one_each_on_its_own_port() {
        let address = |url: &str| Address::new(&Secret::new(url.to_owned()), None);
        let two = address("postgresql://w:p@127.0.0.1:5001,127.0.0.1:5002/w").unwrap();
        let ports: Vec<&[u16]> = two.servers.iter().map(Config::get_ports).collect();
        assert_eq!(ports, [[5001], [5002]]);
        for server in &*two.servers {
            assert_eq!(server.get_user(), Some("w"));
            assert_eq!(server.get_password(), Some(b"p".as_slice()));
            assert_eq!(server.get_dbname(), Some("w"));
            assert_eq!(server.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
            assert_eq!(server.get_ssl_mode(), SslMode::Disable);
        }
        assert_eq!(address("postgresql://w:p@127.0.0.1/w").unwrap().servers(), 1);
        let same = address("host=localhost,127.0.0.1 port=5003 user=w dbname=w").unwrap();
        assert!(same.servers.iter().all(|server| server.get_ports() == [5003]));
    }
}
