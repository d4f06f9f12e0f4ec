//! 情報提供: what others ask is answered at once out of the 副本, or waits for staff (IF_TKY). Which of
//! 20311 and 20511 is for which cause, and one answer for each 処理通番, are ours: provisional.

use super::{IntermediateServer, Outcome, State, atena, items, processing_number};
use crate::counterparts::demands::{Demand, told};
use crate::counterparts::envelope::{Problem, refusal, success};
use crate::counterparts::holdings::Item;
use crate::counterparts::ledger::{Applied, Cause};
use crate::counterparts::times;
use crate::counterparts::xml::{Fields, Form, escape};
use crate::counterparts::{Answer, INTERMEDIATE_SERVER};
use crate::municipality::MUNICIPALITY;
use jiff::civil::Date;
use std::collections::BTreeMap;

const INFORMATION: &str = "TM00000000000084";

/// A demand and what became of it.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) demand: Demand,
    /// When it was asked, milliseconds since 1970.
    pub(super) at_ms: i64,
    /// 1 自動応答不可, 2 副本未登録; `None`: it was answered at once.
    cause: Option<&'static str>,
    /// 不開示該当 when it was asked.
    pub(super) hidden: bool,
    pub(super) answer: Option<Given>,
}

/// An answer. Two are the same when all of it is, but the time.
#[derive(Clone, Debug)]
pub(super) struct Given {
    /// `automatic`, `registered` or `permitted`.
    pub(super) how: &'static str,
    pub(super) is_available: bool,
    content: String,
    /// Who prepared it; empty for an automatic one.
    by: String,
    pub(super) at_ms: i64,
}

impl Given {
    fn item(&self) -> Item {
        Item::from([
            ("how".to_owned(), self.how.to_owned()),
            ("available".to_owned(), self.is_available.to_string()),
            ("content".to_owned(), self.content.clone()),
            ("preparer".to_owned(), self.by.clone()),
        ])
    }
}

impl Asked {
    /// As it is compared at the end.
    pub(super) fn item(&self) -> Item {
        let mut item = self.answer.as_ref().map(Given::item).unwrap_or_default();
        item.insert("procedure".to_owned(), self.demand.procedure.to_owned());
        item.insert("person".to_owned(), self.demand.person.clone());
        item.insert("hidden".to_owned(), self.hidden.to_string());
        item
    }
}

impl State {
    /// What others may see of a person on a day, by record key.
    fn published(&self, person: &str, day: Date) -> BTreeMap<String, &BTreeMap<String, String>> {
        let day = day.to_string();
        if self.ended.values().any(|ended| ended.person == person && ended.until < day) {
            return BTreeMap::new();
        }
        let beginning = format!("{person}/{INFORMATION}/");
        let of_person = self.copies.iter().filter_map(|(place, (_, content))| {
            Some((place.strip_prefix(&beginning)?.to_owned(), content))
        });
        let is = |content: &BTreeMap<String, String>| {
            content.get("operation").is_some_and(|operation| operation == "1")
                && content.get("publish_from").is_some_and(|from| *from <= day)
        };
        of_person.filter(|(_, content)| is(content)).collect()
    }
}

impl IntermediateServer {
    /// Another organisation asks now: answered at once, or left to staff.
    pub(super) fn take_demand(&self, demand: &Demand) {
        let at_ms = crate::clock::now_ms();
        let mut state = self.state();
        let person = demand.person.as_str();
        let (cause, hidden, content) = {
            let held = state.published(person, times::day(at_ms));
            let flagged =
                |flag: &str| state.is_flagged(flag, person, held.keys().map(String::as_str));
            let cause = match () {
                () if held.is_empty() => Some("2"),
                () if flagged("no-automatic-answer") => Some("1"),
                () => None,
            };
            (cause, flagged("not-disclosed"), told(held.values().copied()))
        };
        let answer =
            Given { how: "automatic", is_available: true, content, by: String::new(), at_ms };
        let answer = cause.is_none().then_some(answer);
        let asked = Asked { demand: demand.clone(), at_ms, cause, hidden, answer };
        state.demands.insert(demand.number.clone(), asked);
    }

    /// What waits for staff, or did, since a moment.
    pub(super) fn list_demands(&self, mut query: Fields<'_>) -> Outcome {
        let since = query.text("Since", Form::Digits(17))?;
        let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(9));
        let at = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", since.get(..14).unwrap_or(""))
            .ok()
            .and_then(|at| at.to_zoned(zone).ok())
            .map(|at| at.timestamp().as_millisecond() + super::millis(since));
        // 0000-01-01, the open start, is before everything.
        let since_ms = match (at, since) {
            (_, "00000101000000000") => 0,
            (Some(at), _) => at,
            (None, _) => return Err("Since: no such time".to_owned().into()),
        };
        query.end()?;
        let state = self.state();
        let open = state.demands.values().filter(|one| one.cause.is_some());
        let since = open.filter(|one| one.at_ms >= since_ms);
        let entries: String = since
            .map(|one| format!("<Entry>{}</Entry>", processing_number(&one.demand.number)))
            .collect();
        Ok(success("IF_TKY_11312", &format!("<Demands>{entries}</Demands>")))
    }

    /// One demand in full.
    pub(super) fn show_demand(&self, number: &str) -> Answer {
        let state = self.state();
        let found = state.demands.get(number);
        let Some((asked, cause)) = found.and_then(|one| Some((one, one.cause?))) else {
            return refusal("IF_TKY_11512", "E0404")
                .violating("a demand that waits for nobody was fetched");
        };
        let demand = &asked.demand;
        let requested = times::japan(asked.at_ms).strftime("%Y%m%d%H%M%S%3f");
        let body = format!(
            "<Demand>{}<ProviderMunicipality>{MUNICIPALITY}</ProviderMunicipality>\
             <PersonNumber>{}</PersonNumber><InquirerCode>{}</InquirerCode>\
             <InquirerKind>{}</InquirerKind><AffairCode>{}</AffairCode>\
             <ProcedureCode>{}</ProcedureCode><InformationCode>{INFORMATION}</InformationCode>\
             <RequestedAt>{requested}</RequestedAt><Cause>{cause}</Cause></Demand>",
            processing_number(number),
            escape(&demand.person),
            demand.inquirer,
            demand.kind,
            demand.affair,
            demand.procedure,
        );
        success("IF_TKY_11512", &body)
    }

    /// IF_TKY_20311: the answer in full.
    pub(super) fn register_provision(
        &self,
        cause: &Cause,
        by: String,
        mut provision: Fields<'_>,
    ) -> Outcome {
        let number = provision.text("ProcessingNumber", Form::Identifier(40))?.to_owned();
        let person = atena(provision.text("PersonNumber", Form::Digits(15))?)?;
        let is_available = provision.text("Availability", Form::OneOf(&["1", "2"]))? == "1";
        let mut records = Vec::new();
        if provision.next_is("Records") {
            let mut list = provision.group("Records")?;
            while list.next_is("Record") {
                records.push(items(list.group("Record")?, false, false)?);
            }
            list.end()?;
        }
        provision.end()?;
        if is_available == records.is_empty() {
            return Err("Provision: 提供区分 and Records do not fit".to_owned().into());
        }
        let content = told(records.iter());
        let given =
            Given { how: "registered", is_available, content, by, at_ms: cause.received_ms };
        self.answer_demand(cause, "IF_TKY_20311", &number, person, given)
    }

    /// IF_TKY_20511: what the 副本 holds may be sent, or not.
    pub(super) fn permit_provision(
        &self,
        cause: &Cause,
        by: String,
        mut permission: Fields<'_>,
    ) -> Outcome {
        let number = permission.text("ProcessingNumber", Form::Identifier(40))?.to_owned();
        let person = atena(permission.text("PersonNumber", Form::Digits(15))?)?;
        let is_available = permission.text("Setting", Form::OneOf(&["1", "2"]))? == "1";
        permission.end()?;
        let content = match is_available {
            true => {
                let state = self.state();
                let day = times::day(cause.received_ms);
                told(state.published(&person, day).into_values())
            }
            false => String::new(),
        };
        let given = Given { how: "permitted", is_available, content, by, at_ms: cause.received_ms };
        self.answer_demand(cause, "IF_TKY_20511", &number, person, given)
    }

    fn answer_demand(
        &self,
        cause: &Cause,
        interface: &str,
        number: &str,
        person: String,
        given: Given,
    ) -> Outcome {
        let mut state = self.state();
        let Some(asked) = state.demands.get_mut(number).filter(|one| one.cause.is_some()) else {
            return Ok(refusal(interface, "E0404").violating("an answer that nobody asks for"));
        };
        if asked.demand.person != person {
            return Ok(refusal(interface, "E0305"));
        }
        let fitting = match asked.cause {
            Some("1") => "permitted",
            _ => "registered",
        };
        if given.how != fitting {
            return Ok(refusal(interface, "E0303"));
        }
        let done = success(interface, &processing_number(number));
        match &asked.answer {
            // The content of a permission is what was held when it was first given.
            Some(before) if before.how == "permitted" && given.how == "permitted" => {
                if before.is_available == given.is_available && before.by == given.by {
                    return Ok(done);
                }
            }
            Some(before) if before.item() == given.item() => return Ok(done),
            _ => {}
        }
        if asked.answer.is_some() {
            return Ok(refusal(interface, "E0302").violating("a second answer to a demand"));
        }
        if given.is_available && given.content.is_empty() {
            return Ok(refusal(interface, "E0304"));
        }
        let content = given.item();
        asked.answer = Some(given);
        let applied = Applied { operation: "provision", key: number.to_owned(), person, content };
        self.ledger.apply(INTERMEDIATE_SERVER, cause, applied);
        Ok(done)
    }

    /// Answers `GET /IF_TKY_11512/{処理通番}`, or gives that it is no such request.
    pub(super) fn demand_of_path(
        &self,
        method: &str,
        interface: &str,
    ) -> Option<Result<Answer, Problem>> {
        let number = interface.strip_prefix("IF_TKY_11512/")?;
        Some(match method {
            "GET" => Ok(self.show_demand(number)),
            _ => Err(Problem::new(405, "only GET")),
        })
    }
}
