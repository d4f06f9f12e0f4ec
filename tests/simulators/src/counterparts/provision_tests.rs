//! 情報提供 and flags at the simulated 中間サーバー: what is answered at once, what waits for staff, and
//! what it refuses.

use super::demands::Demand;
use super::tests::{PERSON, Town, copy, town};
use super::*;

const WHO: &str =
    "<Requester><DepartmentCode>KENKO</DepartmentCode><UserId>u1</UserId></Requester>";

fn demand(number: &str) -> Demand {
    Demand {
        number: number.to_owned(),
        person: PERSON.to_owned(),
        inquirer: "0000000000013101".to_owned(),
        kind: "1",
        affair: "JM00000000000014",
        procedure: "JT00000000000025",
    }
}

fn provision(number: &str, person: &str, date: Option<&str>) -> String {
    let mut records = String::new();
    if let Some(date) = date {
        let mut items = String::new();
        for (code, value) in [("10", "A13"), ("20", "1"), ("30", date), ("40", "KM1")] {
            items.push_str(&format!("<TK000084000000{code}>{value}</TK000084000000{code}>"));
        }
        for code in ["50", "60", "70", "80", "90"] {
            let nil = "xsi:nil=\"true\" reason=\"NotRecorded\"";
            items.push_str(&format!("<TK000084000000{code} {nil}/>"));
        }
        records = format!("<Records><Record>{items}</Record></Records>");
    }
    let available = if date.is_some() { "1" } else { "2" };
    format!(
        "{WHO}<Provision><ProcessingNumber>{number}</ProcessingNumber>\
         <PersonNumber>{person}</PersonNumber><Availability>{available}</Availability>{records}\
         </Provision>"
    )
}

fn permission(number: &str, setting: &str) -> String {
    format!(
        "{WHO}<Permission><ProcessingNumber>{number}</ProcessingNumber>\
         <PersonNumber>{PERSON}</PersonNumber><Setting>{setting}</Setting></Permission>"
    )
}

fn flag(revision: u32, record: Option<&str>, setting: &str) -> String {
    let record = record.map(|key| format!("<RecordKey>{key}</RecordKey>")).unwrap_or_default();
    format!(
        "{WHO}<Flag><FlagKey>F1</FlagKey><Revision>{revision}</Revision>\
         <PersonNumber>{PERSON}</PersonNumber><InformationCode>TM00000000000084</InformationCode>\
         {record}<Setting>{setting}</Setting><Reason>1</Reason></Flag>"
    )
}

impl Town {
    fn ask(&self, number: &str) {
        self.running.ask(INTERMEDIATE_SERVER, &demand(number));
    }

    fn held(&self, number: &str, field: &str) -> Option<String> {
        let holdings = self.running.holdings(INTERMEDIATE_SERVER);
        holdings.0.get("demand")?.get(number)?.get(field).cloned()
    }

    async fn listed(&self) -> String {
        let since = "<DemandListQuery><Since>00000101000000000</Since></DemandListQuery>";
        self.xml("IF_TKY_11312", since).await
    }

    async fn shown(&self, number: &str) -> String {
        let url = self.url(INTERMEDIATE_SERVER, &format!("/IF_TKY_11512/{number}"));
        self.client.get(url).send().await.unwrap().text().await.unwrap()
    }
}

#[tokio::test]
async fn what_is_held_is_answered_at_once_and_nobody_else_may_answer_it() {
    let town = town(Knowledge::default()).await;
    town.xml("IF_DBM_10111", &copy(1, "2026-05-20")).await;
    town.ask("S1");
    assert_eq!(town.held("S1", "how").as_deref(), Some("automatic"));
    let content = town.held("S1", "content");
    assert_eq!(content.as_deref(), Some("date=2026-05-20,dose=1,lot=AB12,vaccine=A01"));
    assert!(!town.listed().await.contains("S1"));
    assert!(town.shown("S1").await.contains("E0404"));
    let answer = town.xml("IF_TKY_20311", &provision("S1", PERSON, None)).await;
    assert!(answer.contains("E0404"), "{answer}");
    assert_eq!(town.violations().len(), 2);
}

#[tokio::test]
async fn what_is_not_held_waits_for_one_answer() {
    let town = town(Knowledge::default()).await;
    town.ask("S1");
    assert!(town.listed().await.contains("<ProcessingNumber>S1</ProcessingNumber>"));
    assert!(town.shown("S1").await.contains("<Cause>2</Cause>"));
    let check = crate::numbers::atena_check(b"12345678901235").map_or('x', char::from);
    let other = format!("12345678901235{check}");
    for (interface, body, code) in [
        ("IF_TKY_20311", provision("S1", &other, None), "E0305"),
        ("IF_TKY_20511", permission("S1", "2"), "E0303"),
        ("IF_TKY_20311", provision("S1", PERSON, Some("2026-02-30")), "E0201"),
    ] {
        let answer = town.xml(interface, &body).await;
        assert!(answer.contains(code), "{code}: {answer}");
    }
    assert_eq!(town.effects(), 0);
    let good = provision("S1", PERSON, Some("2019-05-20"));
    for _ in 0..2 {
        assert!(town.xml("IF_TKY_20311", &good).await.contains("<Result>0</Result>"));
    }
    assert_eq!((town.effects(), town.violations().len()), (1, 1));
    let second = town.xml("IF_TKY_20311", &provision("S1", PERSON, None)).await;
    assert!(second.contains("E0302"), "{second}");
    let nobody = town.xml("IF_TKY_20311", &provision("S2", PERSON, None)).await;
    assert!(nobody.contains("E0404"), "{nobody}");
    assert_eq!((town.effects(), town.violations().len()), (1, 3));
}

#[tokio::test]
async fn a_flag_holds_back_until_it_is_cleared() {
    let town = town(Knowledge::default()).await;
    let early = town.xml("IF_DBM_40111", &flag(1, Some("V1"), "1")).await;
    assert!(early.contains("E0404"), "no such record yet: {early}");
    town.xml("IF_DBM_10111", &copy(1, "2026-05-20")).await;
    let good = |answer: String| assert!(answer.contains("<Result>0</Result>"), "{answer}");
    good(town.xml("IF_DBM_40111", &flag(1, Some("V1"), "1")).await);
    good(town.xml("IF_DBM_40111", &flag(1, Some("V1"), "1")).await);
    assert_eq!(town.effects(), 2, "the copy and the flag, once");
    town.ask("S1");
    assert!(town.shown("S1").await.contains("<Cause>1</Cause>"));
    let wrong = town.xml("IF_TKY_20311", &provision("S1", PERSON, None)).await;
    assert!(wrong.contains("E0303"), "{wrong}");
    good(town.xml("IF_TKY_20511", &permission("S1", "1")).await);
    good(town.xml("IF_TKY_20511", &permission("S1", "1")).await);
    assert_eq!(town.held("S1", "how").as_deref(), Some("permitted"));
    assert!(town.held("S1", "content").unwrap().contains("date=2026-05-20"));
    let second = town.xml("IF_TKY_20511", &permission("S1", "2")).await;
    assert!(second.contains("E0302"), "{second}");
    good(town.xml("IF_DBM_40111", &flag(2, Some("V1"), "0")).await);
    town.ask("S2");
    assert_eq!(town.held("S2", "how").as_deref(), Some("automatic"));
    let older = town.xml("IF_DBM_40111", &flag(1, Some("V1"), "1")).await;
    assert!(older.contains("E0301"), "{older}");
    let odd = town.xml("IF_DBM_50111", &flag(3, Some("V1"), "1")).await;
    assert!(odd.contains("E0201"), "a person's flag names no record: {odd}");
}

#[tokio::test]
async fn its_record_tells_who_answered_and_what_is_not_disclosed() {
    let town = town(Knowledge::default()).await;
    town.xml("IF_DBM_10111", &copy(1, "2026-05-20")).await;
    town.ask("S1");
    town.xml("IF_DBM_80111", &flag(1, None, "1")).await;
    town.ask("S2");
    town.xml("IF_DBM_50111", &flag(2, None, "1").replace("F1", "F2")).await;
    town.ask("S3");
    town.xml("IF_TKY_20511", &permission("S3", "2")).await;
    town.ask("S4");
    let today = times::day(crate::clock::now_ms());
    let log = town.running.log(INTERMEDIATE_SERVER, today, today);
    let lines: Vec<Vec<&str>> = log.lines().map(|line| line.split(',').collect()).collect();
    let told: Vec<_> =
        lines[1..].iter().map(|l| (l[0], l[1], l[5].is_empty(), l[7], l[8])).collect();
    let expected =
        [("S1", "2", false, "0", "1"), ("S2", "2", false, "1", "1"), ("S3", "2", true, "1", "2")];
    assert_eq!(told, expected, "{log}");
    assert_eq!(town.violations(), Vec::<String>::new());
}
