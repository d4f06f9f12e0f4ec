//! 情報提供等記録: asked for by file, handed out by the 中間サーバー, and compared with the gateway's own
//! record by `watashi reconcile`.

use super::calendar::{FIRST, LAST};
use super::reconcile::Compared;
use super::routes::INTERMEDIATE_SERVER_FILES;
use super::steer::Steer;
use crate::Trouble;
use crate::clock;
use crate::counterparts::INTERMEDIATE_SERVER;
use crate::counterparts::ledger::{Applied, Cause};
use crate::demo::Stage;
use crate::municipality::{Expected, Fate, MUNICIPALITY, Message};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

const KEY: &str = "LOG-01";
const ROUTE: &str = "provision-log-request-to-file";

/// The comparisons of the record.
const NAMES: [&str; 2] = ["provision-log", "provisions-by-hand"];

/// What a request gathers for, and more, in milliseconds.
const LATER: i64 = 120_000;

/// Asks for the records of the year, and compares them.
pub(crate) async fn compared(
    stage: &Stage,
    steer: &Steer,
    compared: &mut Compared,
) -> Result<(), Trouble> {
    stage.desk.post(request()).await?;
    accepted(stage).await?;
    steer.set(clock::now_ms() + LATER)?;
    let asked = asked(stage).await?;
    let file = hand_out(stage, &asked)?;
    for name in NAMES {
        let comparison = format!("{INTERMEDIATE_SERVER_FILES}/{name}");
        let file = file.display().to_string();
        let arguments = [
            "reconcile",
            &comparison,
            "--theirs",
            &file,
            "--operator",
            "kacho-01",
            "--reason",
            "照合 of the year",
            "--json",
        ];
        let (agrees, text) = stage.gateway.cli(&format!("reconcile-{name}"), &arguments).await?;
        let found: Found = serde_json::from_str(&text)?;
        compared.items.push((name, found.counts.same));
        if !agrees || found.counts.same == 0 || found.counts.theirs != found.counts.ours {
            compared.problems.push(format!("{comparison}: {:?}", found.counts));
            let lines = found.findings.iter().take(10);
            compared.problems.extend(lines.map(|finding| format!("{comparison}: {finding}")));
        }
    }
    Ok(())
}

/// What `watashi reconcile --json` says.
#[derive(Deserialize)]
struct Found {
    counts: Counts,
    findings: Vec<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
struct Counts {
    theirs: usize,
    ours: usize,
    same: usize,
}

fn request() -> Message {
    let body = json!({"municipalityCode": MUNICIPALITY, "requestId": KEY,
        "from": FIRST.to_string(), "to": LAST.to_string()});
    Message {
        id: KEY.to_owned(),
        message_type: "provision-log.requested",
        lane: KEY.to_owned(),
        operator: "kacho-01".to_owned(),
        body,
        expects: vec![Expected {
            counterpart: INTERMEDIATE_SERVER_FILES,
            operation: "log-request",
            key: KEY.to_owned(),
            person: String::new(),
            content: BTreeMap::from([
                ("from", FIRST.strftime("%Y%m%d").to_string()),
                ("to", LAST.strftime("%Y%m%d").to_string()),
            ]),
            fate: Fate::Delivered,
        }],
        answer: None,
    }
}

/// A request as the 中間サーバー reads it.
struct Asked {
    key: String,
    from: String,
    to: String,
}

/// Waits until the gateway has the request: from then on it gathers.
async fn accepted(stage: &Stage) -> Result<(), Trouble> {
    for _ in 0..600 {
        let counts = stage.gateway.counts().await.unwrap_or_default();
        if counts.iter().any(|count| count.route == ROUTE && count.count > 0) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err("the request for 情報提供等記録 was not accepted".into())
}

/// Waits for the request: a whole file, whose marker is there.
async fn asked(stage: &Stage) -> Result<Asked, Trouble> {
    let folder = super::exchange_folder(stage).join("to-server");
    for _ in 0..600 {
        let names = fs::read_dir(&folder)?.filter_map(|entry| Some(entry.ok()?.path()));
        let marker = names.filter(|path| path.extension().is_some_and(|end| end == "end"));
        let mut files = marker.map(|path| path.with_extension("csv"));
        if let Some(file) = files.next() {
            return read(&fs::read_to_string(file)?);
        }
        stage.gateway.check_alive().await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err("no request for 情報提供等記録 was written".into())
}

/// The one line of IF_TKM_40113.
fn read(text: &str) -> Result<Asked, Trouble> {
    let bad = || Trouble::from("IF_TKM_40113: not as documented");
    let rest = text.strip_prefix("RequestKey,From,To\r\n").ok_or_else(bad)?;
    let line = rest.strip_suffix("\r\n").filter(|line| !line.contains('\n')).ok_or_else(bad)?;
    let [key, from, to] = line.split(',').collect::<Vec<_>>()[..] else { return Err(bad()) };
    let asked = Asked { key: key.to_owned(), from: from.to_owned(), to: to.to_owned() };
    Ok(asked)
}

/// Does what is asked: the file of these days.
fn hand_out(stage: &Stage, asked: &Asked) -> Result<PathBuf, Trouble> {
    let cause = Cause { received_ms: clock::now_ms(), idempotency_key: asked.key.clone() };
    let content = BTreeMap::from([
        ("from".to_owned(), asked.from.clone()),
        ("to".to_owned(), asked.to.clone()),
    ]);
    let (operation, key) = ("log-request", asked.key.clone());
    let applied = Applied { operation, key, person: String::new(), content };
    stage.running.ledger.apply(INTERMEDIATE_SERVER_FILES, &cause, applied);
    let day = |text: &str| Date::strptime("%Y%m%d", text);
    let text = stage.running.log(INTERMEDIATE_SERVER, day(&asked.from)?, day(&asked.to)?);
    let file = super::exchange_folder(stage).join("from-server/IF_TKM_40124_000001.csv");
    fs::write(&file, text)?;
    fs::write(file.with_extension("end"), "")?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_request_is_one_line_under_its_head() {
        let asked = read("RequestKey,From,To\r\nL1,20260701,20270630\r\n").unwrap();
        assert_eq!((asked.key.as_str(), asked.to.as_str()), ("L1", "20270630"));
        for bad in [
            "",
            "RequestKey,From,To\r\n",
            "RequestKey,To,From\r\nL1,1,2\r\n",
            "RequestKey,From,To\nL1,1,2\n",
            "RequestKey,From,To\r\nL1,1,2\r\nL2,1,2\r\n",
            "RequestKey,From,To\r\nL1,1\r\n",
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
