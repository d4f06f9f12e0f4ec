//! 中間サーバー by file, with the definitions that are delivered: whole ways, from the file that comes to the
//! file that goes and to what upstream is told.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use watashi::adapter::bundle::Enabled;
use watashi::adapter::{Bundle, Operation};
use watashi::config::definitions;
use watashi::model::{Clock, Secret};
use watashi::pipeline::accept::{Arrival, Origin, accept};
use watashi::pipeline::approve::{By, approve};
use watashi::pipeline::context::Accepting;
use watashi::pipeline::file::read::Clerk;
use watashi::pipeline::file::write::Desk;
use watashi::pipeline::worker::{self, Work};
use watashi::pipeline::{Context, Counterpart, Counterparts, Definitions, Settings};
use watashi::store::approvals::DemandFilter;
use watashi::store::keys::Keys;
use watashi::store::sqlite::Options;
use watashi::store::{Filter, SqliteStore};
use watashi::transport::NoTarget;
use watashi::transport::place::Place;
use watashi::transport::place::memory::Memory;

const ADAPTER: &str = "intermediate-server-files";
const PERSON: &str = "123456789012340";

/// A clock that is moved on.
struct Hands(Mutex<Timestamp>);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// A gateway with the routes of the files, and the place of its counterpart.
struct Office {
    cx: Arc<Context>,
    place: Memory,
    clock: Arc<Hands>,
    folder: PathBuf,
}

impl Drop for Office {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

impl Office {
    fn open() -> Office {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("watashi-by-file-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let mut problems = Vec::new();
        let files = definitions::read(Path::new(env!("CARGO_MANIFEST_DIR")), &mut problems);
        let all = Bundle::build(&files, &Enabled::All, &BTreeMap::new(), &mut problems).unwrap();
        let own = all.routes().filter(|route| route.adapter.name == ADAPTER);
        let own = own.map(|route| (route.name.clone(), None)).collect();
        let bundle = Bundle::build(&files, &Enabled::These(own), &BTreeMap::new(), &mut problems);
        let bundle = Arc::new(bundle.unwrap());
        assert!(problems.is_empty());
        let seed = vec![("k1".to_owned(), Secret::new(vec![7; 32]))];
        let keys = Arc::new(Keys::from_masters("k1", seed).unwrap());
        let path = folder.join("test.db");
        let store = SqliteStore::open(&path, Arc::clone(&keys), Options::default()).unwrap();
        let clock = Arc::new(Hands(Mutex::new("2026-12-01T18:00:00+09:00".parse().unwrap())));
        let place = Memory::default();
        let exchange: Arc<dyn Place> = Arc::new(place.clone());
        let counterpart =
            Counterpart::new(Arc::clone(bundle.adapters.get(ADAPTER).unwrap()), Arc::new(NoTarget))
                .with_files(BTreeMap::from([("exchange".to_owned(), exchange)]));
        let cx = Arc::new(Context {
            definitions: Definitions::new(bundle),
            store,
            keys,
            clock: Arc::clone(&clock) as _,
            counterparts: Counterparts::new([counterpart]),
            settings: Settings {
                municipalities: vec!["131237".to_owned()],
                max_body: 1 << 20,
                max_backlog: 1_000,
                drain: Duration::from_secs(5),
            },
            outbox: tokio::sync::Notify::new(),
            accepting: Accepting::default(),
            sealing: Arc::default(),
            steady: Default::default(),
            files: Default::default(),
            scanner: None,
        });
        Office { cx, place, clock, folder }
    }

    fn operation(&self, name: &str) -> Arc<Operation> {
        let bundle = self.cx.bundle();
        let adapter = bundle.adapters.get(ADAPTER).unwrap();
        Arc::clone(adapter.operations.get(name).unwrap())
    }

    fn pass(&self, minutes: u64) {
        let mut now = self.clock.0.lock().unwrap();
        *now = now.checked_add(Duration::from_secs(60 * minutes)).unwrap();
    }

    async fn post(&self, message_type: &str, id: &str, body: &Value) {
        let arrival = Arrival {
            source: "kenko".to_owned(),
            origin: Origin::Upstream,
            message_id: Some(id.to_owned()),
            message_type: Some(message_type.to_owned()),
            content_type: Some("application/json".to_owned()),
            correlation_id: None,
            reply_to: None,
            traceparent: None,
            operator: Some("yamada".to_owned()),
            municipality: None,
            body: Bytes::from(body.to_string()),
            cleared: None,
        };
        accept(&arrival, &self.cx).await.unwrap();
    }

    /// An operation that reads looks at the file, which is whole.
    async fn comes(&self, operation: &str, name: &str, content: &str) {
        let (stem, _) = name.rsplit_once('.').unwrap();
        self.place.put(&format!("from-server/{name}"), content);
        self.place.put(&format!("from-server/{stem}.end"), "");
        let operation = self.operation(operation);
        Clerk::new(operation, ADAPTER.to_owned(), Arc::clone(&self.cx)).pass().await;
        assert!(
            self.place.files().contains_key(&format!("done/{name}")),
            "{:?}",
            self.cx.files.all()
        );
    }

    /// An operation that writes has a day's time; gives what lies there by this name.
    async fn written(&self, operation: &str, name: &str) -> Option<String> {
        let operation = self.operation(operation);
        let mut desk = Desk::new(ADAPTER.to_owned(), operation, Arc::clone(&self.cx));
        for _ in 0..25 {
            desk.pass().await;
            self.pass(60);
        }
        let content = self.place.files().get(&format!("to-server/{name}")).cloned()?;
        Some(String::from_utf8(content.to_vec()).unwrap())
    }

    /// Publishes what came, and gives what upstream is told, by type.
    async fn told(&self, message_type: &str) -> Vec<Value> {
        let counterpart = self.cx.counterpart(ADAPTER).unwrap();
        let stop = tokio::sync::watch::Sender::new(false);
        let work = worker::run(Work::Publish, counterpart, Arc::clone(&self.cx), stop.subscribe());
        let watcher = async {
            let begun = Instant::now();
            while self
                .routes_in("received")
                .await
                .iter()
                .any(|name| name.ends_with("-to-health") || name.starts_with("demand-file"))
                && begun.elapsed() < Duration::from_secs(10)
            {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            stop.send_replace(true);
        };
        tokio::join!(work, watcher);
        let pending = self.cx.store.pending(100).await.unwrap().into_iter();
        let told = pending.filter(|one| one.message.message_type == message_type);
        told.map(|one| serde_json::from_slice(one.message.body.expose()).unwrap()).collect()
    }

    async fn routes_in(&self, state: &str) -> Vec<String> {
        let filter = Filter { limit: 1_000, ..Filter::default() };
        let all = self.cx.store.list(filter).await.unwrap().into_iter();
        all.filter(|one| one.state == state).map(|one| one.route).collect()
    }

    /// A second person agrees to all that waits.
    async fn agree(&self) {
        let filter = Filter { limit: 1_000, ..Filter::default() };
        for one in self.cx.store.list(filter).await.unwrap() {
            if one.state == "waiting-approval" {
                let by = By { operator: "sato".to_owned(), reason: "原本を確認".to_owned() };
                approve(one.id, by, &self.cx).await.unwrap().unwrap();
            }
        }
    }

    async fn demands(&self) -> Vec<(String, String, String)> {
        let all = self.cx.store.demands(DemandFilter::default()).await.unwrap();
        all.into_iter().map(|one| (one.number, one.item, one.state)).collect()
    }
}

fn three(number: &str, item: &str, state: &str) -> (String, String, String) {
    (number.to_owned(), item.to_owned(), state.to_owned())
}

const DEMANDS: &str = "ProcessingNumber,ProviderMunicipality,PersonNumber,InquirerCode,InquirerKind,AffairCode,\
ProcedureCode,InformationCode,RequestedAt,Cause,From,To\r\n\
SN-0001,131237,123456789012340,0000000000013101,1,JM00000000000014,JT00000000000025,TM00000000000084,20261201100000000,2,,\r\n\
SN-0002,131237,123456789012357,0000000000099001,3,JM00000000000126,JT00000000000154,TM00000000000084,20261201110000000,1,20200401,20261130\r\n\
SN-0003,131237,123456789012340,0000000000013101,1,JM00000000000014,JT00000000000026,TM00000000000084,20261201120000000,2,,\r\n";

#[tokio::test]
async fn a_demand_is_listed_fetched_answered_and_settled_by_files_alone() {
    let office = Office::open();
    let list = "ProcessingNumber\r\nSN-0001\r\nSN-0002\r\nSN-0003\r\n";
    office.comes("read-demand-list", "IF_TKY_11334_20261201_000001.csv", list).await;
    let asked = office.written("write-demand-requests", "IF_TKY_11523_000001.csv").await;
    assert_eq!(asked.as_deref(), Some(list));
    // Listed again the next day: asked for once.
    office.comes("read-demand-list", "IF_TKY_11334_20261202_000002.csv", list).await;
    assert_eq!(office.written("write-demand-requests", "IF_TKY_11523_000002.csv").await, None);
    office.comes("read-demands", "IF_TKY_11534_20261201_000001.csv", DEMANDS).await;
    let demanded = office.told("provision.demanded").await;
    // A 市町村長 has no ground under item 26: upstream never hears of it, staff see it among the demands.
    let numbers: Vec<_> = demanded.iter().map(|one| one["processingNumber"].clone()).collect();
    assert_eq!(numbers, ["SN-0001", "SN-0002"]);
    assert_eq!(demanded[1]["legalItem"], "154");
    assert_eq!(office.routes_in("dead").await, ["demand-file-item-26"]);
    assert!(office.demands().await.contains(&three("SN-0003", "26", "open")));

    let about = |number: &str, item: &str, person: &str| {
        json!({"municipalityCode": "131237", "processingNumber": number, "legalItem": item,
            "person": {"atenaNumber": person, "isNotDisclosed": false}, "department": "KENKO-YOBO"})
    };
    let mut answer = about("SN-0001", "25", PERSON);
    answer["availability"] = json!("provided");
    answer["records"] = json!([{"vaccineCode": "010", "doseNumber": 1, "date": "2026-05-20"}]);
    office.post("provision.answer.prepared", "A-1", &answer).await;
    let mut permission = about("SN-0002", "154", "123456789012357");
    permission["isPermitted"] = json!(true);
    office.post("provision.permission.prepared", "P-1", &permission).await;
    assert_eq!(office.written("write-provisions", "IF_TKY_20323_000001_001.xml").await, None);
    office.agree().await;
    let provision = office.written("write-provisions", "IF_TKY_20323_000001_001.xml").await;
    let provision = provision.unwrap();
    assert!(provision.contains("<ProcessingNumber>SN-0001</ProcessingNumber>"), "{provision}");
    assert!(provision.contains("<UserId>yamada</UserId>"), "{provision}");
    assert!(
        provision.contains("<TK00008400000090 xsi:nil=\"true\" reason=\"NotRecorded\""),
        "{provision}"
    );
    let permitted = office.written("write-permissions", "IF_TKY_20523_000001.csv").await;
    let expected = "ProcessingNumber,PersonNumber,DepartmentCode,UserId,Setting\r\nSN-0002,123456789012357,KENKO-YOBO,yamada,1\r\n";
    assert_eq!(permitted.as_deref(), Some(expected));

    let result = |number: &str, word: &str| {
        format!("Number,ProcessingNumber,Result,ErrorCode\r\n1,{number},{word}\r\n")
    };
    let done = result("SN-0001", "0,");
    office.comes("read-provision-results", "IF_TKY_20334_000001.csv", &done).await;
    let refused = result("SN-0002", "E,E0302");
    office.comes("read-permission-results", "IF_TKY_20534_000001.csv", &refused).await;
    let demands = office.demands().await;
    assert!(demands.contains(&three("SN-0001", "25", "answered")), "{demands:?}");
    assert!(demands.contains(&three("SN-0002", "154", "open")), "{demands:?}");
    assert_eq!(office.told("provision.answered").await, [json!({"processingNumber": "SN-0001"})]);
}

#[tokio::test]
async fn a_result_of_another_demand_is_left_to_a_person() {
    let office = Office::open();
    office.comes("read-demands", "IF_TKY_11534_20261201_000001.csv", DEMANDS).await;
    let answer = json!({"municipalityCode": "131237", "processingNumber": "SN-0001", "legalItem": "25",
        "person": {"atenaNumber": PERSON, "isNotDisclosed": false}, "department": "KENKO-YOBO",
        "availability": "not-available"});
    office.post("provision.answer.prepared", "A-1", &answer).await;
    office.agree().await;
    office.written("write-provisions", "IF_TKY_20323_000001_001.xml").await.unwrap();
    let other = "Number,ProcessingNumber,Result,ErrorCode\r\n1,SN-0002,0,\r\n";
    office.comes("read-provision-results", "IF_TKY_20334_000001.csv", other).await;
    assert_eq!(office.routes_in("unknown").await, ["provision-file-item-25"]);
    let demands = office.demands().await;
    assert!(demands.contains(&three("SN-0001", "25", "answering")), "{demands:?}");
}

#[tokio::test]
async fn an_inquiry_that_failed_goes_into_a_second_round() {
    let office = Office::open();
    let mut inquiry = json!({"municipalityCode": "131237", "inquiryId": "Q-1", "round": 1, "legalItem": "25",
        "information": "vaccination", "person": {"atenaNumber": PERSON}, "department": "KENKO-YOBO",
        "userId": "k0123", "provider": {"municipalityCode": "131016"}, "notDisclosed": false});
    office.post("inquiry.by-item.requested", "Q-1", &inquiry).await;
    let name = "IF_SKI_10123_20261201_000001_0001.DAT";
    office.written("write-inquiries", name).await.expect("the first round");
    let registered = "Number,Result,ErrorCode,ProcessingNumber\r\n1,0,,SN-0001\r\n";
    office.comes("read-registrations", "IF_SKI_10134_000001.csv", registered).await;
    let asks = json!({"municipalityCode": "131237", "processingNumber": "SN-0001"});
    office.post("inquiry.file-status.requested", "S-1", &asks).await;
    let asked = office.written("write-status-requests", "IF_SKI_10723_000001.csv").await;
    assert_eq!(asked.as_deref(), Some("ProcessingNumber\r\nSN-0001\r\n"));
    let failed = "ProcessingNumber,Status,ErrorCode\r\nSN-0001,9,E0501\r\n";
    office.comes("read-statuses", "IF_SKI_10734_20261201_000001.csv", failed).await;
    let told = json!({"processingNumber": "SN-0001", "status": "failed", "errorCode": "E0501"});
    assert_eq!(office.told("inquiry.file-status.answered").await, [told]);
    inquiry["inquiryId"] = json!("Q-2");
    inquiry["round"] = json!(2);
    inquiry["previousInquiryId"] = json!("Q-1");
    office.post("inquiry.by-item.requested", "Q-2", &inquiry).await;
    office.written("write-inquiries", "").await;
    let again = office.place.files().into_keys().filter(|path| path.contains("_000002_0001.DAT"));
    assert_eq!(again.count(), 1);
}

#[tokio::test]
async fn an_inquiry_is_taken_back_by_its_number() {
    let office = Office::open();
    let mut cancel = json!({"municipalityCode": "131237", "cancelId": "C-1", "inquiryId": "Q-1",
        "person": {"atenaNumber": PERSON}, "department": "KENKO-YOBO", "userId": "k0123"});
    office.post("inquiry.cancel.requested", "C-0", &cancel).await;
    cancel["processingNumber"] = json!("SN-0001");
    office.post("inquiry.cancel.requested", "C-1", &cancel).await;
    let written = office.written("write-cancels", "IF_SKI_50123_000001.csv").await.unwrap();
    let row = "C-1,SN-0001,123456789012340,KENKO-YOBO,k0123\r\n";
    assert!(written.ends_with(row) && written.lines().count() == 2, "{written}");
    // Without its number there is nothing to take back.
    assert_eq!(office.routes_in("dead").await, ["inquiry-cancel-to-file"]);
    let taken = "Number,Result,ErrorCode,ReceiptNumber\r\n1,0,,R-0001\r\n";
    office.comes("read-cancel-registrations", "IF_SKI_50134_000001.csv", taken).await;
    let registered =
        json!({"cancelId": "C-1", "processingNumber": "SN-0001", "receiptNumber": "R-0001"});
    assert_eq!(office.told("inquiry.cancel.registered").await, [registered]);
    let asks = json!({"municipalityCode": "131237", "receiptNumber": "R-0001"});
    office.post("inquiry.cancel.result-requested", "CR-1", &asks).await;
    let asked = office.written("write-cancel-result-requests", "IF_SKI_50423_000001.csv").await;
    assert_eq!(asked.as_deref(), Some("ReceiptNumber\r\nR-0001\r\n"));
    let decided = "ReceiptNumber,ProcessingNumber,Status\r\nR-0001,SN-0001,3\r\n";
    office.comes("read-cancel-results", "IF_SKI_50434_20261201_000001.csv", decided).await;
    let late =
        json!({"processingNumber": "SN-0001", "receiptNumber": "R-0001", "status": "too-late"});
    assert_eq!(office.told("inquiry.cancel.file-answered").await, [late]);
}

#[tokio::test]
async fn a_flag_of_a_record_follows_its_copy() {
    let office = Office::open();
    let record = json!({"municipalityCode": "131237", "event": "registered", "recordId": "VR-1", "revision": 1,
        "person": {"atenaNumber": PERSON, "name": "山田　花子", "birthDate": "2024-04-01", "sex": "female",
            "isNotDisclosed": false},
        "vaccination": {"vaccineCode": "010", "doseNumber": 1, "date": "2026-05-20", "paper": false},
        "publishFrom": "2026-06-01"});
    office.post("vaccination.record.registered", "V-1", &record).await;
    let flag = json!({"municipalityCode": "131237", "flagId": "F-1", "revision": 1, "person": {"atenaNumber": PERSON},
        "department": "KENKO-YOBO", "userId": "k0123", "flag": "no-automatic-answer", "scope": "record",
        "isSet": true, "informationCode": "TM00000000000084", "recordId": "VR-1", "reason": "sensitive"});
    office.post("copy.flag.changed", "F-1", &flag).await;
    let name = "IF_DBM_40123_000001.csv";
    assert_eq!(office.written("write-flags-record-automatic", name).await, None);
    office.written("write-copies", "DBM_20113_000001.end").await.unwrap();
    assert_eq!(office.written("write-flags-record-automatic", name).await, None);
    let taken = "Number,RecordKey,Result,ErrorCode,ReceiptNumber\r\n1,VR-1,0,,R-1\r\n";
    office.comes("read-copy-results", "DBM_20314_000001.csv", taken).await;
    let written = office.written("write-flags-record-automatic", name).await.unwrap();
    assert!(
        written.ends_with("F-1,1,123456789012340,TM00000000000084,VR-1,1,1,KENKO-YOBO,k0123\r\n"),
        "{written}"
    );
}
