//! 公開終了日一括設定: asked for, then asked about.

use super::{IntermediateServer, Outcome, atena};
use crate::counterparts::INTERMEDIATE_SERVER;
use crate::counterparts::envelope::{refusal, success};
use crate::counterparts::ledger::{Applied, Cause};
use crate::counterparts::xml::{Fields, Form};
use std::collections::BTreeMap;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    receipt: String,
    /// Whose.
    pub person: String,
    /// Last day of publication.
    pub until: String,
}

impl IntermediateServer {
    pub(super) fn end_publication(&self, cause: &Cause, mut end: Fields<'_>) -> Outcome {
        let key = end.text("RequestKey", Form::Identifier(40))?.to_owned();
        let person = atena(end.text("PersonNumber", Form::Digits(15))?)?;
        end.text("InformationCode", Form::OneOf(&["TM00000000000084"]))?;
        let until = end.text("PublishUntil", Form::Date)?.to_owned();
        end.end()?;
        if !self.knows(&person) {
            return Ok(refusal("IF_DBM_90311", "E0101"));
        }
        let mut state = self.state();
        let answer = |receipt: &str| {
            success("IF_DBM_90311", &format!("<ReceiptNumber>{receipt}</ReceiptNumber>"))
        };
        match state.ended.get(&key) {
            Some(known) if known.until == until => return Ok(answer(&known.receipt)),
            Some(_) => {
                return Ok(refusal("IF_DBM_90311", "E0302")
                    .violating("the same RequestKey arrived with another day"));
            }
            None => {}
        }
        let receipt = format!("K{:010}", state.ended.len() + 1);
        let ended =
            Ended { receipt: receipt.clone(), person: person.clone(), until: until.clone() };
        state.ended.insert(key.clone(), ended);
        let content = BTreeMap::from([("until".to_owned(), until)]);
        let applied = Applied { operation: "publication-end", key, person, content };
        self.ledger.apply(INTERMEDIATE_SERVER, cause, applied);
        Ok(answer(&receipt))
    }

    pub(super) fn publication_ended(&self, mut query: Fields<'_>) -> Outcome {
        let receipt = query.text("ReceiptNumber", Form::Identifier(40))?;
        query.end()?;
        let state = self.state();
        Ok(match state.ended.values().any(|one| one.receipt == receipt) {
            true => success("IF_DBM_90332", "<Status>2</Status><RecordCount>1</RecordCount>"),
            false => refusal("IF_DBM_90332", "E0404"),
        })
    }
}
