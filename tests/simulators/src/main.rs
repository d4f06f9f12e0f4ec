//! `watashi-simulators`: the demo, the counterparts alone, the municipality's messages.
#![expect(clippy::print_stdout, reason = "a program for people and pipes")]

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use watashi_simulators::Trouble;
use watashi_simulators::demo::broker::Broker;
use watashi_simulators::demo::desk::Carrier;
use watashi_simulators::demo::gateway::eprint_line;
use watashi_simulators::demo::{self, Options};
use watashi_simulators::municipality::Municipality;
use watashi_simulators::pki::{self, Identity};
use watashi_simulators::{signing, storage, torture};

/// Simulated counterparts, a synthetic municipality and an oracle for Watashi.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The whole crossing on this machine: counterparts, gateway, a year of messages, the verdict
    ///
    /// Exits with 0 when nothing was lost, doubled, unrecorded, out of order or leaked, with 1
    /// when something was, with 2 when the demo could not be carried out.
    Demo(Options),
    /// Only the counterparts, until Ctrl-C; prints their addresses and a ready watashi.toml
    Counterparts(Options),
    /// Prints the municipality's messages, one JSON object per line, with what must come of each
    Municipality(Options),
    /// The gateway under everything that can go wrong; the last line holds the oracle's figures
    ///
    /// Exits like the demo. Needs a development build of `watashi`: only that can end itself at
    /// named points.
    Torture(torture::Options),
    /// An S3-compatible object storage in memory, until it is ended; prints its address
    Storage(storage::Options),
    /// Prints a trust store and signed packages for `adapters/application-intake/simulator.yaml`
    Packages,
    /// Only posts the messages, to a gateway or broker that runs elsewhere
    Produce(Produce),
}

#[derive(clap::Args)]
struct Produce {
    #[command(flatten)]
    options: Options,
    /// Base URL of the ingest listener (without it: --amqp)
    #[arg(long, value_name = "URL", required_unless_present = "amqp")]
    ingest: Option<String>,
    /// CA certificate of the ingest listener, PEM
    #[arg(long, value_name = "FILE", requires = "ingest")]
    ca: Option<PathBuf>,
    /// Client certificate, PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// Client key, PEM
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return trouble(&error.into()),
    };
    match runtime.block_on(run(arguments.command)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => trouble(&error),
    }
}

async fn run(command: Command) -> Result<bool, Trouble> {
    match command {
        Command::Demo(options) => demo::run(options).await,
        Command::Torture(options) => torture::run(options).await,
        Command::Packages => {
            print!("{}", signing::samples()?);
            Ok(true)
        }
        Command::Counterparts(options) => {
            demo::counterparts_only(options).await?;
            Ok(true)
        }
        Command::Municipality(options) => {
            for message in Municipality::generate(options.plan()).messages {
                println!("{}", serde_json::to_string(&message)?);
            }
            Ok(true)
        }
        Command::Storage(options) => storage::run(options).await,
        Command::Produce(produce) => {
            let summary = demo::produce(produce.options.plan(), carrier(&produce)?).await?;
            println!("{summary}");
            Ok(true)
        }
    }
}

fn carrier(produce: &Produce) -> Result<Carrier, Trouble> {
    if let Some(url) = &produce.options.amqp {
        return Ok(Carrier::Amqp(Box::new(Broker::new(url))));
    }
    let Some(ingest) = produce.ingest.clone() else { return Err("--ingest or --amqp".into()) };
    let ca = produce.ca.as_ref().ok_or("--ca is needed with --ingest")?;
    let identity = match (&produce.certificate, &produce.key) {
        (Some(certificate), Some(key)) => Some(Identity {
            certificate: std::fs::read_to_string(certificate)?,
            key: std::fs::read_to_string(key)?,
        }),
        _ => None,
    };
    let client = pki::https_client(&std::fs::read_to_string(ca)?, identity.as_ref())?;
    Ok(Carrier::Https { client, ingest })
}

fn trouble(error: &Trouble) -> ExitCode {
    eprint_line(&format!("error: {error}"));
    ExitCode::from(2)
}
