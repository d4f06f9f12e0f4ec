//! `watashi broker`: exchanges and queues on the broker.

use super::trouble::{CONFIGURATION, Trouble, exit_of};
use super::{Global, Outcome, load, print};
use crate::config::connect;
use crate::transport::amqp::topology::{self, Finding, Line, Report};
use crate::transport::amqp::{Names, Settings};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

const EXAMPLES: &str = "\
Examples:
  watashi broker apply                              create what is missing
  watashi broker check                              compare, change nothing
  watashi broker export > definitions.json          for `rabbitmqctl import_definitions`";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    act: BrokerCommand,
}

#[derive(Debug, Subcommand)]
enum BrokerCommand {
    /// Create what is missing; what is there with other properties is reported, never changed
    Apply,
    /// Compare with what is expected; changes nothing
    Check,
    /// Print what is expected as a definitions file; offline
    Export {
        /// Virtual host to write for
        #[arg(long, value_name = "VHOST", default_value = "/")]
        vhost: String,
    },
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    let report = match &arguments.act {
        BrokerCommand::Apply => load::wait(topology::apply(&settings(global)?))??,
        BrokerCommand::Check => load::wait(topology::check(&settings(global)?))??,
        BrokerCommand::Export { vhost } => {
            print::json(&topology::export(&Names::default(), vhost))?;
            return Ok(Outcome::Fine);
        }
    };
    let verdict = report.verdict();
    if global.json {
        print::json(&json!({"right": verdict.is_ok(), "items": items(&report)}))?;
    } else {
        for line in &report.lines {
            print::data(&format!("{:<10} {}\n", word(line), line.item))?;
        }
    }
    match verdict {
        Ok(()) => Ok(Outcome::Fine),
        Err(error) => {
            print::human(&format!("error: {error}\nhint: {}", error.code.remedy));
            Ok(Outcome::Exit(exit_of(error.code)))
        }
    }
}

fn settings(global: &Global) -> Result<Settings, Trouble> {
    let config = load::config(global)?;
    let Some(amqp) = &config.amqp else {
        return Err(Trouble::new(CONFIGURATION, "the configuration has no `[amqp]` section")
            .hint("without one Watashi takes messages over HTTPS only"));
    };
    Ok(connect::broker(amqp, false)?)
}

fn items(report: &Report) -> Vec<Value> {
    let one = |line: &Line| {
        let detail = match &line.finding {
            Finding::Different(words) | Finding::Forbidden(words) => Some(words),
            Finding::Right | Finding::Created | Finding::Missing => None,
        };
        json!({"item": line.item, "finding": word(line), "detail": detail})
    };
    report.lines.iter().map(one).collect()
}

fn word(line: &Line) -> &'static str {
    match line.finding {
        Finding::Right => "ok",
        Finding::Created => "created",
        Finding::Missing => "MISSING",
        Finding::Different(_) => "DIFFERENT",
        Finding::Forbidden(_) => "unknown",
    }
}
