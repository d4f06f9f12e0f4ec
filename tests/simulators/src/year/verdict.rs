//! The end of a year: figures, differences, and whether it was a good one.
#![expect(clippy::print_stdout, reason = "the last line is for whoever started it")]

use super::play::Played;
use super::reconcile::Compared;
use crate::demo::Stage;
use crate::demo::gateway::eprint_line;
use crate::demo::report::Report;
use serde_json::json;

/// Connections the gateway may try while PMH is out of reach for a day: failures until its breaker
/// opens, what was under way then, and probes.
const MOST_TRIES: u64 = 60;

/// Everything that was found.
pub(crate) struct Verdict<'a> {
    /// The run.
    pub(crate) stage: &'a Stage,
    /// Oracle, record, leaks.
    pub report: Report,
    /// The playing.
    pub played: Played,
    /// The books.
    pub books: Compared,
}

impl Verdict<'_> {
    fn is_good(&self) -> bool {
        self.report.is_good()
            && self.played.missing.is_empty()
            && self.played.tried <= MOST_TRIES
            && self.books.differences.is_empty()
            && self.books.problems.is_empty()
    }

    /// Prints it; gives whether it is good.
    pub(crate) fn print(&self) -> bool {
        eprint_line(&self.report.text());
        for (owner, items) in &self.books.items {
            let differing = self.books.differences.iter().filter(|one| one.owner == *owner);
            eprint_line(&format!("{items:7} items of {owner}, {} differ", differing.count()));
        }
        for difference in self.books.differences.iter().take(40) {
            eprint_line(&format!("  {}", difference.line()));
        }
        for problem in &self.books.problems {
            eprint_line(&format!("  {problem}"));
        }
        for missing in &self.played.missing {
            eprint_line(&format!("  not in time: {missing}"));
        }
        if self.played.tried > MOST_TRIES {
            eprint_line(&format!("  {} connections tried during the outage", self.played.tried));
        }
        match self.stage.options.json {
            true => println!("{}", self.json()),
            false => println!("{}", self.line()),
        }
        self.is_good()
    }

    fn line(&self) -> String {
        let verdict = &self.report.verdict;
        format!(
            "year seed {} {} moments {} messages {} requests {} items {} differences {} late {} lost {} \
             doubled {} unrecorded {} out_of_order {} canary_hits {} record {} seconds {:.0}: {}",
            self.stage.options.seed,
            if self.stage.options.amqp.is_some() { "rabbitmq" } else { "https" },
            self.played.moments,
            self.stage.desk.posted().len(),
            self.report.requests,
            self.books.items.iter().map(|(_, items)| items).sum::<usize>(),
            self.books.differences.len(),
            self.played.missing.len(),
            verdict.lost.len(),
            verdict.doubled.len(),
            verdict.unrecorded.len(),
            verdict.out_of_order.len(),
            self.report.hits.len(),
            if self.report.verified { "verified" } else { "NOT VERIFIED" },
            self.report.seconds,
            if self.is_good() { "equal" } else { "NOT EQUAL" },
        )
    }

    fn json(&self) -> serde_json::Value {
        let mut all = self.report.json();
        if let Some(map) = all.as_object_mut() {
            map.insert("moments".to_owned(), self.played.moments.into());
            map.insert("late".to_owned(), json!(self.played.missing));
            map.insert("differences".to_owned(), json!(self.books.differences));
            let items = self.books.items.iter().map(|(owner, items)| json!([owner, items]));
            map.insert("items".to_owned(), items.collect());
            map.insert("equal".to_owned(), self.is_good().into());
        }
        all
    }
}
