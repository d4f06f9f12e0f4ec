//! Reads `hours:`, `availability:` and calendars of holidays.

use super::Loader;
use super::step::Table;
use crate::adapter::{Availability, keys};
use crate::diagnostic::nearest::nearest;
use crate::diagnostic::yaml::{self, Entry, Node, Reader};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::model::Code;
use crate::model::codes::adapter as codes;
use crate::policy::calendar::{Calendar, Holidays, Span, Window, index, japan_time, span};
use jiff::civil::{Date, Weekday};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

impl Loader<'_, '_> {
    /// The declared hours, with the environment's maintenance. A request of `timeout` must fit in.
    pub(super) fn hours(
        &mut self,
        node: Option<&Node>,
        timeout: Duration,
    ) -> Option<Arc<Calendar>> {
        let maintenance = self.overrides.maintenance.clone();
        let Some(node) = node else {
            let calendar = Calendar { maintenance, ..Calendar::always() };
            return (!calendar.maintenance.is_empty()).then(|| Arc::new(calendar));
        };
        self.reader.keys(node, &keys::hours::HOURS)?;
        let mut calendar = Calendar::always();
        if let Some(open) = node.get("open") {
            self.week(open, &mut calendar);
        }
        if let Some(named) = node.get("calendar") {
            calendar.holidays = self.holidays(named).unwrap_or_default();
        } else if node.get("open").is_some_and(|open| open.get("holidays").is_some()) {
            self.bad_hours(node, "`holidays:` without `calendar:`");
        }
        for entry in node.get("open-days").and_then(Node::as_map).unwrap_or_default() {
            let date = self.date(&entry.node, &entry.key);
            let spans = self.spans(&entry.node);
            calendar.open_days.extend(date.zip(spans));
        }
        for day in node.get("closed-days").and_then(Node::as_seq).unwrap_or_default() {
            let date = self.date(day, day.as_str().unwrap_or_default());
            calendar.closed_days.extend(date);
        }
        if let Some(list) = node.get("maintenance") {
            calendar.maintenance = windows(&mut self.reader, list, &codes::BAD_HOURS);
            if let Some((_, second)) = Calendar::overlapping(&calendar.maintenance) {
                let at = list.as_seq().and_then(|list| list.get(second)).unwrap_or(list);
                self.error(&codes::WINDOWS_OVERLAP, at, "shares time with an earlier window");
            }
        }
        calendar.maintenance.extend(maintenance);
        if !calendar.can_open_for(timeout) {
            let message = format!("no hours are as long as `limits.timeout` ({timeout:?})");
            self.error(&codes::NEVER_OPEN, node, message);
        }
        Some(Arc::new(calendar))
    }

    fn week(&mut self, node: &Node, calendar: &mut Calendar) {
        if self.reader.keys(node, &keys::hours::WEEK).is_none() {
            return;
        }
        calendar.week = Default::default();
        if let Some(spans) = node.get("weekdays").and_then(|node| self.spans(node)) {
            calendar.week.iter_mut().take(index(Weekday::Saturday)).for_each(|day| {
                day.clone_from(&spans);
            });
        }
        for (name, day) in keys::hours::WEEKDAYS.iter().zip(&mut calendar.week) {
            if let Some(spans) = node.get(name).and_then(|node| self.spans(node)) {
                *day = spans;
            }
        }
        let holidays = node.get("holidays").and_then(|node| self.spans(node));
        calendar.on_holidays = Some(holidays.unwrap_or_default());
    }

    fn holidays(&mut self, node: &Node) -> Option<Holidays> {
        let name = self.reader.text(node, "`calendar`")?;
        let calendars = self.definitions.calendars;
        let found = calendars.get(name).cloned();
        if found.is_none() {
            let names = calendars.keys().map(String::as_str);
            let hint = nearest(name, names).map(|name| format!("did you mean `{name}`?"));
            let message = format!("unknown calendar `{name}`");
            self.error_with_hint(&codes::UNKNOWN_CALENDAR, node, message, hint);
        }
        found
    }

    /// One span, several in order, or `closed`.
    fn spans(&mut self, node: &Node) -> Option<Vec<Span>> {
        if node.as_str() == Some("closed") {
            return Some(Vec::new());
        }
        let one = std::slice::from_ref(node);
        let mut spans: Vec<Span> = Vec::new();
        for node in node.as_seq().unwrap_or(one) {
            let text = self.reader.text(node, "hours")?;
            match span(text) {
                Some(span) if spans.last().is_none_or(|last| last.to < span.from) => {
                    spans.push(span);
                }
                Some(_) => {
                    self.bad_hours(node, "begins before the one before has ended");
                    return None;
                }
                None => {
                    self.bad_hours(node, format!("`{text}` is not `HH:MM-HH:MM`"));
                    return None;
                }
            }
        }
        Some(spans)
    }

    fn date(&mut self, node: &Node, text: &str) -> Option<Date> {
        let date = text.parse().ok();
        if date.is_none() {
            self.bad_hours(node, format!("`{text}` is not a day like `2026-12-29`"));
        }
        date
    }

    fn bad_hours(&mut self, node: &Node, message: impl Into<String>) {
        self.error(&codes::BAD_HOURS, node, message);
    }

    pub(super) fn availability(&mut self, node: &Node) -> Option<Availability> {
        self.reader.keys(node, &keys::hours::AVAILABILITY)?;
        let every = self.duration_at(node, "every").unwrap_or(Duration::from_secs(60));
        let keep_for = self.duration_at(node, "keep-for").unwrap_or(Duration::from_secs(600));
        let step = self.step_with(node, "availability", Table::Availability)?;
        if every.is_zero() || keep_for < every {
            let at = node.get("keep-for").or(node.get("every")).unwrap_or(node);
            self.not_allowed(at, "that", "`every` above 0, and `keep-for` at least as long");
        }
        Some(Availability { every, keep_for, step })
    }
}

/// A list of windows of maintenance; problems are reported under `code`.
pub fn windows(reader: &mut Reader<'_>, list: &Node, code: &'static Code) -> Vec<Window> {
    let mut windows = Vec::new();
    for node in reader.list(list, "`maintenance`").unwrap_or_default() {
        let what = keys::hours::WINDOW.what;
        if reader.map(node, what, &keys::hours::WINDOW.names()).is_none() {
            continue;
        }
        let mut time = |key: &str| {
            let found = reader.required(node, what, key)?;
            let time = japan_time(reader.text(found, key)?);
            if time.is_none() {
                let location = found.location(reader.file);
                let message = format!("`{key}` is not a time like `2026-12-05T22:00`");
                reader.diagnostics.push(Diagnostic::error(code, location, message));
            }
            time
        };
        let (from, to) = (time("from"), time("to"));
        let (Some(from), Some(to)) = (from, to) else { continue };
        if from < to {
            windows.push(Window { from, to });
        } else {
            let location = node.location(reader.file);
            reader.diagnostics.push(Diagnostic::error(code, location, "ends before it begins"));
        }
    }
    windows
}

/// Reads `adapters/calendars/<name>.yaml`: every problem is reported.
pub fn calendars(
    files: &[Arc<SourceFile>],
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Holidays> {
    let mut found = BTreeMap::new();
    for file in files.iter().filter(|file| super::folder(&file.path) == Some("calendars")) {
        let root = match yaml::parse(file) {
            Ok(root) => root,
            Err(problem) => {
                diagnostics.push(problem);
                continue;
            }
        };
        let mut reader = Reader::new(file, diagnostics);
        if let Some((name, holidays)) = calendar(&mut reader, &root) {
            found.insert(name, holidays);
        }
    }
    found
}

fn calendar(reader: &mut Reader<'_>, root: &Node) -> Option<(String, Holidays)> {
    reader.keys(root, &keys::hours::CALENDAR)?;
    let named = reader.required(root, "a calendar", "calendar")?;
    let name = reader.text(named, "`calendar`")?.to_owned();
    let bad = |reader: &mut Reader<'_>, node: &Node, message: String| {
        let location = node.location(reader.file);
        reader.diagnostics.push(Diagnostic::error(&codes::BAD_HOURS, location, message));
    };
    let stem = reader.file.path.rsplit('/').next().and_then(|file| file.strip_suffix(".yaml"));
    if stem != Some(name.as_str()) {
        let location = named.location(reader.file);
        let message = format!("calendar `{name}` lies in another file");
        reader.diagnostics.push(Diagnostic::error(&codes::NAME_NOT_FOLDER, location, message));
    }
    let mut holidays = Holidays::default();
    let single = reader.required(root, "a calendar", "holidays")?;
    for Entry { key, node, .. } in single.as_map().unwrap_or_default() {
        match key.parse::<Date>() {
            Ok(date) => drop(holidays.days.insert(date)),
            Err(_) => bad(reader, node, format!("`{key}` is not a day like `2026-01-01`")),
        }
    }
    for node in root.get("yearly").and_then(Node::as_seq).unwrap_or_default() {
        // A leap year has every day that a year can have.
        let day = node.as_str().and_then(|text| format!("2028-{text}").parse::<Date>().ok());
        match day {
            Some(day) => drop(holidays.yearly.insert((day.month(), day.day()))),
            None => bad(reader, node, "not a day of the year like `12-31`".to_owned()),
        }
    }
    Some((name, holidays))
}
