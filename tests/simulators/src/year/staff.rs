//! Staff of the municipality: one prepares an answer, by the health system or by hand, another decides
//! about it, on the command line or over the ops listener. At the end: who decided what.

use super::quiet::Owed;
use crate::Trouble;
use crate::counterparts::holdings::{Holdings, Item};
use crate::demo::Stage;
use crate::demo::gateway::items;
use crate::municipality::Message;
use crate::oracle::Posting;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// What somebody does.
#[derive(Clone, Debug)]
pub enum Act {
    /// Prepares an answer.
    Prepare {
        /// 処理通番 of the demand, or id of the message.
        number: String,
        /// The answer.
        message: Box<Message>,
        /// Typed at the gateway; else the health system posts it.
        typed: bool,
    },
    /// Agrees.
    Approve {
        /// 処理通番 of the demand, or id of the message.
        number: String,
        /// Who.
        by: &'static str,
        /// Where.
        way: Way,
    },
    /// Refuses, or takes back.
    Reject {
        /// 処理通番 of the demand, or id of the message.
        number: String,
        /// Who.
        by: &'static str,
    },
    /// Tries to agree to what they prepared themselves: that must be refused.
    ApproveOwn {
        /// 処理通番 of the demand, or id of the message.
        number: String,
        /// Who.
        by: &'static str,
    },
    /// Clicks twice at the same time; somebody else is too late.
    ApproveTwice {
        /// 処理通番 of the demand, or id of the message.
        number: String,
        /// Who.
        by: &'static str,
        /// Who is too late.
        late: &'static str,
    },
    /// Nobody has decided in time.
    Expires,
    /// Closes a demand without an answer.
    Close {
        /// 処理通番 of the demand, or id of the message.
        number: String,
        /// Who.
        by: &'static str,
    },
}

/// Where somebody decides.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// `watashi approvals`.
    Cli,
    /// The ops listener.
    Ops,
}

/// An approval as the gateway lists it.
#[derive(Clone, Debug, Deserialize)]
struct Approval {
    exchange: i64,
    state: String,
    message_id: String,
    preparer: String,
    number: Option<String>,
    decided_by: Option<String>,
}

impl Approval {
    /// Whether it is about the demand of this number, or the message of this id.
    fn is_of(&self, number: &str) -> bool {
        match &self.number {
            Some(own) => own == number,
            None => self.message_id == number,
        }
    }
}

/// A demand as the gateway lists it.
#[derive(Clone, Debug, Deserialize)]
struct Demand {
    id: i64,
    state: String,
    number: String,
    item: String,
}

const REASON: &str = "compared with the paper file";

/// Does it; what is owed changes with it.
pub(crate) async fn act(stage: &Stage, act: Act, owed: &mut Owed) -> Result<(), Trouble> {
    match act {
        Act::Prepare { number, message, typed } => {
            owed.exchanges += 1;
            owed.deciding += 1;
            match typed {
                true => type_in(stage, &number, *message).await,
                false => stage.desk.post(*message).await,
            }
        }
        Act::Approve { number, by, way } => {
            owed.deciding -= 1;
            let waiting = waiting(stage, &number).await?;
            match way {
                Way::Cli => decide_by_hand(stage, &waiting, by).await,
                Way::Ops => {
                    looked_at(stage, &waiting, by).await?;
                    expect(stage, &waiting, "approve", by, 200).await
                }
            }
        }
        Act::Reject { number, by } => {
            owed.deciding -= 1;
            let waiting = waiting(stage, &number).await?;
            expect(stage, &waiting, "reject", by, 200).await
        }
        Act::ApproveOwn { number, by } => {
            let waiting = waiting(stage, &number).await?;
            expect(stage, &waiting, "approve", by, 403).await
        }
        Act::ApproveTwice { number, by, late } => {
            owed.deciding -= 1;
            let waiting = waiting(stage, &number).await?;
            let click = || expect(stage, &waiting, "approve", by, 200);
            tokio::try_join!(click(), click())?;
            expect(stage, &waiting, "approve", late, 409).await
        }
        Act::Expires => {
            owed.deciding -= 1;
            Ok(())
        }
        Act::Close { number, by } => {
            let id = open_demand(stage, &number).await?.to_string();
            let reason = "asked without ground";
            let arguments =
                ["demands", "close", &id, "--operator", by, "--reason", reason, "--json"];
            match stage.gateway.cli(&format!("close-{id}"), &arguments).await? {
                (true, _) => Ok(()),
                (false, _) => Err(format!("`watashi demands close {id}` failed: see above").into()),
            }
        }
    }
}

/// The approval that waits for a demand; it may not be there for a moment.
async fn waiting(stage: &Stage, number: &str) -> Result<Approval, Trouble> {
    for _ in 0..200 {
        let page = page(stage, "/api/v1/approvals").await?;
        let mut found = items::<Approval>(&page).into_iter();
        if let Some(found) = found.find(|one| one.is_of(number)) {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(format!("nothing waits for a second person about demand {number}").into())
}

async fn page(stage: &Stage, path: &str) -> Result<String, Trouble> {
    match stage.gateway.get(path).await? {
        (200, text) => Ok(text),
        (status, _) => Err(format!("{path} answered {status}").into()),
    }
}

async fn expect(
    stage: &Stage,
    approval: &Approval,
    verb: &str,
    by: &str,
    status: u16,
) -> Result<(), Trouble> {
    let path = format!("/api/v1/approvals/{}/{verb}", approval.exchange);
    let (answered, _) =
        stage.gateway.post(&path, &json!({"operator": by, "reason": REASON})).await?;
    match answered == status {
        true => Ok(()),
        false => Err(format!("{by} {verb} {}: {answered}, not {status}", approval.exchange).into()),
    }
}

/// Who decides looks at what would leave: it must be what was prepared.
async fn looked_at(stage: &Stage, approval: &Approval, by: &str) -> Result<(), Trouble> {
    let path = format!("/api/v1/approvals/{}/document", approval.exchange);
    let (status, text) =
        stage.gateway.post(&path, &json!({"operator": by, "reason": REASON})).await?;
    let wanted = match &approval.number {
        Some(number) => format!("<ProcessingNumber>{number}</ProcessingNumber>"),
        None => "\"statusKey\"".to_owned(),
    };
    match status == 200 && text.contains(&wanted) {
        true => Ok(()),
        false => Err(format!("the document of {}: {status}", approval.exchange).into()),
    }
}

async fn decide_by_hand(stage: &Stage, approval: &Approval, by: &str) -> Result<(), Trouble> {
    let id = approval.exchange.to_string();
    let name = format!("approve-{id}");
    let arguments = ["approvals", "approve", &id, "--operator", by, "--reason", REASON, "--json"];
    match stage.gateway.cli(&name, &arguments).await? {
        (true, _) => Ok(()),
        (false, _) => Err(format!("`watashi approvals approve {id}` failed: see above").into()),
    }
}

/// `watashi answer`: what it becomes is known to the oracle as if the health system had posted it.
async fn type_in(stage: &Stage, number: &str, mut message: Message) -> Result<(), Trouble> {
    let folder = stage.site.folder.join("files/staff");
    std::fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{}.json", message.id));
    std::fs::write(&file, message.body.to_string())?;
    let id = open_demand(stage, number).await?.to_string();
    let file = file.display().to_string();
    let name = format!("answer-{}", message.id);
    let arguments = [
        "answer",
        &id,
        "--file",
        &file,
        "--type",
        message.message_type,
        "--operator",
        &message.operator,
        "--reason",
        "taken from the paper file",
        "--json",
    ];
    if !stage.gateway.cli(&name, &arguments).await?.0 {
        return Err(format!("`watashi answer {id}` failed: see above").into());
    }
    message.id = waiting(stage, number).await?.message_id;
    stage.desk.typed(message, Posting::Acknowledged);
    Ok(())
}

/// The gateway's own number of an open demand; it may not have been fetched for a moment.
async fn open_demand(stage: &Stage, number: &str) -> Result<i64, Trouble> {
    for _ in 0..200 {
        let page = page(stage, "/api/v1/demands").await?;
        let mut demands = items::<Demand>(&page).into_iter();
        if let Some(demand) = demands.find(|one| one.number == number) {
            return Ok(demand.id);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(format!("demand {number} is not open").into())
}

/// What the gateway says of demands and of who decided what, by 処理通番.
pub(crate) async fn decided(stage: &Stage) -> Result<Holdings, Trouble> {
    let (mut approvals, mut after) = (Vec::new(), 0);
    loop {
        let path = format!("/api/v1/approvals?all=true&after={after}");
        let more = items::<Approval>(&page(stage, &path).await?);
        let Some(last) = more.last() else { break };
        after = last.exchange;
        approvals.extend(more);
    }
    let mut holdings = Holdings::default();
    let mut decisions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in approvals {
        let by = one.decided_by.filter(|by| !by.is_empty());
        let line = format!("{} {} {}", one.state, one.preparer, by.as_deref().unwrap_or("nobody"));
        let Some(number) = one.number else {
            let item = Item::from([("decisions".to_owned(), line)]);
            holdings.put("decision", &one.message_id, item);
            continue;
        };
        decisions.entry(number).or_default().push(line);
    }
    let demands = items::<Demand>(&page(stage, "/api/v1/demands?all=true").await?);
    for demand in demands {
        let of_it = decisions.remove(&demand.number).unwrap_or_default();
        let item = Item::from([
            ("state".to_owned(), demand.state),
            ("item".to_owned(), demand.item),
            ("decisions".to_owned(), of_it.join("; ")),
        ]);
        holdings.put("approval", &demand.number, item);
    }
    for (number, lines) in decisions {
        let item = Item::from([("decisions".to_owned(), lines.join("; "))]);
        holdings.put("approval", &number, item);
    }
    Ok(holdings)
}

/// What reached the health system of demands.
pub(crate) fn came(stage: &Stage) -> Holdings {
    let text = |data: &Value, pointer: &str| {
        data.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let mut holdings = Holdings::default();
    for data in stage.desk.of_type("provision.demanded") {
        let fields = [
            ("item", "/legalItem"),
            ("person", "/person/atenaNumber"),
            ("cause", "/cause"),
            ("kind", "/inquirer/kind"),
        ];
        let item = fields.map(|(name, pointer)| (name.to_owned(), text(&data, pointer)));
        let number = text(&data, "/processingNumber");
        holdings.put("demand", &number, item.into_iter().collect());
    }
    for data in stage.desk.of_type("provision.answered") {
        let number = text(&data, "/processingNumber");
        let item = Item::from([("number".to_owned(), number.clone())]);
        holdings.put("demand-answered", &number, item);
    }
    holdings
}
