//! `watashi keys`: the keys that sign the record, and the change of those that seal.

use super::operator::{Acting, Reasons};
use super::trouble::{CONFIGURATION, Trouble};
use super::{Global, Outcome, load, print};
use crate::archive::seed;
use crate::config::record::public;
use crate::record::note::SigningKey;
use crate::store::rotation::{self, Rewrap, Rewrapped, Rotated, SealedRows};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Instant;

const EXAMPLES: &str = "\
Examples:
  watashi keys new-signing record.example.lg.jp/131237 --output record-2026.key > record.pub
  watashi keys public >> record.pub
  watashi keys rotate --operator 佐藤 --reason 年次更新

The name becomes the origin of the checkpoints and stays for the life of the record. Keep the file
away from the store, and give the public key to whoever verifies. To change the key, make another one
of the same name and set `next-signing-key` and `next-from`; old public keys stay in the verifier's file.

`rotate` is for the keys of `[keys]`: add the new one at the end, name it in `current`, reload every gateway, then
rotate. The first key stays listed for the life of the store. Exit code 1 when something still needs an older key.";

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
    /// Wrap everything sealed under older keys under the current one; may be interrupted and called again
    Rotate {
        #[command(flatten)]
        reasons: Reasons,
    },
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
        KeysCommand::Rotate { reasons } => return rotate(global, reasons),
    }
    Ok(Outcome::Fine)
}

/// Rows between two lines of progress.
const PROGRESS: u64 = 10_000;

fn rotate(global: &Global, reasons: &Reasons) -> Result<Outcome, Trouble> {
    reasons.check()?;
    let config = load::config(global)?;
    let keys = load::keys(&config)?;
    let current = keys.current();
    // Beside a running gateway the traffic goes first.
    let rotated = load::wait(async {
        let acting = Acting::begin(&config).await?;
        let alone = matches!(&acting, Acting::Here { .. }) && config.store.postgres.is_none();
        let step = async |step: Rewrap| {
            let begun = Instant::now();
            let found = acting.rewrap(step).await?;
            if found.current != current {
                let message = format!(
                    "the gateway seals under `{}`, the configuration names `{current}`",
                    found.current
                );
                return Err(Trouble::new(CONFIGURATION, message).hint("`watashi reload` first"));
            }
            if !alone && found.next.is_some() {
                tokio::time::sleep(begun.elapsed() * PAUSE).await;
            }
            Ok(found)
        };
        let told = |rows, walked: &Rewrapped| {
            if walked.next.is_none() || walked.seen.is_multiple_of(PROGRESS) {
                let Rewrapped { seen, rewrapped, .. } = walked;
                print::human(&format!("{}: {seen} looked at, {rewrapped} rewrapped", word(rows)));
            }
        };
        let rotated = rotation::rotate(step, told).await?;
        acting.rotated(&rotated, reasons).await?;
        acting.end().await?;
        Ok::<_, Trouble>(rotated)
    })??;
    if global.json {
        print::json(&rotated)?;
    }
    verdict(&rotated, &keys.listed()).iter().for_each(|line| print::human(line));
    Ok(if rotated.is_whole() { Outcome::Fine } else { Outcome::Exit(1) })
}

/// A pause is so many times as long as the step before it.
const PAUSE: u32 = 10;

fn word(rows: SealedRows) -> &'static str {
    match rows {
        SealedRows::Bodies => "bodies",
        SealedRows::Answers => "answers",
    }
}

/// What became of each key.
fn verdict(rotated: &Rotated, listed: &[String]) -> Vec<String> {
    let Rotated { current, others, damaged, .. } = rotated;
    let mut lines = Vec::new();
    for (key, count) in others {
        let rows = print::plural(usize::try_from(*count).unwrap_or(usize::MAX), "row");
        lines.push(match listed.contains(key) {
            true => {
                format!("key `{key}` is still needed: {rows}; rotate again, or they do not open")
            }
            false => {
                format!("key `{key}` is needed and not listed: {rows}; list it and rotate again")
            }
        });
    }
    if *damaged > 0 {
        lines.push(format!("{damaged} damaged: nobody can tell their key"));
        return lines;
    }
    let unused = listed.iter().filter(|key| *key != current && !others.contains_key(*key));
    for key in unused {
        lines.push(match listed.first() == Some(key) {
            true => format!(
                "key `{key}` seals nothing any more. It stays listed first: lanes, pseudonyms and \
                 idempotency keys derive from it"
            ),
            false => format!("key `{key}` is no longer needed"),
        });
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_no_longer_needed_only_when_nothing_needs_it() {
        let listed = ["k1", "k2", "k3", "k4"].map(str::to_owned);
        let mut rotated = Rotated {
            current: "k4".to_owned(),
            seen: 9,
            rewrapped: 1,
            others: [("k3".to_owned(), 2), ("k0".to_owned(), 1)].into(),
            damaged: 0,
        };
        let lines = verdict(&rotated, &listed);
        assert!(lines[0].starts_with("key `k0` is needed and not listed: 1 row"), "{lines:?}");
        assert!(lines[1].starts_with("key `k3` is still needed: 2 rows"), "{lines:?}");
        assert!(lines[2].contains("`k1` seals nothing any more. It stays listed"), "{lines:?}");
        assert_eq!(lines[3], "key `k2` is no longer needed");
        assert_eq!(lines.len(), 4);
        rotated.damaged = 1;
        let lines = verdict(&rotated, &listed);
        assert!(!lines.iter().any(|line| line.contains("no longer")), "{lines:?}");
    }
}
