//! Reads `adapters/<name>/adapter.yaml`: every problem at once, each with its place.

use super::characters::Repertoires;
use super::{Adapter, Auth, Limits, Operation, Overrides, Reason, Retry, Route, keys};
use crate::diagnostic::yaml::{self, Node, Reader};
use crate::diagnostic::{Diagnostic, Location, SourceFile};
use crate::mapping::{Mapping, Tables};
use crate::model::codes::adapter as codes;
use crate::model::{Code, TokenFor};
use crate::policy::breaker;
use crate::policy::calendar::Holidays;
use crate::schema::{Schema, Schemas};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

pub(super) mod approval;
mod callback;
#[cfg(test)]
mod callback_tests;
mod characters;
mod edge;
pub mod field;
mod file;
pub mod hours;
#[cfg(test)]
mod hours_tests;
mod operation;
mod reason;
mod reconcile;
#[cfg(test)]
mod returned_tests;
mod route;
mod scan;
#[cfg(test)]
mod scan_tests;
mod signature;
mod sink;
#[cfg(test)]
mod sinks;
#[cfg(test)]
mod soap_by_files;
mod step;
mod token;

/// What an adapter file may refer to.
pub struct Definitions<'a> {
    /// All schemas.
    pub schemas: &'a Schemas,
    /// All mappings, by name.
    pub mappings: &'a HashMap<String, Arc<Mapping>>,
    /// Code tables shared by all.
    pub tables: &'a Tables,
    /// Repertoires of characters.
    pub repertoires: &'a Repertoires,
    /// Other YAML files of the adapter's folder, by file name without ending.
    pub lists: &'a HashMap<String, Arc<SourceFile>>,
    /// Calendars of holidays, by name.
    pub calendars: &'a BTreeMap<String, Holidays>,
    /// What the environment sets otherwise, by adapter name.
    pub overrides: &'a BTreeMap<String, Overrides>,
}

/// An adapter with its routes, each with the place of its name.
pub type Loaded = (Arc<Adapter>, Vec<(Route, Location)>);

/// Reads one file; `None` when it cannot be used at all. Problems go to `diagnostics`.
pub fn load(
    file: &Arc<SourceFile>,
    definitions: &Definitions<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Loaded> {
    let root = match yaml::parse(file) {
        Ok(root) => root,
        Err(problem) => {
            diagnostics.push(problem);
            return None;
        }
    };
    let overrides = folder(&file.path).and_then(|name| definitions.overrides.get(name)).cloned();
    let overrides = overrides.unwrap_or_default();
    let max_age = Duration::MAX;
    let reader = Reader::new(file, diagnostics);
    let mut loader = Loader {
        reader,
        definitions,
        overrides,
        max_age,
        usual_token: None,
        submit: None,
        reasons: BTreeMap::new(),
    };
    loader.adapter(&root)
}

/// Reads one file with its references at hand.
struct Loader<'a, 'd> {
    reader: Reader<'a>,
    definitions: &'d Definitions<'d>,
    overrides: Overrides,
    /// `retry.max-age` of the adapter, which its operations are held to.
    max_age: Duration,
    /// What tokens are for by `auth`; `None`: it knows no scopes.
    usual_token: Option<TokenFor>,
    /// The operation that is read, where it submits something.
    submit: Option<Submit>,
    /// The names that outcome lines may have for why something did not go on.
    reasons: BTreeMap<String, Reason>,
}

/// What the outcome tables of an operation know of what it submits.
#[derive(Clone, Debug)]
struct Submit {
    /// Several in one request.
    batch: bool,
    /// Layout of one; known once the request is read.
    schema: Option<Arc<Schema>>,
}

impl Loader<'_, '_> {
    fn adapter(&mut self, root: &Node) -> Option<Loaded> {
        self.reader.keys(root, &keys::ADAPTER)?;
        let name_node = self.reader.required(root, "an adapter", "adapter")?;
        let name = self.reader.text(name_node, "`adapter`")?.to_owned();
        if folder(&self.reader.file.path) != Some(name.as_str()) {
            let found = folder(&self.reader.file.path).unwrap_or("none").to_owned();
            self.error(
                &codes::NAME_NOT_FOLDER,
                name_node,
                format!("adapter `{name}` lies in folder `{found}`"),
            );
        }
        let (title_ja, title_en) = self.title(root.get("title"), &name);
        let provisional =
            root.get("provisional").and_then(|node| self.reader.flag(node, "`provisional`"));
        let auth = self.auth(root.get("auth"));
        let (mut limits, mut retry) =
            (self.limits(root.get("limits")), self.retry(root.get("retry")));
        self.max_age = retry.max_age;
        self.reasons = self.reasons(root.get("reasons"));
        let mut operations: BTreeMap<String, Arc<Operation>> = BTreeMap::new();
        if let Some(node) = self.reader.required(root, "an adapter", "operations") {
            for entry in node.as_map().unwrap_or_default() {
                if let Some(operation) = self.operation(&entry.key, &entry.node) {
                    operations.insert(entry.key.clone(), Arc::new(operation));
                }
            }
        }
        self.check_file_peers(root, &operations);
        self.check_callbacks(root, &operations);
        limits.timeout = self.overrides.timeout.unwrap_or(limits.timeout);
        limits.concurrency = self.overrides.concurrency.unwrap_or(limits.concurrency);
        retry.first = self.overrides.retry_first.unwrap_or(retry.first);
        retry.max = self.overrides.retry_max.unwrap_or(retry.max);
        let hours = self.hours(root.get("hours"), limits.timeout);
        let availability = root.get("availability").and_then(|node| self.availability(node));
        let adapter = Arc::new(Adapter {
            hours,
            availability,
            title_ja,
            title_en,
            provisional: provisional.unwrap_or(false),
            auth,
            limits,
            retry,
            breaker: self.breaker(root.get("breaker")),
            reasons: std::mem::take(&mut self.reasons),
            operations,
            reconciliations: self.reconciliations(root.get("reconcile")),
            name,
        });
        self.check_scopes(root, &adapter);
        let mut routes = Vec::new();
        if let Some(node) = root.get("routes") {
            for entry in node.as_map().unwrap_or_default() {
                let place = entry.key_location(self.reader.file);
                routes.extend(self.route(&adapter, entry).map(|route| (route, place)));
            }
        }
        Some((adapter, routes))
    }

    /// Japanese and English title; one text serves for both.
    fn title(&mut self, node: Option<&Node>, fallback: &str) -> (String, String) {
        let Some(node) = node else { return (fallback.to_owned(), fallback.to_owned()) };
        if let Some(text) = node.as_str() {
            return (text.to_owned(), text.to_owned());
        }
        self.reader.keys(node, &keys::TITLES);
        let ja = self.reader.text_at(node, "ja").map(str::to_owned);
        let en = self.reader.text_at(node, "en").map(str::to_owned);
        let either = ja.clone().or_else(|| en.clone()).unwrap_or_else(|| fallback.to_owned());
        (ja.unwrap_or_else(|| either.clone()), en.unwrap_or(either))
    }

    fn auth(&mut self, node: Option<&Node>) -> Auth {
        let Some(node) = node else { return Auth::None };
        let kind = self.reader.text_at(node, "kind").unwrap_or("none");
        let oauth = |loader: &mut Self| {
            loader.reader.keys(node, &keys::auth::AUTH_OAUTH);
            let path = loader.reader.required(node, "auth", "token-path");
            let path = path.and_then(|path| loader.wire_path(path)).unwrap_or_default();
            let token = loader.token_for(node, &TokenFor::default());
            loader.usual_token = Some(token.clone());
            (path, token)
        };
        match kind {
            "none" | "basic" => {
                self.reader.keys(node, &keys::auth::AUTH_PLAIN);
                if kind == "basic" { Auth::Basic } else { Auth::None }
            }
            "client-secret-basic" => {
                let (token_path, token) = oauth(self);
                Auth::ClientSecretBasic { token_path, token }
            }
            "client-secret-jwt" => {
                let (token_path, token) = oauth(self);
                Auth::ClientSecretJwt { token_path, token }
            }
            "login-token" => self.login_token(node),
            other => {
                self.not_allowed(node.get("kind").unwrap_or(node), other, keys::auth::AUTH_KINDS);
                Auth::None
            }
        }
    }

    fn login_token(&mut self, node: &Node) -> Auth {
        self.reader.keys(node, &keys::auth::AUTH_LOGIN);
        let request = self.reader.required(node, "auth", "request");
        let path = request.and_then(|request| {
            self.reader.keys(request, &keys::auth::LOGIN_REQUEST);
            let path = self.reader.required(request, "the login request", "path")?;
            self.wire_path(path)
        });
        let body = request.and_then(|request| request.get("body")).and_then(Node::as_map);
        let text = |node: &Node| node.as_str().unwrap_or_default().to_owned();
        let body =
            body.unwrap_or_default().iter().map(|entry| (entry.key.clone(), text(&entry.node)));
        let body = body.collect();
        let token = self.reader.required(node, "auth", "token").map(text).unwrap_or_default();
        let header = self.reader.required(node, "auth", "header").map(text).unwrap_or_default();
        let prefix = self.reader.text_at(node, "prefix").unwrap_or_default().to_owned();
        Auth::LoginToken { path: path.unwrap_or_default(), body, token, header, prefix }
    }

    fn limits(&mut self, node: Option<&Node>) -> Limits {
        let mut limits = Limits {
            concurrency: 16,
            rate_per_second: 0,
            max_response: 1_048_576,
            timeout: Duration::from_secs(10),
        };
        let Some(node) = node else { return limits };
        self.reader.keys(node, &keys::LIMITS);
        if let Some(count) = self.number(node, "concurrency", 1, 1_024) {
            limits.concurrency = count as usize;
        }
        if let Some(count) = self.number(node, "rate-per-second", 0, 100_000) {
            limits.rate_per_second = count as u32;
        }
        if let Some(count) = self.number(node, "max-response-bytes", 1, 100 << 20) {
            limits.max_response = count as usize;
        }
        limits.timeout = self.duration_at(node, "timeout").unwrap_or(limits.timeout);
        limits
    }

    fn retry(&mut self, node: Option<&Node>) -> Retry {
        let mut retry = Retry {
            first: Duration::from_secs(1),
            max: Duration::from_secs(300),
            max_attempts: 20,
            max_age: Duration::from_secs(24 * 3_600),
            max_retry_after: Duration::from_secs(3_600),
            definitions: super::Definitions::Accepted,
        };
        let Some(node) = node else { return retry };
        self.reader.keys(node, &keys::RETRY);
        retry.first = self.duration_at(node, "first").unwrap_or(retry.first);
        retry.max = self.duration_at(node, "max").unwrap_or(retry.max);
        retry.max_age = self.duration_at(node, "max-age").unwrap_or(retry.max_age);
        retry.max_retry_after =
            self.duration_at(node, "max-retry-after").unwrap_or(retry.max_retry_after);
        if let Some(count) = self.number(node, "max-attempts", 1, 10_000) {
            retry.max_attempts = count as u32;
        }
        match self.reader.text_at(node, "definitions") {
            Some("current") => retry.definitions = super::Definitions::Current,
            None | Some("accepted") => {}
            Some(other) => {
                let found = node.get("definitions").unwrap_or(node);
                self.not_allowed(found, other, "accepted, current");
            }
        }
        retry
    }

    fn breaker(&mut self, node: Option<&Node>) -> breaker::Rule {
        let mut breaker = breaker::Rule {
            failures: 20,
            failure_rate: 0,
            open_for: Duration::from_secs(30),
            open_max: Duration::from_secs(300),
        };
        let Some(node) = node else { return breaker };
        self.reader.keys(node, &keys::BREAKER);
        if let Some(count) = self.number(node, "failures", 0, 100_000) {
            breaker.failures = count as u32;
        }
        if let Some(percent) = self.number(node, "failure-rate", 0, 100) {
            breaker.failure_rate = percent as u32;
        }
        breaker.open_for = self.duration_at(node, "open-for").unwrap_or(breaker.open_for);
        breaker.open_max = self.duration_at(node, "open-max").unwrap_or(breaker.open_max);
        breaker
    }

    /// A whole number within bounds; reported otherwise.
    fn number(&mut self, node: &Node, key: &str, least: u64, most: u64) -> Option<u64> {
        let found = node.get(key)?;
        let count = self.reader.count(found, &format!("`{key}`"))?;
        if (least..=most).contains(&count) {
            return Some(count);
        }
        self.not_allowed(found, &count.to_string(), &format!("{least} to {most}"));
        None
    }

    fn duration_at(&mut self, node: &Node, key: &str) -> Option<Duration> {
        let found = node.get(key)?;
        let parsed = found.as_str().and_then(parse_duration);
        if parsed.is_none() {
            self.error(&codes::BAD_DURATION, found, format!("`{key}` is not a duration"));
        }
        parsed
    }

    fn error(&mut self, code: &'static Code, node: &Node, message: impl Into<String>) {
        let location = node.location(self.reader.file);
        self.reader.diagnostics.push(Diagnostic::error(code, location, message));
    }

    fn error_with_hint(
        &mut self,
        code: &'static Code,
        node: &Node,
        message: String,
        hint: Option<String>,
    ) {
        let location = node.location(self.reader.file);
        let mut diagnostic = Diagnostic::error(code, location, message);
        diagnostic.hint = hint;
        self.reader.diagnostics.push(diagnostic);
    }

    fn not_allowed(&mut self, node: &Node, found: &str, allowed: &str) {
        let hint = crate::diagnostic::nearest::nearest(found, allowed.split(", "))
            .map(|name| format!("did you mean `{name}`?"));
        let message = format!("`{found}` is not allowed here; allowed: {allowed}");
        self.error_with_hint(&codes::BAD_VALUE, node, message, hint);
    }

    /// A path of ours on the counterpart's host.
    fn wire_path(&mut self, node: &Node) -> Option<String> {
        let text = self.reader.text(node, "a path")?;
        let bare = ["{ticket}", "{id}", "{idempotency-key}"]
            .iter()
            .fold(text.to_owned(), |path, placeholder| path.replace(placeholder, "x"));
        let allowed =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '~' | '%');
        let good = bare.starts_with('/')
            && !bare.starts_with("//")
            && !bare.contains("..")
            && bare.chars().all(allowed);
        if good {
            return Some(text.to_owned());
        }
        self.error(&codes::BAD_PATH, node, "not a path on the counterpart's host");
        None
    }
}

/// `500ms`, `2s`, `5m`, `24h`, `7d`; at most a year.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let total = number.checked_mul(milliseconds)?;
    (total <= 366 * 86_400_000).then(|| Duration::from_millis(total))
}

/// Name of the folder a file lies in.
fn folder(path: &str) -> Option<&str> {
    path.rsplit('/').nth(1)
}

#[cfg(test)]
mod tests {
    use super::parse_duration;
    use std::time::Duration;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        assert_eq!(parse_duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_duration("5m"), Some(Duration::from_secs(300)));
        assert_eq!(parse_duration("7d"), Some(Duration::from_secs(604_800)));
        for bad in ["", "5", "s", "5 s", "-5s", "1.5s", "5w", "99999999999999999999s", "400d"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
