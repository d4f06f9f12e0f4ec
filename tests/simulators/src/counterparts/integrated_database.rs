//! The simulated 統合DB: changes of residents, listed and fetched (provisional layout).

use crate::counterparts::faults::{Caution, Repertoire};
use crate::counterparts::json::{self, Check};
use crate::counterparts::tokens::{self, Tokens};
use crate::counterparts::{Answer, Counterpart, Credentials, INTEGRATED_DATABASE};
use crate::counterparts::{Knowledge, Received, waiting};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

const TOKEN: &str = "/oauth2/token";
const LIST: &str = "/app_submit/v10/juminidoichiranshutoku";
const GET: &str = "/app_submit/v10/juminidoshutoku";
/// 業務ID:API:操作種類 of the two calls: a token is for one of them.
const LIST_SCOPE: &str = "032:app_submit/v10/juminidoichiranshutoku:Read";
const GET_SCOPE: &str = "032:app_submit/v10/juminidoshutoku:Read";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    kijunnichiji: String,
    peji: usize,
}

/// See the module.
pub struct IntegratedDatabase {
    knowledge: Arc<Knowledge>,
    credentials: Credentials,
    tokens: Tokens,
}

impl IntegratedDatabase {
    /// Knows the residents of `knowledge`.
    pub fn new(knowledge: Arc<Knowledge>, credentials: &Credentials) -> Self {
        let seed = crate::random::hash(credentials.integrated_id.as_bytes());
        let tokens = Tokens::new(seed, 60);
        IntegratedDatabase { knowledge, credentials: credentials.clone(), tokens }
    }

    fn list(&self, request: &Received) -> Result<Answer, Answer> {
        let list: List = json::read(request)?;
        let mut check = Check::default();
        waiting::check(&mut check, &list.kijunnichiji, list.peji);
        check.end()?;
        let (times, all) = (&self.knowledge.times, &self.knowledge.residents);
        let (page, more) = waiting::page(all, times, "", &list.kijunnichiji, list.peji);
        let page: Vec<_> = page.into_iter().map(|one| json!({"idotsuban": one.number})).collect();
        let metadata = json!({"title": "住民異動一覧取得", "detail": "検索が完了しました。", "tsuzukiari": more});
        let body =
            json!({"metadata": metadata, "_links": {"self": {"href": LIST}}, "result": page});
        Ok(Answer::json(200, &body))
    }

    fn get(&self, number: &str) -> Answer {
        match waiting::one(&self.knowledge.residents, &self.knowledge.times, number) {
            None => problem(400, "住民異動取得", "E0404"),
            Some(one) => {
                let metadata = json!({"title": "住民異動取得", "detail": "検索が完了しました。"});
                let links = json!({"self": {"href": GET}});
                let body = json!({"metadata": metadata, "_links": links, "result": [one.document]});
                Answer::json(200, &body)
            }
        }
    }
}

impl Counterpart for IntegratedDatabase {
    fn name(&self) -> &'static str {
        INTEGRATED_DATABASE
    }

    fn repertoire(&self) -> Repertoire {
        Repertoire { busy_body: false, tokens: true }
    }

    fn caution(&self, request: &Received) -> Caution {
        if request.path == TOKEN { Caution::Credentials } else { Caution::None }
    }

    fn answer(&self, request: &Received) -> Answer {
        if (request.method.as_str(), request.path.as_str()) == ("POST", TOKEN) {
            let (id, secret) =
                (&self.credentials.integrated_id, &self.credentials.integrated_secret);
            return tokens::grant(request, id, secret, TOKEN, &self.tokens);
        }
        let bearer = request.header("authorization").and_then(|text| text.strip_prefix("Bearer "));
        let token = match bearer {
            None => return problem(401, "認証", "E0401").violating("no bearer token"),
            Some(token) if self.tokens.accepts(token) => token,
            Some(_) => return problem(401, "認証", "E0401"),
        };
        let scope = if request.path == LIST { LIST_SCOPE } else { GET_SCOPE };
        if !self.tokens.is_for(token, scope) {
            return problem(403, "認証", "E0403").violating("a token of another scope");
        }
        if !request.query.is_empty() {
            return problem(400, "要求", "E0200").violating("a query string");
        }
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", LIST) => self.list(request).unwrap_or_else(|refusal| refusal),
            ("GET", path) => match path.strip_prefix(GET).and_then(|rest| rest.strip_prefix('/')) {
                Some(number) => self.get(number),
                None => problem(400, "要求", "E0404").violating("no such path"),
            },
            _ => problem(400, "要求", "E0404").violating("no such path"),
        }
    }

    fn busy_body(&self, _request: &Received) -> Answer {
        problem(503, "住民異動取得", "E9001")
    }

    fn expire_token(&self, request: &Received) -> Answer {
        let bearer = request.header("authorization").and_then(|text| text.strip_prefix("Bearer "));
        if let Some(token) = bearer {
            self.tokens.revoke(token);
        }
        problem(401, "認証", "E0401")
    }
}

/// Errors in the style of the house; a list of them with 400 only.
fn problem(status: u16, title: &str, code: &str) -> Answer {
    let mut body = json!({"title": title, "detail": "エラーが発生しました。",
        "_links": {"self": {"href": LIST}}});
    if let (400, Some(map)) = (status, body.as_object_mut()) {
        map.insert("errors".to_owned(), json!([{"code": code, "message": ""}]));
    }
    Answer::json(status, &body)
}
