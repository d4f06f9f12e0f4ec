//! The command line: one file per command, one way of telling trouble.
//!
//! Data goes to standard output, everything meant for a person's eyes to standard error. Exit
//! codes: 0 ok, 1 findings, 2 usage, 3 integrity, 69 something is not available, 78 configuration.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

mod apart;
mod approvals;
mod backup;
mod broker;
mod characters;
mod check;
mod counts;
mod deciding;
mod demands;
mod disclosure;
mod dlq;
mod docs;
mod explain;
mod files;
mod format;
mod keys;
mod lint;
mod list;
mod load;
mod log;
mod new;
mod operator;
mod print;
mod reconcile;
mod reference;
mod reload;
mod replay;
mod restore;
mod run;
mod schema;
mod simulated;
mod status;
mod test;
mod trace;
mod trouble;
mod try_one;

pub use log::verify_main;
use trouble::Trouble;

const EXAMPLES: &str = "\
Examples:
  watashi lint                       check definitions and watashi.toml, offline
  watashi test my-mapping            run the cases of one mapping
  watashi try my-route message.json  show every station for one message; sends nothing
  watashi check                      is everything there that `run` needs?
  watashi run                        carry messages until told to stop
  watashi dlq list                   what waits for a person
  watashi explain G201               the page of a code

Exit codes: 0 ok, 1 findings, 2 usage, 3 integrity, 69 not available, 78 configuration";

/// Watashi (渡し) carries messages between a municipal health system and its counterparts.
#[derive(Debug, Parser)]
#[command(name = "watashi", version, after_help = EXAMPLES, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options that every command has.
#[derive(Debug, Args)]
struct Global {
    /// The configuration [default: watashi.toml]
    #[arg(short, long, global = true, value_name = "FILE", env = "WATASHI_CONFIG")]
    config: Option<PathBuf>,
    /// Print data as JSON on standard output
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Carry messages until told to stop
    Run,
    /// Let the running gateway read its configuration and definitions again
    Reload(reload::Arguments),
    /// Check definitions and configuration, every problem at once; offline
    Lint(lint::Arguments),
    /// Run the cases of mappings and show what differs
    Test(test::Arguments),
    /// Show every station for one message; nothing is sent or stored
    Try(try_one::Arguments),
    /// Show which characters of a file a repertoire lacks, by row, column and code point
    Characters(characters::Arguments),
    /// See whether everything is there that `run` needs: files, keys, store, broker, counterparts
    Check(check::Arguments),
    /// Explain a code, or what a route discloses; offline
    Explain(explain::Arguments),
    /// List routes, adapters, mappings, schemas, or exchanges in the store
    List(list::Arguments),
    /// Count exchanges by route, state and code
    Status,
    /// Everything about one message, in the order of time
    Trace(trace::Arguments),
    /// Look at and act on what waits for a person
    Dlq(dlq::Arguments),
    /// What waits for a second person, and their word
    Approvals(approvals::Arguments),
    /// What counterparts ask for and a person must answer
    Demands(demands::Arguments),
    /// Answer a demand; a second person must agree before it is sent
    Answer(demands::Answer),
    /// Send many exchanges again, as a task
    Replay(replay::Arguments),
    /// Compare what a counterpart holds with the originals, by key; this itself becomes an entry
    Reconcile(reconcile::Arguments),
    /// Search, verify, export, disclose and prune the record
    Log(log::Arguments),
    /// Copy the store beside a running gateway, or look at such a copy
    Backup(backup::Arguments),
    /// Put a backup in the place of a lost store; nothing is sent blindly after it
    Restore(restore::Arguments),
    /// Make and show the keys that sign the record
    Keys(keys::Arguments),
    /// Count the records of a month; what could show a person is withheld
    Counts(counts::Arguments),
    /// Exchanges and queues on the broker
    Broker(broker::Arguments),
    /// Write files ready to be edited: a schema, a mapping, an adapter
    New(new::Arguments),
    /// Write mappings as tables (項目対応表): terminal, HTML, CSV
    Docs(docs::Arguments),
    /// Put the YAML definitions into their usual form; comments stay
    Format(format::Arguments),
    /// Print JSON Schemas of the files people write, for editors
    Schema(schema::Arguments),
    /// Print a reference page generated from the code, as Markdown
    #[command(hide = true)]
    Reference(reference::Arguments),
}

/// How a command that worked ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// All well.
    Fine,
    /// It found what it looks for: problems, differences.
    Findings,
    /// Another exit code of the list.
    Exit(u8),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too, with exit code 0.
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    match dispatch(&cli) {
        Ok(Outcome::Fine) => ExitCode::SUCCESS,
        Ok(Outcome::Findings) => ExitCode::from(1),
        Ok(Outcome::Exit(code)) => ExitCode::from(code),
        Err(trouble) => {
            print::human(&trouble.to_string());
            ExitCode::from(trouble.exit)
        }
    }
}

fn dispatch(cli: &Cli) -> Result<Outcome, Trouble> {
    let global = &cli.global;
    match &cli.command {
        Command::Run => run::run(global),
        Command::Reload(arguments) => reload::run(global, arguments),
        Command::Lint(arguments) => lint::run(global, arguments),
        Command::Test(arguments) => test::run(global, arguments),
        Command::Try(arguments) => try_one::run(global, arguments),
        Command::Characters(arguments) => characters::run(global, arguments),
        Command::Check(arguments) => check::run(global, arguments),
        Command::Explain(arguments) => explain::run(global, arguments),
        Command::List(arguments) => list::run(global, arguments),
        Command::Status => status::run(global),
        Command::Trace(arguments) => trace::run(global, arguments),
        Command::Dlq(arguments) => dlq::run(global, arguments),
        Command::Approvals(arguments) => approvals::run(global, arguments),
        Command::Demands(arguments) => demands::run(global, arguments),
        Command::Answer(arguments) => demands::answer(global, arguments),
        Command::Replay(arguments) => replay::run(global, arguments),
        Command::Reconcile(arguments) => reconcile::run(global, arguments),
        Command::Log(arguments) => log::run(global, arguments),
        Command::Backup(arguments) => backup::run(global, arguments),
        Command::Restore(arguments) => restore::run(global, arguments),
        Command::Keys(arguments) => keys::run(global, arguments),
        Command::Counts(arguments) => counts::run(global, arguments),
        Command::Broker(arguments) => broker::run(global, arguments),
        Command::New(arguments) => new::run(global, arguments),
        Command::Docs(arguments) => docs::run(global, arguments),
        Command::Format(arguments) => format::run(global, arguments),
        Command::Schema(arguments) => schema::run(global, arguments),
        Command::Reference(arguments) => reference::run(arguments),
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
