//! The simulated counterparts: one HTTPS listener each on loopback, client certificate required.
//!
//! They take what they are sent as strictly as it is documented, play seeded faults around it
//! and write down every receipt, effect and violation in one [`Ledger`].

use crate::Trouble;
use crate::clamd::{Clamd, Manner};
use crate::pki::{Authority, server_config};
use crate::signing::Spoilt;
use jiff::civil::Date;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub mod application_intake;
pub mod application_management;
pub mod behind_pmh;
pub mod behind_pmh_entries;
pub mod behind_pmh_numbering;
pub mod demands;
pub mod envelope;
pub mod faults;
pub mod holdings;
pub mod integrated_database;
pub mod intermediate_server;
pub mod json;
pub mod ledger;
pub mod mynaportal;
pub mod pmh;
pub mod pmh_downloads;
pub mod pmh_items;
pub mod pmh_questionnaires;
pub mod pmh_settings;
pub mod server;
pub mod times;
pub mod tokens;
pub mod waiting;
pub mod xml;

#[cfg(test)]
mod behind_pmh_tests;
#[cfg(test)]
mod mynaportal_tests;
#[cfg(test)]
mod provision_tests;
#[cfg(test)]
mod tests;

use behind_pmh::{Behind, Insured};
use demands::Demand;
use faults::{Caution, Plan, Repertoire};
use holdings::Holdings;
use ledger::Ledger;
use mynaportal::Mynaportal;
use server::Line;
use times::Times;
use waiting::Waiting;

/// Name of the simulated 中間サーバー.
pub const INTERMEDIATE_SERVER: &str = "intermediate-server";
/// Name of the simulated PMH.
pub const PMH: &str = "pmh";
/// Name of the simulated 電子申請等情報受取.
pub const APPLICATION_INTAKE: &str = "application-intake";
/// Name of the simulated 申請管理.
pub const APPLICATION_MANAGEMENT: &str = "application-management";

/// Name of the simulated 統合DB, for runs in which residents change.
pub const INTEGRATED_DATABASE: &str = "integrated-database";

/// Name of the simulated マイナポータル, for runs in which it takes notices.
pub const MYNAPORTAL: &str = "mynaportal";

/// Those behind PMH, as the owner of what they hold; no counterpart of ours.
pub const BEHIND_PMH: &str = "behind PMH";

/// The four of every run, in the order they are shown.
pub const ALL: [&str; 4] = [INTERMEDIATE_SERVER, PMH, APPLICATION_INTAKE, APPLICATION_MANAGEMENT];

/// A request whose head and body have arrived.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// `GET`, `POST`, …
    pub method: String,
    /// Path without query.
    pub path: String,
    /// Query, empty when there is none.
    pub query: String,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
    /// Number of the receipt in the ledger.
    pub receipt: u64,
    /// When its head had arrived, milliseconds since 1970.
    pub received_ms: i64,
}

impl Received {
    /// Value of a header (name in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Method and path, for the ledger: identifiers in the path are not personal.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// An answer before a fault touches it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// Body.
    pub body: Vec<u8>,
    /// Set when the request broke the documented form.
    pub violation: Option<String>,
}

impl Answer {
    /// A JSON answer.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        let body = body.to_string().into_bytes();
        Answer { status, content_type: "application/json", body, violation: None }
    }

    /// Marks it as the answer to something that must never have been sent.
    pub fn violating(self, problem: impl Into<String>) -> Self {
        Answer { violation: Some(problem.into()), ..self }
    }
}

/// What distinguishes one counterpart from another.
pub trait Counterpart: Send + Sync + 'static {
    /// Its name, as in the adapters.
    fn name(&self) -> &'static str;
    /// What faults it can play.
    fn repertoire(&self) -> Repertoire;
    /// How careful faults must be with this request.
    fn caution(&self, request: &Received) -> Caution;
    /// Does what is asked and answers.
    fn answer(&self, request: &Received) -> Answer;
    /// The documented "system busy" answer, for those that have one.
    fn busy_body(&self, request: &Received) -> Answer;
    /// Forgets the token of the request; answers as for an expired one.
    fn expire_token(&self, request: &Received) -> Answer;
    /// The idempotency key it sees.
    fn idempotency_key(&self, request: &Received) -> String {
        request.header("idempotency-key").unwrap_or_default().to_owned()
    }
    /// Whether a 個人番号 may be in the body of this request (never anywhere else).
    fn admits_my_number(&self, _request: &Received) -> bool {
        false
    }
    /// What it has answered to questions.
    fn given(&self) -> Holdings {
        Holdings::default()
    }
    /// Another organisation asks it for what the municipality provides.
    fn asked(&self, _demand: &Demand) {}
    /// Its records of 求め and 提供 of these days, as the file it hands out.
    fn log(&self, _from: Date, _to: Date) -> String {
        String::new()
    }
    /// How many answers it has not given yet, because their time has not come.
    fn pending(&self) -> usize {
        0
    }
    /// What it holds now.
    fn holdings(&self) -> Holdings {
        Holdings::default()
    }
}

/// What the counterparts know of the municipality before the first message.
#[derive(Clone, Debug, Default)]
pub struct Knowledge {
    /// 宛名番号 the intermediate server knows; empty means all.
    pub known_people: BTreeSet<String>,
    /// Every 個人番号 of the municipality: what a leak is looked for by.
    pub my_numbers: BTreeSet<String>,
    /// Business keys refused for good, with the error code: `record:<recordId>/<revision>`,
    /// `subject:<subjectId>/<revision>`, `notice:<noticeId>`, and so on by kind.
    pub refused: BTreeMap<String, String>,
    /// RequestKeys whose inquiry ends with 提供不可.
    pub unavailable: BTreeSet<String>,
    /// RequestKeys of inquiries that are answered item by item, not dose by dose.
    pub by_item: BTreeSet<String>,
    /// When the intermediate server is in operation again, as 17 digits; `None`: it is.
    pub resumes_at: Option<String>,
    /// Applications waiting at the intake, oldest first.
    pub applications: Vec<Application>,
    /// Whom those behind PMH know, by 個人番号; with none, nothing is behind it.
    pub insured: BTreeMap<String, Insured>,
    /// 回答ID and 予防接種記録ID that PMH hands out with the 個人番号 of somebody else: its mistake.
    pub altered: BTreeSet<String>,
    /// What becomes of notices at マイナポータル, oldest first: read, expired.
    pub portal_events: Vec<Waiting>,
    /// Changes of residents at the 統合DB, oldest first; without any it is not started.
    pub residents: Vec<Waiting>,
    /// What changes with time.
    pub times: Times,
}

/// One electronic application as the intake hands it out.
#[derive(Clone, Debug, Deserialize)]
pub struct Application {
    /// 受付番号.
    pub reception_number: String,
    /// RFC 3339 with +09:00.
    pub received_at: String,
    /// Name of the procedure.
    pub procedure_name: String,
    /// What the applicant signs.
    pub document: serde_json::Value,
    /// What is wrong with its package; `None`: nothing.
    #[serde(default)]
    pub spoilt: Option<Spoilt>,
}

/// Ids and secrets the counterparts expect of the gateway.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// OAuth2 client id at PMH.
    pub pmh_id: String,
    /// OAuth2 client secret at PMH.
    pub pmh_secret: String,
    /// Login id at the intake.
    pub intake_id: String,
    /// Login password at the intake.
    pub intake_password: String,
    /// Basic user at 申請管理.
    pub management_id: String,
    /// Basic password at 申請管理.
    pub management_password: String,
    /// OAuth2 client id at the 統合DB.
    pub integrated_id: String,
    /// OAuth2 client secret at the 統合DB.
    pub integrated_secret: String,
    /// OAuth2 client id at マイナポータル.
    pub mynaportal_id: String,
    /// OAuth2 client secret at マイナポータル.
    pub mynaportal_secret: String,
}

impl Credentials {
    /// Seeded throwaway credentials.
    pub fn seeded(seed: u64) -> Self {
        let mut random = crate::random::Random::new(seed, "credentials");
        let mut word = |prefix: &str, length: usize| {
            let tail: String = (0..length).map(|_| format!("{:x}", random.below(16))).collect();
            format!("{prefix}{tail}")
        };
        Credentials {
            pmh_id: word("pmhclient", 23),
            pmh_secret: word("s", 47),
            intake_id: word("intake", 6),
            intake_password: word("p", 31),
            management_id: word("kanri", 6),
            management_password: word("q", 31),
            integrated_id: word("togo", 12),
            integrated_secret: word("t", 47),
            mynaportal_id: word("myna", 12),
            mynaportal_secret: word("m", 47),
        }
    }
}

/// How the counterparts of a run are to behave.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// Seed of faults and delays.
    pub seed: u64,
    /// Share of the requests that meet a fault, 0 to 1.
    pub fault_rate: f64,
    /// How long a silent counterpart holds a request; longer than the caller's timeout.
    pub silence: Duration,
    /// When a late counterpart applies; longer than the caller's timeout.
    pub lateness: Duration,
    /// Longest time an asynchronous task takes, milliseconds.
    pub longest_task_ms: u64,
}

impl Default for Behaviour {
    fn default() -> Self {
        Behaviour {
            seed: 1,
            fault_rate: 0.0,
            silence: Duration::from_secs(5),
            lateness: Duration::from_secs(3),
            longest_task_ms: 400,
        }
    }
}

/// As Debian configures clamd.
const STREAM_MAX_LENGTH: usize = 25 << 20;

/// The running counterparts; they end with this value.
pub struct Running {
    /// Where each listens.
    pub addresses: BTreeMap<&'static str, SocketAddr>,
    /// What they saw and did.
    pub ledger: Arc<Ledger>,
    /// The scanner beside the gateway.
    pub scanner: Arc<Clamd>,
    /// What each shows: a good certificate, and one that has expired.
    certificates: Vec<(Certificate, [Arc<rustls::ServerConfig>; 2])>,
    /// What is behind PMH: there residents and clinics enter data.
    pub behind: Arc<Behind>,
    /// マイナポータル, where somebody is behind PMH.
    pub portal: Option<Arc<Mynaportal>>,
    counterparts: Vec<(Arc<dyn Counterpart>, Arc<Line>)>,
    _listeners: JoinSet<()>,
}

type Certificate = watch::Sender<Arc<rustls::ServerConfig>>;

impl Running {
    /// Ends all connections; new ones are shown certificates that have expired, or good ones.
    pub fn set_expired(&self, expired: bool) {
        for (shown, [good, bad]) in &self.certificates {
            shown.send_replace(Arc::clone(if expired { bad } else { good }));
        }
    }

    /// Cuts a counterpart's line: open connections end and new ones are closed at once; or mends it.
    pub fn set_down(&self, name: &str, down: bool) {
        for (counterpart, line) in &self.counterparts {
            if counterpart.name() == name {
                line.down.send_replace(down);
            }
        }
    }

    /// Connections that met a line that was cut.
    pub fn turned_away(&self, name: &str) -> u64 {
        let mut found = self.counterparts.iter().filter(|(one, _)| one.name() == name);
        found.next().map_or(0, |(_, line)| line.turned_away.load(Ordering::Acquire))
    }

    /// What a counterpart has answered.
    pub fn given(&self, name: &str) -> Holdings {
        let mut found = self.counterparts.iter().filter(|(one, _)| one.name() == name);
        found.next().map(|(one, _)| one.given()).unwrap_or_default()
    }

    /// Another organisation asks a counterpart for what the municipality provides.
    pub fn ask(&self, name: &str, demand: &Demand) {
        if let Some((one, _)) = self.counterparts.iter().find(|(one, _)| one.name() == name) {
            one.asked(demand);
        }
    }

    /// A counterpart's records of 求め and 提供 of these days.
    pub fn log(&self, name: &str, from: Date, to: Date) -> String {
        let mut found = self.counterparts.iter().filter(|(one, _)| one.name() == name);
        found.next().map(|(one, _)| one.log(from, to)).unwrap_or_default()
    }

    /// How many answers a counterpart has not given yet.
    pub fn pending(&self, name: &str) -> usize {
        let mut found = self.counterparts.iter().filter(|(one, _)| one.name() == name);
        found.next().map_or(0, |(one, _)| one.pending())
    }

    /// What a counterpart holds now.
    pub fn holdings(&self, name: &str) -> Holdings {
        let mut found = self.counterparts.iter().filter(|(one, _)| one.name() == name);
        found.next().map(|(one, _)| one.holdings()).unwrap_or_default()
    }
}

/// Starts all on free loopback ports.
pub async fn start(
    authority: &Authority,
    credentials: &Credentials,
    knowledge: Knowledge,
    behaviour: &Behaviour,
) -> Result<Running, Trouble> {
    let ledger = Arc::new(Ledger::default());
    let knowledge = Arc::new(knowledge);
    let behind = Arc::new(Behind::new(Arc::clone(&ledger), Arc::clone(&knowledge), behaviour));
    let mut all: Vec<Arc<dyn Counterpart>> = vec![
        Arc::new(intermediate_server::IntermediateServer::new(
            Arc::clone(&ledger),
            Arc::clone(&knowledge),
            behaviour,
        )),
        Arc::new(pmh::Pmh::new(
            Arc::clone(&ledger),
            Arc::clone(&knowledge),
            credentials,
            behaviour,
            Arc::clone(&behind),
        )),
        Arc::new(application_intake::ApplicationIntake::new(
            Arc::clone(&knowledge),
            credentials,
            Arc::clone(&authority.applicants),
        )),
        Arc::new(application_management::ApplicationManagement::new(
            Arc::clone(&ledger),
            Arc::clone(&knowledge),
            credentials,
        )),
    ];
    let portal = behind.is_played().then(|| {
        let (ledger, knowledge) = (Arc::clone(&ledger), Arc::clone(&knowledge));
        Arc::new(Mynaportal::new(ledger, knowledge, credentials, behaviour, Arc::clone(&behind)))
    });
    all.extend(portal.iter().map(|one| Arc::clone(one) as Arc<dyn Counterpart>));
    if !knowledge.residents.is_empty() {
        let database =
            integrated_database::IntegratedDatabase::new(Arc::clone(&knowledge), credentials);
        all.push(Arc::new(database));
    }
    let mut listeners = JoinSet::new();
    let mut addresses = BTreeMap::new();
    let (mut certificates, mut stages) = (Vec::new(), Vec::new());
    for counterpart in all {
        let name = counterpart.name();
        let tls = |identity| server_config(&authority.certificate, &identity).map(Arc::new);
        let both = [tls(authority.server(name)?)?, tls(authority.expired_server(name)?)?];
        let [good, _] = &both;
        let shown = watch::Sender::new(Arc::clone(good));
        let plan = Plan::new(behaviour.seed, behaviour.fault_rate, name, counterpart.repertoire());
        let stage = server::Stage::new(
            Arc::clone(&counterpart),
            Arc::clone(&ledger),
            Arc::clone(&knowledge),
            plan,
            behaviour.clone(),
        );
        stages.push((counterpart, stage.line()));
        addresses.insert(name, server::listen(stage, shown.subscribe(), &mut listeners).await?);
        certificates.push((shown, both));
    }
    let scanner = Clamd::start(STREAM_MAX_LENGTH, &mut listeners).await?;
    scanner.set(Manner::Faulty { seed: behaviour.seed, share: behaviour.fault_rate });
    Ok(Running {
        addresses,
        ledger,
        scanner,
        certificates,
        behind,
        portal,
        counterparts: stages,
        _listeners: listeners,
    })
}
