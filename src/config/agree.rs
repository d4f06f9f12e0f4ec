//! Whether `watashi.toml` and the definitions agree about counterparts.

use super::{Config, CounterpartConfig, callbacks, scanner};
use crate::adapter::{Adapter, Auth, Bundle};
use crate::diagnostic::nearest::nearest;
use crate::diagnostic::{Diagnostic, Location};
use crate::model::Code;
use crate::model::codes::config as codes;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Every disagreement: sections without an adapter, enabled routes without a section,
/// credentials that an adapter wants and a section lacks.
pub fn check(config: &Config, bundle: &Bundle) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let names = || bundle.adapters.keys().map(String::as_str);
    for (name, counterpart) in &config.counterparts {
        let Some(adapter) = bundle.adapters.get(name) else {
            let message = format!("there is no adapter `{name}`");
            let mut problem = error(config, &codes::UNKNOWN_COUNTERPART, name, message);
            problem.hint = nearest(name, names()).map(|near| format!("did you mean `{near}`?"));
            found.push(problem);
            continue;
        };
        let complete = counterpart.client_id.is_some() && counterpart.client_secret.is_some();
        if adapter.auth != Auth::None && !complete {
            let message = format!("adapter `{name}` wants `client-id` and `client-secret`");
            found.push(error(config, &codes::CREDENTIALS_MISSING, name, message));
        }
    }
    for (name, message) in callbacks::disagreements(config, bundle) {
        found.push(error(config, &codes::CALLBACK_SETTINGS, &name, message));
    }
    for adapter in needed(bundle) {
        if let Some(counterpart) = config.counterparts.get(&adapter.name) {
            found.extend(incomplete(config, bundle, &adapter, counterpart));
        } else {
            let message = format!("an enabled route needs `[counterpart.{}]`", adapter.name);
            found.push(error(config, &codes::COUNTERPART_MISSING, &adapter.name, message));
        }
    }
    found
}

/// What a section lacks of what its adapter needs.
fn incomplete(
    config: &Config,
    bundle: &Bundle,
    adapter: &Adapter,
    counterpart: &CounterpartConfig,
) -> Vec<Diagnostic> {
    let name = &adapter.name;
    let mut found = Vec::new();
    if counterpart.base_url.is_none() && adapter.speaks() {
        let message = format!("adapter `{name}` needs `base-url`, `ca` and `addresses`");
        found.push(error(config, &codes::COUNTERPART_MISSING, name, message));
    }
    let used = adapter.operations.values().filter(|one| bundle.is_used(adapter, one));
    let wanted: BTreeSet<&str> = used.filter_map(|operation| operation.place()).collect();
    for place in wanted.into_iter().filter(|place| !counterpart.places.contains_key(*place)) {
        let message = format!("adapter `{name}` needs `[counterpart.{name}.place.{place}]`");
        let mut problem = error(config, &codes::PLACE_MISSING, name, message);
        let near = nearest(place, counterpart.places.keys().map(String::as_str));
        problem.hint = near.map(|near| format!("did you mean `{near}` to be `{place}`?"));
        found.push(problem);
    }
    for operation in scanner::demanded(adapter, bundle).filter(|_| config.scanner.is_none()) {
        let message =
            format!("operation `{}` of adapter `{name}` needs `[scanner]`", operation.name);
        found.push(error(config, &codes::SCANNER_MISSING, name, message));
    }
    let demanded: BTreeSet<&str> =
        adapter.operations.values().filter_map(|one| one.trust()).collect();
    for store in demanded.into_iter().filter(|store| !counterpart.trust.contains_key(*store)) {
        let message = format!("adapter `{name}` needs `[counterpart.{name}.trust.{store}]`");
        let mut problem = error(config, &codes::TRUST_MISSING, name, message);
        let near = nearest(store, counterpart.trust.keys().map(String::as_str));
        problem.hint = near.map(|near| format!("did you mean `{near}` to be `{store}`?"));
        found.push(problem);
    }
    found
}

/// Adapters that some enabled route sends to or pulls from.
pub fn needed(bundle: &Bundle) -> Vec<Arc<Adapter>> {
    let mut names = BTreeSet::new();
    for route in bundle.routes().filter(|route| bundle.is_enabled(&route.name)) {
        // Inbound routes count too: a pull of their own adapter feeds them, or of another one.
        names.insert(route.adapter.name.as_str());
        let pulls = route.on.iter().filter_map(|message_type| bundle.pull_of(message_type));
        names.extend(pulls.map(|pulled| pulled.adapter.name.as_str()));
    }
    names.into_iter().filter_map(|name| bundle.adapters.get(name).cloned()).collect()
}

/// An error at the section of that name, or at the beginning of the file when there is none.
fn error(config: &Config, code: &'static Code, name: &str, message: String) -> Diagnostic {
    let text = &config.file.text;
    let header = |quoted: String| text.find(&quoted).map(|start| start..start + quoted.len());
    let span = header(format!("[counterpart.{name}]"))
        .or_else(|| header(format!("[counterpart.\"{name}\"]")))
        .unwrap_or(0..0);
    Diagnostic::error(code, Location { file: Arc::clone(&config.file), span }, message)
}
