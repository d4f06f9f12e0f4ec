//! Several instances of the gateway over one PostgreSQL, and what happens to each of them in turn.

use crate::Trouble;
use crate::counterparts::ledger::Ledger;
use crate::demo::folder::Site;
use crate::demo::gateway::{Gateway, eprint_line};
use crate::pki::{write_private, write_secret};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

/// The lease that the instances of a demo have: longer than the timeout of its counterparts.
const LEASE: Duration = Duration::from_secs(4);
/// How long an instance is away: longer than its lease, so that the others go on without it.
const AWAY: Duration = Duration::from_secs(7);

/// Options for several instances.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Several {
    /// Keep the store in this PostgreSQL database
    #[arg(long, value_name = "URL")]
    pub postgres: Option<String>,
    /// The authority that signed its certificate, PEM
    #[arg(long, value_name = "FILE", requires = "postgres")]
    pub postgres_ca: Option<PathBuf>,
    /// Instances that share it
    #[arg(long, value_name = "N", default_value_t = 1, requires = "postgres")]
    pub instances: usize,
    /// What happens to one instance after the other at the moments of --kill
    #[arg(long, value_enum, default_value_t)]
    pub harm: Harm,
}

/// What happens to an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Harm {
    /// SIGKILL, and back: at once when it is alone, else after its lease.
    #[default]
    Kill,
    /// SIGSTOP, and SIGCONT after its lease.
    Pause,
    /// SIGTERM, and a new start when it has ended.
    Roll,
}

/// Rewrites the configuration of a site for the database; gives the sites of the other instances.
pub fn configure(program: &Path, site: &Site, several: &Several) -> Result<Vec<Site>, Trouble> {
    let Some(url) = &several.postgres else { return Ok(Vec::new()) };
    let folder = site.folder.display();
    write_secret(&site.folder.join("secrets/store-url"), url)?;
    let mut store =
        format!("url = \"file:{folder}/secrets/store-url\"\nlease = \"{}s\"", LEASE.as_secs());
    if let Some(ca) = &several.postgres_ca {
        write_secret(
            &site.folder.join("certificates/postgres.pem"),
            &std::fs::read_to_string(ca)?,
        )?;
        store.push_str(&format!("\nca = \"file:{folder}/certificates/postgres.pem\""));
    }
    let path = format!("path = \"{folder}/store/watashi.db\"");
    let key = site.folder.join("keys/record");
    let mut made = std::process::Command::new(program);
    made.args(["keys", "new-signing", "record.example/demo", "--output"]).arg(&key);
    if !made.stdout(Stdio::null()).status()?.success() {
        return Err("no signing key".into());
    }
    let text = std::fs::read_to_string(&site.config)?.replace(&path, &store);
    let text = format!("{text}\n[record]\nsigning-key = \"file:{}\"\n", key.display());
    std::fs::remove_file(&site.config)?;
    write_private(&site.config, &text)?;
    (2..=several.instances).map(|number| sibling(site, &text, number)).collect()
}

fn sibling(site: &Site, text: &str, number: usize) -> Result<Site, Trouble> {
    let address = || Ok::<_, Trouble>(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?);
    let (ingest, ops) = (address()?, address()?);
    let bare = |url: &str| url.split("://").last().unwrap_or_default().to_owned();
    let text = text
        .replace(&bare(&site.ingest), &ingest.to_string())
        .replace(&bare(&site.ops), &ops.to_string())
        .replace("name = \"demo\"", &format!("name = \"demo-{number}\""));
    let config = write_private(&site.folder.join(format!("watashi-{number}.toml")), &text)?;
    Ok(Site {
        folder: site.folder.clone(),
        config,
        ingest: format!("https://{ingest}"),
        ops: format!("http://{ops}"),
        ops_token: site.ops_token.clone(),
        health: site.health.clone(),
        authority: site.authority.clone(),
    })
}

/// Starts the other instances.
pub async fn start(program: &Path, sites: &[Site]) -> Result<Vec<Arc<Gateway>>, Trouble> {
    let mut others = Vec::new();
    for (number, site) in (2..).zip(sites) {
        let gateway = Gateway::new(program, site)?.named(format!("run-{number}"));
        gateway.start().await?;
        others.push(Arc::new(gateway));
    }
    Ok(others)
}

/// Does harm to one instance after the other whenever so many effects were seen.
pub async fn harm_at_moments(
    gateways: Vec<Arc<Gateway>>,
    harm: Harm,
    ledger: Arc<Ledger>,
    moments: Vec<usize>,
) -> Result<(), Trouble> {
    let alone = gateways.len() == 1;
    for (moment, gateway) in moments.into_iter().zip(gateways.iter().cycle()) {
        while ledger.effects() < moment {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let word = match harm {
            Harm::Kill if alone => {
                gateway.kill_and_restart().await?;
                "killed"
            }
            Harm::Kill => {
                gateway.kill().await?;
                tokio::time::sleep(AWAY).await;
                gateway.start().await?;
                "killed"
            }
            Harm::Pause => {
                gateway.signal("-STOP").await?;
                tokio::time::sleep(AWAY).await;
                gateway.signal("-CONT").await?;
                "paused"
            }
            Harm::Roll => {
                gateway.stop().await?;
                gateway.start().await?;
                "restarted"
            }
        };
        eprint_line(&format!("{word} after {moment} effects, and back at {}", ledger.effects()));
    }
    Ok(())
}
