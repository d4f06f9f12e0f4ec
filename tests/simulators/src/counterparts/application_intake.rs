//! The simulated マイナポータル 電子申請等情報受取: login, list, get by 受付番号. Every
//! application comes signed; some are spoilt.

use crate::counterparts::faults::{Caution, Repertoire};
use crate::counterparts::json::{self, Check, refuse};
use crate::counterparts::tokens::Tokens;
use crate::counterparts::xml::Form;
use crate::counterparts::{APPLICATION_INTAKE, Answer, Counterpart, Credentials};
use crate::counterparts::{Knowledge, Received};
use crate::signing::Applicants;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// Entries on one page of the list.
const PAGE: usize = 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    id: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    since: String,
    page: usize,
}

/// See the module.
pub struct ApplicationIntake {
    knowledge: Arc<Knowledge>,
    credentials: Credentials,
    tokens: Tokens,
    applicants: Arc<Applicants>,
}

impl ApplicationIntake {
    /// The applications of `knowledge` wait from the start.
    pub fn new(
        knowledge: Arc<Knowledge>,
        credentials: &Credentials,
        applicants: Arc<Applicants>,
    ) -> Self {
        let tokens = Tokens::new(crate::random::hash(credentials.intake_id.as_bytes()), 60);
        ApplicationIntake { knowledge, credentials: credentials.clone(), tokens, applicants }
    }

    fn login(&self, request: &Received) -> Result<Answer, Answer> {
        let login: Login = json::read(request)?;
        let good = login.id == self.credentials.intake_id
            && login.password == self.credentials.intake_password;
        if !good {
            return Err(refuse(401, "E0401", "id or password is wrong"));
        }
        let (token, expires) = (self.tokens.issue(""), self.tokens.lifetime_seconds());
        Ok(Answer::json(200, &json!({"token": token, "expiresIn": expires})))
    }

    fn list(&self, request: &Received) -> Result<Answer, Answer> {
        let list: List = json::read(request)?;
        let since = match list.since.as_str() {
            "" => None,
            text => Some(text.parse::<jiff::Timestamp>()),
        };
        let mut check = Check::default();
        let zoned = list.since.is_empty() || list.since.ends_with("+09:00");
        check.that("since", zoned && !matches!(since, Some(Err(_))));
        check.that("page", list.page >= 1);
        check.end()?;
        let since = since.and_then(Result::ok);
        let waiting: Vec<_> = self
            .knowledge
            .applications
            .iter()
            .filter(|one| self.knowledge.times.is_there(&one.received_at))
            .filter(|one| match (since, one.received_at.parse::<jiff::Timestamp>()) {
                (Some(since), Ok(at)) => at >= since,
                _ => true,
            })
            .collect();
        let start = (list.page - 1).saturating_mul(PAGE);
        let page: Vec<_> = waiting
            .iter()
            .skip(start)
            .take(PAGE)
            .map(|one| {
                json!({"receptionNumber": one.reception_number,
                    "procedureName": one.procedure_name, "receivedAt": one.received_at})
            })
            .collect();
        let more = waiting.len() > start.saturating_add(PAGE);
        Ok(Answer::json(200, &json!({"applications": page, "hasMore": more})))
    }

    fn get(&self, reception_number: &str) -> Answer {
        let mut all = self.knowledge.applications.iter();
        match all.find(|one| one.reception_number == reception_number) {
            Some(one) if self.knowledge.times.is_there(&one.received_at) => {
                match self.applicants.package(&one.document, one.spoilt) {
                    Ok(package) => {
                        let number = &one.reception_number;
                        Answer::json(200, &json!({"receptionNumber": number, "package": package}))
                    }
                    Err(_) => Answer::json(200, &json!({"errorCode": "E9001"})),
                }
            }
            _ => Answer::json(200, &json!({"errorCode": "E1001"})),
        }
    }
}

impl Counterpart for ApplicationIntake {
    fn name(&self) -> &'static str {
        APPLICATION_INTAKE
    }

    fn repertoire(&self) -> Repertoire {
        Repertoire { busy_body: true, tokens: true }
    }

    fn caution(&self, request: &Received) -> Caution {
        if request.path == "/login" { Caution::Credentials } else { Caution::None }
    }

    fn answer(&self, request: &Received) -> Answer {
        if !request.query.is_empty() {
            return refuse(400, "E0200", "a query string");
        }
        let method_and_path = (request.method.as_str(), request.path.as_str());
        if method_and_path == ("POST", "/login") {
            return self.login(request).unwrap_or_else(|refusal| refusal);
        }
        match request.header("x-auth-token") {
            None => return refuse(401, "E0401", "no X-Auth-Token"),
            Some(token) if self.tokens.accepts(token) => {}
            Some(_) => return Answer::json(401, &json!({"errorCode": "E0401"})),
        }
        match method_and_path {
            ("POST", "/applications/list") => self.list(request).unwrap_or_else(|refusal| refusal),
            ("GET", path) => match path.strip_prefix("/applications/") {
                Some(number) if Form::Identifier(64).fits(number) => self.get(number),
                _ => refuse(404, "E0404", "no such path"),
            },
            _ => refuse(404, "E0404", "no such path"),
        }
    }

    fn busy_body(&self, _request: &Received) -> Answer {
        Answer::json(200, &json!({"errorCode": "E9001"}))
    }

    fn expire_token(&self, request: &Received) -> Answer {
        if let Some(token) = request.header("x-auth-token") {
            self.tokens.revoke(token);
        }
        Answer::json(401, &json!({"errorCode": "E0401"}))
    }
}
