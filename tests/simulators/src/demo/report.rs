//! The end of the demo: tables, verdict, record, leaks, and what to type next.
#![expect(clippy::print_stdout, reason = "the report is the demo's output")]

use crate::Trouble;
use crate::counterparts::Running;
use crate::demo::Stage;
use crate::demo::folder::Site;
use crate::demo::gateway::{Count, eprint_line, items};
use crate::oracle::{Case, DeadLetter, Entry, Verdict, judge};
use crate::scanner::{Hit, Scanner};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// One line of the table.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Route {
    /// Name of the route.
    pub route: String,
    /// Exchanges accepted.
    pub accepted: u64,
    /// Delivered.
    pub delivered: u64,
    /// Extra attempts.
    pub retried: u64,
    /// Unknown, then resolved.
    pub unknown_resolved: u64,
    /// Dead, by code.
    pub dead: BTreeMap<String, u64>,
}

/// The whole record, as an auditor gets it: that itself becomes an entry.
pub const EXPORT: [&str; 6] =
    ["log", "export", "--operator", "oracle", "--reason", "compared with what happened"];

/// Everything that is shown.
pub struct Report {
    routes: Vec<Route>,
    /// The oracle's.
    pub verdict: Verdict,
    entries: usize,
    /// The record verifies.
    pub verified: bool,
    /// Personal data found where none may be.
    pub hits: Vec<Hit>,
    /// What was waited for in vain.
    pub missing: Vec<String>,
    /// What else went wrong.
    pub problems: Vec<String>,
    faults: BTreeMap<String, u64>,
    /// Requests the counterparts saw.
    pub requests: usize,
    trace: String,
    next: String,
    /// How long it took.
    pub seconds: f64,
}

#[derive(Deserialize)]
struct Line {
    entry: Entry,
}

impl Report {
    /// Asks the gateway for its side, stops it, searches what it left, judges.
    pub(crate) async fn collect(stage: &Stage, missing: Vec<String>) -> Result<Self, Trouble> {
        let gateway = &stage.gateway;
        let seconds = stage.began.elapsed().as_secs_f64();
        let counts = gateway.counts().await.unwrap_or_default();
        let (_, metrics) = gateway.get("/metrics").await?;
        std::fs::write(stage.site.folder.join("cli/metrics.stdout"), metrics)?;
        let (verified, _) = gateway.cli("log-verify", &["log", "verify", "--json"]).await?;
        let (_, exported) = gateway.cli("log-export", &EXPORT).await?;
        let (_, letters) = gateway.cli("dlq-list", &["dlq", "list", "--json"]).await?;
        let lines: Vec<Line> = items(&exported);
        let case = Case {
            posted: stage.desk.posted(),
            evidence: stage.running.ledger.evidence(),
            applications: applications(stage),
            spoilt: stage.town.spoilt(),
            answers: stage.desk.answers(),
            dead: items::<DeadLetter>(&letters),
            entries: lines.into_iter().map(|line| line.entry).collect(),
            clock_jumped: stage.options.clock_jumps,
        };
        let verdict = judge(&case);
        let id = example(&case);
        gateway.cli("list", &["list", "--json", "--message", &id]).await?;
        let (_, trace) = gateway.cli("trace", &["trace", &id]).await?;
        let mut problems = Vec::new();
        for gateway in std::iter::once(gateway).chain(&stage.others) {
            if !stage.options.keep
                && let Err(problem) = gateway.stop().await
            {
                problems.push(problem.to_string());
            }
        }
        let scanner = Scanner::beside(&stage.options.definitions, &stage.town.people)?;
        let mut hits = Vec::new();
        for folder in ["logs", "store", "cli"] {
            hits.extend(scanner.scan_folder(&stage.site.folder.join(folder))?);
        }
        Ok(Report {
            routes: routes(&counts),
            verdict,
            entries: case.entries.len(),
            verified,
            hits,
            missing,
            problems,
            requests: case.evidence.receipts.len(),
            faults: case.evidence.faults,
            trace,
            next: next(&stage.site, &id),
            seconds,
        })
    }

    /// Whether everything is as it must be.
    pub fn is_good(&self) -> bool {
        self.verdict.is_clean()
            && self.verified
            && self.entries > 0
            && self.hits.is_empty()
            && self.missing.is_empty()
            && self.problems.is_empty()
    }

    /// The one object of `--json`.
    pub fn json(&self) -> Value {
        json!({
            "lost": self.verdict.lost.len(),
            "doubled": self.verdict.doubled.len(),
            "unrecorded": self.verdict.unrecorded.len(),
            "out_of_order": self.verdict.out_of_order.len(),
            "routes": self.routes,
            "record": {"entries": self.entries, "verified": self.verified},
            "seconds": (self.seconds * 10.0).round() / 10.0,
        })
    }

    /// Prints the report; with `json` only the object goes to stdout.
    pub fn print(&self, json: bool) {
        let text = self.text();
        if json {
            eprint_line(&text);
            println!("{}", self.json());
        } else {
            println!("{text}");
        }
    }

    /// The report as people read it.
    pub fn text(&self) -> String {
        let mut text = String::from("\n");
        self.write_table(&mut text);
        let _ = writeln!(text, "\nThe counterparts saw {} requests and played:", self.requests);
        for (fault, count) in &self.faults {
            let _ = writeln!(text, "  {count:5}  {fault}");
        }
        self.write_verdict(&mut text);
        if !self.trace.is_empty() {
            let _ = write!(text, "\nOne message's whole way:\n{}", self.trace);
        }
        let _ = write!(text, "\n{}", self.next);
        text
    }

    fn write_table(&self, text: &mut String) {
        let width = self.routes.iter().map(|route| route.route.len()).max().unwrap_or(5).max(20);
        let _ = writeln!(
            text,
            "{:width$}  {:>8}  {:>9}  {:>7}  {:>16}  dead by code",
            "route", "accepted", "delivered", "retried", "unknown→resolved"
        );
        for route in &self.routes {
            let dead: Vec<String> =
                route.dead.iter().map(|(code, count)| format!("{code}: {count}")).collect();
            let name = if route.route.is_empty() { "(no route)" } else { &route.route };
            let _ = writeln!(
                text,
                "{name:width$}  {:>8}  {:>9}  {:>7}  {:>16}  {}",
                route.accepted,
                route.delivered,
                route.retried,
                route.unknown_resolved,
                dead.join(", ")
            );
        }
    }

    fn write_verdict(&self, text: &mut String) {
        let _ = writeln!(text, "\nOracle:");
        for (name, count) in self.verdict.counts() {
            let _ = writeln!(text, "  {count:5}  {name}");
        }
        for (name, finding) in self.verdict.findings().into_iter().take(20) {
            let _ = writeln!(text, "  {name}: {}: {}", finding.subject, finding.problem);
        }
        for violation in self.verdict.violations.iter().take(10) {
            let leak = if violation.leak { "LEAK " } else { "" };
            let _ = writeln!(
                text,
                "  {leak}{} {}: {}",
                violation.counterpart, violation.request, violation.problem
            );
        }
        let verified = if self.verified { "verified" } else { "NOT VERIFIED" };
        let _ = writeln!(text, "Record: {} entries, {verified}", self.entries);
        let _ = writeln!(
            text,
            "Personal data in logs, metrics, store and outputs: {} hits",
            self.hits.len()
        );
        for hit in self.hits.iter().take(20) {
            let _ =
                writeln!(text, "  {} ({}) {}× in {}", hit.kind, hit.writing, hit.count, hit.place);
        }
        for missing in &self.missing {
            let _ = writeln!(text, "Gave up waiting for: {missing}");
        }
        for problem in &self.problems {
            let _ = writeln!(text, "Problem: {problem}");
        }
        let verdict = if self.is_good() { "All good" } else { "NOT GOOD" };
        let _ = writeln!(text, "{verdict} after {:.1} s", self.seconds);
    }
}

/// Sums the counts per route.
pub fn routes(counts: &[Count]) -> Vec<Route> {
    let mut routes: BTreeMap<&str, Route> = BTreeMap::new();
    for count in counts {
        let route = routes.entry(&count.route).or_default();
        route.route.clone_from(&count.route);
        route.accepted += count.count;
        route.retried += count.retried;
        route.unknown_resolved += count.unknown_resolved;
        match count.state.as_str() {
            "delivered" => route.delivered += count.count,
            "dead" => {
                let code = count.code.clone().unwrap_or_else(|| "?".to_owned());
                *route.dead.entry(code).or_default() += count.count;
            }
            _ => {}
        }
    }
    routes.into_values().collect()
}

fn applications(stage: &Stage) -> Vec<String> {
    stage.town.applications.iter().map(|one| one.reception_number.clone()).collect()
}

/// The inquiry or copy that needed the most requests: its trace shows the most.
fn example(case: &Case) -> String {
    let mut tries: BTreeMap<&str, usize> = BTreeMap::new();
    for receipt in case.evidence.receipts.iter().filter(|one| !one.idempotency_key.is_empty()) {
        *tries.entry(&receipt.idempotency_key).or_default() += 1;
    }
    let effects = case.evidence.effects.iter();
    let single = effects.filter(|one| ["inquiry", "copy"].contains(&one.operation.as_str()));
    let most = single.max_by_key(|one| tries.get(one.idempotency_key.as_str()).copied());
    let of_effect = most.and_then(|effect| {
        case.posted.iter().find(|posted| {
            let mut expects = posted.message.expects.iter();
            expects.any(|one| one.key == effect.key && one.operation == effect.operation)
        })
    });
    let posted = of_effect.or(case.posted.first());
    posted.map(|posted| posted.message.id.clone()).unwrap_or_default()
}

fn next(site: &Site, id: &str) -> String {
    let config = site.config.display();
    format!(
        "Look further:\n  target/debug/watashi status --config {config}\n  \
         target/debug/watashi dlq list --config {config}\n  \
         target/debug/watashi trace {id} --config {config}\n  \
         target/debug/watashi log verify --config {config}"
    )
}

/// Says how to look at what was left running.
pub(crate) fn print_keep(stage: &Stage) {
    eprint_line(&format!(
        "\nStill running, until Ctrl-C:\n  curl {ops}/ready\n  curl {ops}/metrics\n  \
         curl -H \"Authorization: Bearer $(cat {folder}/secrets/ops-token)\" {ops}/api/v1/counts\n  \
         curl --cacert {folder}/certificates/ca.pem --cert {folder}/certificates/health.pem \
         --key {folder}/keys/health.pem {ingest}/v1/messages",
        ops = stage.site.ops,
        ingest = stage.site.ingest,
        folder = stage.site.folder.display(),
    ));
}

/// Prints where the counterparts listen.
pub fn print_addresses(running: &Running, site: &Site) {
    for (name, address) in &running.addresses {
        println!("{name}\thttps://{address}");
    }
    println!("configuration\t{}", site.config.display());
}
