//! The counterparts driven over real TLS: the good way, each refusal, each fault.

use super::faults::Fault;
use super::*;
use crate::municipality::draft::{self, Dose};
use crate::municipality::people::{self, Person};
use crate::pki::{self, https_client};
use crate::random::Random;
use serde_json::{Value, json};
use tokio::task::JoinSet;

pub(super) const PERSON: &str = "123456789012340";
const NUMBER: &str = "123456789018";

pub(super) struct Town {
    pub(super) running: Running,
    pub(super) client: reqwest::Client,
    credentials: Credentials,
    authority: Authority,
}

pub(super) async fn town(knowledge: Knowledge) -> Town {
    let authority = Authority::new("test").unwrap();
    let credentials = Credentials::seeded(1);
    let behaviour = Behaviour { longest_task_ms: 1, ..Behaviour::default() };
    let running = start(&authority, &credentials, knowledge, &behaviour).await.unwrap();
    let identity = authority.client("gateway").unwrap();
    let client = https_client(&authority.certificate, Some(&identity)).unwrap();
    Town { running, client, credentials, authority }
}

impl Town {
    pub(super) fn url(&self, name: &str, path: &str) -> String {
        format!("https://{}{path}", self.running.addresses[name])
    }

    pub(super) async fn xml(&self, interface: &str, body: &str) -> String {
        let request = self.client.post(self.url(INTERMEDIATE_SERVER, &format!("/{interface}")));
        let request = request.header("content-type", "application/xml; charset=utf-8");
        request.body(message(interface, body)).send().await.unwrap().text().await.unwrap()
    }

    async fn token(&self) -> String {
        let (id, secret) = (&self.credentials.pmh_id, &self.credentials.pmh_secret);
        self.token_of(PMH, id, secret, "pmh").await
    }

    async fn token_of(&self, name: &str, id: &str, secret: &str, scope: &str) -> String {
        let url = self.url(name, "/oauth2/token");
        let jti = format!("{}", self.running.ledger.evidence().receipts.len());
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &tokens::assertion(id, secret, &url, &jti)),
            ("scope", scope),
        ];
        let answer = self.client.post(url).form(&form).send().await.unwrap();
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    async fn pmh(&self, path: &str, key: &str, body: &Value) -> (u16, Value) {
        let request = self.client.post(self.url(PMH, path)).bearer_auth(self.token().await);
        let request = request.header("idempotency-key", key);
        json_answer(request.header("content-type", "application/json").body(body.to_string())).await
    }

    async fn task(&self, task: &Value) -> Value {
        loop {
            let url = self.url(PMH, &format!("/tasks/{}", task["taskId"].as_str().unwrap()));
            let request = self.client.get(url).bearer_auth(self.token().await);
            let (_, answer) = json_answer(request).await;
            if answer["status"] == "completed" {
                return answer;
            }
        }
    }

    pub(super) fn effects(&self) -> usize {
        self.running.ledger.effects()
    }

    pub(super) fn violations(&self) -> Vec<String> {
        self.running.ledger.evidence().violations.into_iter().map(|v| v.problem).collect()
    }
}

async fn json_answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null))
}

fn message(interface: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Message xmlns=\"{}\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><Header><MessageId>k-1</MessageId>\
         <MessageType>{interface}_R01</MessageType><Mode>1</Mode>\
         <SourceSystem>KENKO</SourceSystem><DestinationSystem>CHUKAN</DestinationSystem>\
         <SentAt>20260601090000000</SentAt></Header><Body>{body}</Body></Message>",
        envelope::NAMESPACE
    )
}

pub(super) fn copy(revision: u32, date: &str) -> String {
    let mut items = String::new();
    for (code, value) in [("10", "A01"), ("20", "1"), ("30", date), ("40", "AB12")] {
        items.push_str(&format!("<TK000084000000{code}>{value}</TK000084000000{code}>"));
    }
    for code in ["50", "60", "70", "80", "90"] {
        items.push_str(&format!("<TK000084000000{code} xsi:nil=\"true\" reason=\"NotRecorded\"/>"));
    }
    format!(
        "<Requester><DepartmentCode>KENKO</DepartmentCode><UserId>u1</UserId></Requester><Copy>\
         <PersonNumber>{PERSON}</PersonNumber><InformationCode>TM00000000000084</InformationCode>\
         <DatasetNumber>0001</DatasetNumber><RecordKey>V1</RecordKey>\
         <MajorVersion>0001</MajorVersion><Revision>{revision}</Revision>\
         <PublishFrom>2026-07-01</PublishFrom><PublishUntil>9999-12-31</PublishUntil>\
         <Operation>1</Operation><Items>{items}</Items></Copy>"
    )
}

fn inquiry(key: &str) -> String {
    format!(
        "<Inquiry><RequestKey>{key}</RequestKey><PersonNumber>{PERSON}</PersonNumber>\
         <RequestedAt>20260601090000000</RequestedAt><DepartmentCode>KENKO</DepartmentCode>\
         <UserId>u1</UserId><InquirerCode>0000000000013123</InquirerCode>\
         <NotDisclosed>0</NotDisclosed><AffairCode>JM00000000000014</AffairCode>\
         <ProcedureCode>JT00000000000025</ProcedureCode>\
         <ProviderCode>0000000000013101</ProviderCode>\
         <InformationCode>TM00000000000084</InformationCode><ConditionKind>0</ConditionKind>\
         <YearKind>0</YearKind></Inquiry>"
    )
}

fn subject(revision: u32) -> Value {
    json!({"modificationSeg": "1", "myNumber": NUMBER, "municipalityIdentityKey": PERSON,
        "basicFiveInfo": {"name": "𠮷田　花子", "nameKana": "ヨシダ　ハナコ",
            "address": "東京都江戸川区見本町１", "dateOfBirth": "2025-01-02", "sex": "2"},
        "isNotDisclosed": false, "subjectNumber": "J1", "revision": revision})
}

fn person() -> Person {
    people::generate(1, 5).into_iter().find(|p| p.my_number.is_some()).unwrap()
}

#[tokio::test]
async fn a_caller_without_a_client_certificate_is_not_let_in() {
    let town = town(Knowledge::default()).await;
    let stranger = https_client(&town.authority.certificate, None).unwrap();
    assert!(stranger.get(town.url(PMH, "/tasks/T1")).send().await.is_err());
    let other = Authority::new("other").unwrap().client("gateway").unwrap();
    let forged = https_client(&town.authority.certificate, Some(&other)).unwrap();
    assert!(forged.get(town.url(PMH, "/tasks/T1")).send().await.is_err());
    assert!(town.running.ledger.evidence().receipts.is_empty());
}

#[tokio::test]
async fn a_copy_takes_effect_once_and_older_or_altered_revisions_are_refused() {
    let town = town(Knowledge::default()).await;
    for _ in 0..2 {
        assert!(town.xml("IF_DBM_10111", &copy(2, "2026-05-01")).await.contains("<Result>0<"));
    }
    assert_eq!(town.effects(), 1);
    assert!(town.violations().is_empty());
    assert!(town.xml("IF_DBM_10111", &copy(1, "2026-05-01")).await.contains("E0301"));
    assert!(town.xml("IF_DBM_10111", &copy(2, "2026-05-02")).await.contains("E0302"));
    assert_eq!((town.effects(), town.violations().len()), (1, 2));
}

#[tokio::test]
async fn each_departure_from_the_layout_is_refused_and_counted() {
    let town = town(Knowledge::default()).await;
    let good = copy(1, "2026-05-01");
    let bad = [
        good.replace("<Revision>1", "<Revision>one"),
        good.replace(PERSON, "123456789012341"),
        good.replace("<DatasetNumber>0001</DatasetNumber>", ""),
        good.replace("<Items>", "<Extra/><Items>"),
        good.replace("xsi:nil=\"true\" reason=\"NotRecorded\"", "xsi:nil=\"true\""),
        good.replace("NotRecorded", "BecauseISaySo"),
        good.replace("2026-05-01", "2026-02-30"),
        good.replace("<Operation>1", "<Operation>2"),
        good.replace("</Copy>", "</Copy><Copy/>"),
    ];
    for body in &bad {
        assert!(town.xml("IF_DBM_10111", body).await.contains("E0201"), "{body}");
    }
    assert_eq!((town.effects(), town.violations().len()), (0, bad.len()));
    let request = town.client.post(town.url(INTERMEDIATE_SERVER, "/IF_DBM_10111"));
    let request = request.header("content-type", "text/xml").body(message("IF_DBM_10111", &good));
    assert_eq!(request.send().await.unwrap().status(), 415);
}

#[tokio::test]
async fn a_my_number_where_none_may_be_is_a_leak() {
    let town = town(Knowledge::default()).await;
    let body = copy(1, "2026-05-01").replace("AB12", NUMBER);
    town.xml("IF_DBM_10111", &body).await;
    let leaks = town.running.ledger.evidence().violations;
    assert!(leaks.len() == 1 && leaks[0].leak && town.effects() == 0);
    let notice = json!({"pmhPseudonym": "P1", "noticeKey": "N1", "title": "t", "message": NUMBER});
    assert_eq!(town.pmh("/vaccination/notices", "k", &notice).await.0, 400);
    let request = town.client.get(town.url(PMH, &format!("/tasks/{NUMBER}")));
    request.send().await.unwrap();
    assert_eq!(town.running.ledger.evidence().violations.iter().filter(|v| v.leak).count(), 3);
}

#[tokio::test]
async fn an_inquiry_registered_twice_is_two_inquiries() {
    let knowledge = Knowledge { unavailable: ["Q2".to_owned()].into(), ..Knowledge::default() };
    let town = town(knowledge).await;
    let query = "<InquiryQuery><RequestKey>Q1</RequestKey></InquiryQuery>";
    assert!(town.xml("IF_SKI_10912", query).await.contains("E0404"));
    let answer = town.xml("IF_SKI_10111", &inquiry("Q1")).await;
    assert!(answer.contains("<ProcessingNumber>00000000000000000001<"), "{answer}");
    assert!(town.xml("IF_SKI_10912", query).await.contains("00000000000000000001"));
    town.xml("IF_SKI_10111", &inquiry("Q1")).await;
    assert_eq!(town.effects(), 2, "the trap: not idempotent");
    town.xml("IF_SKI_10111", &inquiry("Q2")).await;
    for (number, status, availability) in [(1, "3", "1"), (3, "4", "2")] {
        let number = format!("<ProcessingNumber>{number:020}</ProcessingNumber>");
        let status_query = format!("<StatusQuery>{number}</StatusQuery>");
        while town.xml("IF_SKI_10712", &status_query).await.contains("<Status>2<") {}
        let told = town.xml("IF_SKI_10712", &status_query).await;
        assert!(told.contains(&format!("<Status>{status}<")), "{told}");
        let result =
            town.xml("IF_SKI_11112", &format!("<ResultQuery>{number}</ResultQuery>")).await;
        assert!(result.contains(&format!("<Availability>{availability}<")), "{result}");
    }
}

#[tokio::test]
async fn the_intermediate_server_says_whether_it_is_in_operation() {
    let query = "<AvailabilityQuery><TargetSystem>CHUKAN</TargetSystem></AvailabilityQuery>";
    let open = town(Knowledge::default()).await;
    assert!(open.xml("IF_SYM_20212", query).await.contains("<OperatingStatus>1<"));
    let resumes_at = Some("20260602070000000".to_owned());
    let stopped = town(Knowledge { resumes_at, ..Knowledge::default() }).await;
    let told = stopped.xml("IF_SYM_20212", query).await;
    assert!(told.contains("<OperatingStatus>2<") && told.contains("<ResumesAt>20260602070000000<"));
    assert_eq!((stopped.effects(), stopped.violations()), (0, vec![]));
    let wrong = stopped.xml("IF_SYM_20212", "<AvailabilityQuery/>").await;
    assert!(wrong.contains("E0201"), "{wrong}");
    assert_eq!(stopped.violations().len(), 1);
}

#[tokio::test]
async fn pmh_settles_each_item_by_itself_and_knows_a_repetition() {
    let refused = BTreeMap::from([("subject:J1/2".to_owned(), "E2002".to_owned())]);
    let town = town(Knowledge { refused, ..Knowledge::default() }).await;
    let path = "/vaccination/subject-registration-tasks";
    let body = json!([subject(1), subject(2)]);
    let (status, task) = town.pmh(path, "k1", &body).await;
    assert_eq!(status, 202);
    let results = town.task(&task).await["results"].clone();
    let expected = json!([{"itemNumber": 1, "status": "registered"},
        {"itemNumber": 2, "status": "error", "errorCode": "E2002"}]);
    assert_eq!(results, expected);
    assert_eq!(town.pmh(path, "k1", &body).await.1, task);
    let (_, again) = town.pmh(path, "k2", &json!([subject(1)])).await;
    town.task(&again).await;
    assert_eq!((town.effects(), town.violations()), (1, vec![]));
}

#[tokio::test]
async fn pmh_refuses_what_is_not_documented() {
    let town = town(Knowledge::default()).await;
    let path = "/vaccination/subject-registration-tasks";
    let with = |name: &str, value: Value| {
        let mut item = subject(1);
        item[name] = value;
        json!([item])
    };
    let bad = [
        with("myNumber", "123456789019".into()),
        with("extra", 1.into()),
        with("removalDate", "2026-01-01".into()),
        with("basicFiveInfo", Value::Null),
        with("modificationSeg", "3".into()),
        json!([]),
        json!({}),
    ];
    for body in &bad {
        assert_eq!(town.pmh(path, "k", body).await.0, 400, "{body}");
    }
    let many: Vec<Value> = (1..=101).map(subject).collect();
    assert_eq!(town.pmh(path, "k", &many.into()).await.0, 413);
    assert_eq!((town.effects(), town.violations().len()), (0, bad.len() + 1));
}

#[tokio::test]
async fn tokens_are_demanded_and_checked() {
    let town = town(Knowledge::default()).await;
    for (name, path) in [(PMH, "/tasks/T1"), (APPLICATION_INTAKE, "/applications/A1")] {
        assert_eq!(town.client.get(town.url(name, path)).send().await.unwrap().status(), 401);
    }
    let url = town.url(PMH, "/oauth2/token");
    let forged = tokens::assertion(&town.credentials.pmh_id, "another secret", &url, "1");
    let checked = tokens::check_assertion(
        &forged,
        &town.credentials.pmh_id,
        &town.credentials.pmh_secret,
        "/oauth2/token",
    );
    assert_eq!(checked, Err("the signature is wrong"));
}

#[tokio::test]
async fn a_token_of_one_call_opens_no_other() {
    let (number, at) = ("J-1".to_owned(), "2026-06-01T09:00:00+09:00".to_owned());
    let change = Waiting { number, at, document: json!({"idotsuban": "J-1"}) };
    let knowledge = Knowledge { residents: vec![change], ..Knowledge::default() };
    let town = town(knowledge).await;
    let (id, secret) = (&town.credentials.integrated_id, &town.credentials.integrated_secret);
    let list = "/app_submit/v10/juminidoichiranshutoku";
    for (api, status) in [("juminidoichiranshutoku", 200), ("juminidoshutoku", 403)] {
        let scope = format!("032:app_submit/v10/{api}:Read");
        let token = town.token_of(INTEGRATED_DATABASE, id, secret, &scope).await;
        let request = town.client.post(town.url(INTEGRATED_DATABASE, list)).bearer_auth(token);
        let request = request.header("content-type", "application/json");
        let body = json!({"kijunnichiji": "", "peji": 1}).to_string();
        assert_eq!(json_answer(request.body(body)).await.0, status, "{scope}");
    }
    assert_eq!(town.violations().len(), 1);
}

#[tokio::test]
async fn applications_are_listed_since_a_time_and_their_status_changes_keep_their_order() {
    let plan = crate::municipality::Plan {
        seed: 1,
        residents: 9,
        notices: 0,
        inquiries: 0,
        applications: 30,
    };
    let knowledge = crate::municipality::Municipality::generate(plan).knowledge;
    let last = knowledge.applications[29].clone();
    let town = town(knowledge).await;
    let (id, password) = (&town.credentials.intake_id, &town.credentials.intake_password);
    let send = |path: &str, token: &str, body: Value| {
        let request = town.client.post(town.url(APPLICATION_INTAKE, path));
        let request = request.header("x-auth-token", token);
        json_answer(request.header("content-type", "application/json").body(body.to_string()))
    };
    let login = send("/login", "", json!({"id": id, "password": password})).await.1;
    let token = login["token"].as_str().unwrap().to_owned();
    let page = send("/applications/list", &token, json!({"since": "", "page": 1})).await.1;
    assert_eq!(
        (page["applications"].as_array().unwrap().len(), &page["hasMore"]),
        (20, &true.into())
    );
    let since = json!({"since": last.received_at, "page": 1});
    let page = send("/applications/list", &token, since).await.1;
    assert_eq!(page["applications"][0]["receptionNumber"], last.reception_number.as_str());
    let changes = crate::municipality::applications::status_changes(1, &last.reception_number);
    let body = |step: usize| {
        let body = &changes[step].body;
        json!({"receptionNumber": body["receptionNumber"], "statusKey": body["statusId"],
            "sequence": body["revision"], "status": "01", "changedAt": body["changedAt"]})
    };
    for (step, code) in [(1, "0000"), (1, "0000"), (0, "E1002")] {
        let request = town.client.post(town.url(APPLICATION_MANAGEMENT, "/application-status"));
        let (id, password) =
            (&town.credentials.management_id, &town.credentials.management_password);
        let request = request.basic_auth(id, Some(password));
        let request = request.header("content-type", "application/json");
        assert_eq!(json_answer(request.body(body(step).to_string())).await.1["resultCode"], code);
    }
    assert_eq!(town.effects(), 1);
}

/// One intermediate server that plays `fault` at its first request.
async fn faulty(fault: Fault) -> (Result<(u16, String), reqwest::Error>, Arc<Ledger>) {
    let authority = Authority::new("test").unwrap();
    let ledger = Arc::new(Ledger::default());
    let behaviour = Behaviour {
        silence: Duration::from_millis(20),
        lateness: Duration::from_millis(5),
        ..Behaviour::default()
    };
    let knowledge = Arc::new(Knowledge::default());
    let server = intermediate_server::IntermediateServer::new(
        Arc::clone(&ledger),
        Arc::clone(&knowledge),
        &behaviour,
    );
    let plan = Plan::scripted(INTERMEDIATE_SERVER, vec![(1, fault)]);
    let stage =
        server::Stage::new(Arc::new(server), Arc::clone(&ledger), knowledge, plan, behaviour);
    let tls = pki::server_config(&authority.certificate, &authority.server("x").unwrap()).unwrap();
    let mut tasks = JoinSet::new();
    let (_shown, tls) = tokio::sync::watch::channel(Arc::new(tls));
    let address = server::listen(stage, tls, &mut tasks).await.unwrap();
    let identity = authority.client("gateway").unwrap();
    let client = https_client(&authority.certificate, Some(&identity)).unwrap();
    let request = client.post(format!("https://{address}/IF_DBM_10111"));
    let request = request.header("content-type", "application/xml; charset=utf-8");
    let request = request.body(message("IF_DBM_10111", &copy(1, "2026-05-01")));
    let answer = match request.send().await {
        Err(error) => Err(error),
        Ok(answer) => {
            let status = answer.status().as_u16();
            answer.text().await.map(|text| (status, text))
        }
    };
    (answer, ledger)
}

#[tokio::test]
async fn each_fault_does_what_its_name_says() {
    for (fault, answered, applied) in [
        (Fault::Busy, Some(503), 0),
        (Fault::BusyBody, Some(200), 0),
        (Fault::CutBefore, None, 0),
        (Fault::CutAfter, None, 1),
        (Fault::SilentAfter, None, 1),
        (Fault::Late, None, 1),
        (Fault::ProxyPage, Some(200), 1),
        (Fault::Truncated, Some(200), 1),
    ] {
        let (answer, ledger) = faulty(fault).await;
        assert_eq!(answer.as_ref().ok().map(|(status, _)| *status), answered, "{fault:?}");
        let text = answer.map(|(_, text)| text).unwrap_or_default();
        assert!(!text.contains("</Message>") || fault == Fault::BusyBody, "{fault:?}: {text}");
        assert_eq!(text.contains("E9001"), fault == Fault::BusyBody);
        assert_eq!(ledger.effects(), applied, "{fault:?}");
        let label = format!("{INTERMEDIATE_SERVER} {}", fault.name());
        assert_eq!(ledger.evidence().faults.get(&label), Some(&1));
    }
}

#[tokio::test]
async fn what_the_municipality_expects_is_what_the_counterparts_log() {
    let town = town(Knowledge::default()).await;
    let person = person();
    let mut dose = Dose::new(&mut Random::new(5, "dose"), "V1".to_owned(), 0);
    dose.correct(&mut Random::new(6, "dose"));
    let message = draft::record("M1".to_owned(), &person, &dose, "registered", 1);
    let expected = message.expects.iter().find(|one| one.counterpart == PMH).unwrap();
    let vaccination = &message.body["vaccination"];
    let mut item = json!({"modificationSeg": "1", "myNumber": person.my_number,
        "municipalityIdentityKey": person.atena_number, "vaccinationRecordId": "V1",
        "historyNumber": 1, "isDeleted": "0", "vaccinationDate": vaccination["date"],
        "vaccineCode": vaccination["vaccineCode"], "doseNumber": vaccination["doseNumber"]});
    for (name, from) in [("lotNumber", "lot"), ("amount", "amount")] {
        if let Some(value) = expected.content.get(from) {
            item[name] = value.as_str().into();
        }
    }
    let path = "/vaccination/record-registration-tasks";
    let (_, task) = town.pmh(path, "k", &json!([item])).await;
    town.task(&task).await;
    let effect = town.running.ledger.evidence().effects.remove(0);
    assert_eq!((effect.key.as_str(), effect.person), ("V1/1", person.atena_number));
    for (name, value) in &expected.content {
        assert_eq!(effect.content.get(*name), Some(value), "{name}");
    }
}
