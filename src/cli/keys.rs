//! `watashi keys`: the keys that sign the record.

use super::trouble::Trouble;
use super::{Global, Outcome, load, print};
use crate::archive::seed;
use crate::config::record::public;
use crate::record::note::SigningKey;
use clap::{Args, Subcommand};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  watashi keys new-signing record.example.lg.jp/131237 --output record-2026.key > record.pub
  watashi keys public >> record.pub

The name becomes the origin of the checkpoints and stays for the life of the record. Keep the file
away from the store, and give the public key to whoever verifies. To change the key, make another one
of the same name and set `next-signing-key` and `next-from`; old public keys stay in the verifier's file.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    act: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Make a signing key; prints its public half
    NewSigning {
        /// Name of the log, such as record.example.lg.jp/131237; no spaces, no plus
        #[arg(value_name = "NAME")]
        name: String,
        /// A new file for the private key; only its owner may read it
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
    /// Print the public keys that the configuration knows of
    Public,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    match &arguments.act {
        KeysCommand::NewSigning { name, output } => {
            let private = seed::new(name)?;
            let key = SigningKey::parse(&private)
                .map_err(|error| Trouble::usage(format!("`{name}`: {}", error.reason())))?;
            seed::write(output, &private)?;
            print::data(&format!("{}\n", key.public()))?;
            print::human(&format!("the private key is in `{}`", output.display()));
        }
        KeysCommand::Public => {
            let keys = public(&load::config(global)?)?;
            for key in &keys {
                print::data(&format!("{key}\n"))?;
            }
            if keys.is_empty() {
                print::human("no signing key yet: `watashi run` makes one when it starts");
            }
        }
    }
    Ok(Outcome::Fine)
}
