//! The stations behind the first: what each says of the message, as a page and as text.

use crate::adapter::{Destination, Route};
use crate::cli::print;
use crate::model::{Failure, Secret, State};
use crate::pipeline::accept::Recognised;
use crate::pipeline::{Context, map, validate};
use crate::store::Claimed;
use serde_json::{Value, json};
use std::fmt::Write;
use std::sync::Arc;

/// How much is shown.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// What each rule did.
    pub explain: bool,
    /// Values and the body.
    pub values: bool,
}

/// A station that the message did not pass.
pub fn failed(failure: &Failure) -> Value {
    json!({
        "ok": false,
        "code": failure.code.code,
        "title": failure.code.title,
        "detail": failure.detail,
        "remedy": failure.code.remedy,
    })
}

/// Takes a recognised message through the stations of one route; the page, and whether it would
/// be sent.
pub fn through(
    recognised: &Recognised<'_>,
    route: &Route,
    cx: &Context,
    view: View,
) -> (Value, bool) {
    let mut page = json!({"route": route.name, "counterpart": route.adapter.name});
    let mut put = |name: &str, value: Value| {
        if let Some(members) = page.as_object_mut() {
            members.insert(name.to_owned(), value);
        }
    };
    if let Err(failure) = validate::check(&recognised.document, route, cx) {
        put("validate", failed(&failure));
        return (page, false);
    }
    put("validate", json!({"ok": true, "schema": route.mapping.from.id()}));
    let claimed = claimed(recognised, route, cx);
    if view.explain {
        put("explain", explained(&claimed, route, recognised, view));
    }
    let mapped = match map::map(&claimed, route, &recognised.document, cx) {
        Ok(mapped) => mapped,
        Err(failure) => {
            put("map", failed(&failure));
            return (page, false);
        }
    };
    let mapping = &route.mapping;
    put("map", json!({"ok": true, "mapping": mapping.name, "schema": mapping.to.id()}));
    if mapped.characters.count() > 0 {
        let told: Vec<String> =
            mapped.characters.findings.iter().map(ToString::to_string).collect();
        put("characters", json!({"count": mapped.characters.count(), "findings": told}));
    }
    put("request", request(route, &mapped, view));
    (page, true)
}

fn claimed(recognised: &Recognised<'_>, route: &Route, cx: &Context) -> Claimed {
    let envelope = recognised.envelope.clone();
    let id = envelope.message_id.as_str();
    Claimed {
        id: 0,
        message: 0,
        fence: 0,
        state: State::Received,
        route: route.name.clone().into(),
        idempotency_key: cx
            .keys
            .idempotency_key(&route.adapter.name, &envelope.source, id, &route.name)
            .into(),
        attempts: 0,
        maybe_applied: false,
        ticket: None,
        since: envelope.accepted_at,
        subject: None,
        bundle: cx.bundle().shared_digest(),
        commitment: Arc::default(),
        body: Secret::new(recognised.body.clone()),
        envelope,
    }
}

fn explained(claimed: &Claimed, route: &Route, recognised: &Recognised<'_>, view: View) -> Value {
    let meta = map::meta(claimed);
    let (lines, _) = if view.values {
        route.mapping.explain_with_values(&recognised.document, &meta)
    } else {
        route.mapping.explain(&recognised.document, &meta)
    };
    let known = route.mapping.classes();
    let one = |line: &crate::mapping::TraceLine| {
        let rule = known.iter().find(|(target, ..)| *target == line.target);
        let class = rule.map_or("plain", |(_, class, _)| class.name());
        let sources: Vec<&str> = rule
            .map(|(_, _, sources)| sources.iter().map(|source| source.path.as_str()).collect())
            .unwrap_or_default();
        json!({
            "line": line.line,
            "target": line.target,
            "expression": line.expression,
            "outcome": line.outcome,
            "class": class,
            "sources": sources,
        })
    };
    Value::Array(lines.iter().map(one).collect())
}

fn request(route: &Route, mapped: &map::Mapped, view: View) -> Value {
    let mut page = match &route.destination {
        Destination::Publish(message_type) => json!({"publish": message_type}),
        Destination::Operation(operation) => {
            let plan = &operation.step.request;
            let mut headers: Vec<Value> =
                plan.headers.iter().map(|(name, value)| json!([name, value])).collect();
            if let Some(header) = &plan.idempotency_header {
                headers.push(json!([header, "(the exchange's idempotency key)"]));
            }
            if !mapped.content_type.is_empty() {
                headers.push(json!(["content-type", mapped.content_type]));
            }
            json!({
                "operation": operation.name,
                "method": format!("{:?}", plan.method).to_uppercase(),
                "path": plan.path,
                "headers": headers,
                "batched": operation.batch.is_some(),
            })
        }
    };
    if let Some(members) = page.as_object_mut() {
        members.insert("bytes".into(), json!(mapped.body.len()));
        if view.values {
            let text = String::from_utf8_lossy(&mapped.body);
            members.insert("body".into(), json!(text));
        }
    }
    page
}

/// The page for eyes.
pub fn text(page: &Value) -> String {
    let mut out = String::new();
    let of = |value: &Value, name: &str| {
        value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let accept = page.get("accept").unwrap_or(&Value::Null);
    let what = format!("{}, message id {}", of(accept, "type"), of(accept, "messageId"));
    station(&mut out, "accept", accept, &what);
    for route in page.get("routes").and_then(Value::as_array).into_iter().flatten() {
        let off = route.get("enabled") == Some(&Value::Bool(false));
        let off = if off { " (not enabled)" } else { "" };
        let _ =
            writeln!(out, "\nroute {} to {}{off}", of(route, "route"), of(route, "counterpart"));
        if let Some(validate) = route.get("validate") {
            station(&mut out, "validate", validate, &of(validate, "schema"));
        }
        if let Some(rules) = route.get("explain").and_then(Value::as_array) {
            explanation(&mut out, rules);
        }
        if let Some(map) = route.get("map") {
            let what = format!("{} -> {}", of(map, "mapping"), of(map, "schema"));
            station(&mut out, "map", map, &what);
        }
        if let Some(characters) = route.get("characters") {
            let count = characters.get("count").and_then(Value::as_u64).unwrap_or_default();
            let _ = writeln!(out, "characters        {count} replaced as the route says:");
            let findings = characters.get("findings").and_then(Value::as_array);
            for finding in findings.into_iter().flatten().filter_map(Value::as_str) {
                let _ = writeln!(out, "          {finding}");
            }
        }
        if let Some(request) = route.get("request") {
            would_send(&mut out, request, &of(route, "baseUrl"));
        }
    }
    out
}

/// What each rule did: one line per target, the class of what it read, and where it read it.
fn explanation(out: &mut String, rules: &[Value]) {
    let of = |rule: &Value, name: &str| match rule.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(list)) => {
            list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let row = |rule: &Value| -> Vec<String> {
        let class = of(rule, "class");
        vec![
            of(rule, "line"),
            of(rule, "target"),
            of(rule, "outcome"),
            if class == "plain" { String::new() } else { class },
            of(rule, "sources"),
            of(rule, "expression"),
        ]
    };
    let rows: Vec<Vec<String>> = rules.iter().map(row).collect();
    let head = ["line", "target", "result", "class", "reads", "rule"];
    for line in print::table(&head, &rows).lines() {
        let _ = writeln!(out, "  {line}");
    }
}

fn station(out: &mut String, name: &str, page: &Value, what: &str) {
    if page.get("ok") == Some(&Value::Bool(true)) {
        let _ = writeln!(out, "{name:<9} ok      {what}");
        return;
    }
    let text = |name: &str| page.get(name).and_then(Value::as_str).unwrap_or_default();
    let detail = text("detail");
    let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
    let _ = writeln!(out, "{name:<9} FAILED  {} {}{detail}", text("code"), text("title"));
    let _ = writeln!(out, "                  hint: {}", text("remedy"));
}

fn would_send(out: &mut String, request: &Value, base: &str) {
    let text = |name: &str| request.get(name).and_then(Value::as_str);
    let bytes = request.get("bytes").and_then(Value::as_u64).unwrap_or_default();
    match text("publish") {
        Some(message_type) => {
            let _ = writeln!(out, "deliver   would publish `{message_type}` to upstream");
        }
        None => {
            let (method, path) =
                (text("method").unwrap_or_default(), text("path").unwrap_or_default());
            let _ = writeln!(out, "deliver   would send {method} {base}{path}");
            for header in request.get("headers").and_then(Value::as_array).into_iter().flatten() {
                let part = |index| header.get(index).and_then(Value::as_str).unwrap_or_default();
                let _ = writeln!(out, "          {}: {}", part(0), part(1));
            }
            if request.get("batched") == Some(&Value::Bool(true)) {
                let _ = writeln!(out, "          as one item of a batch");
            }
        }
    }
    match text("body") {
        Some(body) => {
            let _ = writeln!(out, "          body of {bytes} bytes:\n{body}");
        }
        None => {
            let _ = writeln!(out, "          body of {bytes} bytes; shown with `--show-values`");
        }
    }
}
