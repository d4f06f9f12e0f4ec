//! Reads operations that write and read files.

use super::Loader;
use super::sink::{Sink, Start};
use super::step::Table;
use crate::adapter::file::{
    Companion, Content, Done, Expect, FileIn, FileOut, Gather, Layout, OnBad, Settles, Sheet,
    Template, Whole, is_folder,
};
use crate::adapter::keys::file as keys;
use crate::adapter::{
    BodyPlan, CharacterPolicy, Interaction, Operation, OutcomeTable, RequestPlan, Step, UnknownRule,
};
use crate::codec::Format;
use crate::diagnostic::yaml::Node;
use crate::mapping::Mapping;
use crate::model::Method;
use crate::model::codes::adapter as codes;
use crate::policy::calendar::Calendar;
use crate::schema::Shape;
use jiff::civil::Time;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Keys of operations that only files have.
pub(super) const KEYS: &[&str] = &["place", "files", "gather", "results", "settles", "expect"];

/// What header, trailer, head and companions are made from.
const FILE: &str = "watashi/file@1";

/// Records of one file, where nothing says otherwise.
const MOST_RECORDS: u64 = 100_000;

impl Loader<'_, '_> {
    /// An operation of files.
    pub(super) fn file_operation(
        &mut self,
        name: &str,
        node: &Node,
        interaction: Interaction,
    ) -> Option<Operation> {
        let (title_ja, _) = self.title(node.get("title"), name);
        let own: &[&str] = match interaction {
            Interaction::FileOut => &["gather", "results"],
            _ => &["every", "type", "settles", "expect", "scan"],
        };
        for entry in node.as_map().unwrap_or_default() {
            let key = entry.key.as_str();
            let known = ["title", "interaction", "place", "files"].contains(&key);
            if !known && !own.contains(&key) && crate::adapter::keys::is_of_operation(key) {
                self.error(&codes::BLOCK_UNUSED, &entry.node, format!("`{key}:` is not used here"));
            }
        }
        for key in ["place", "files"] {
            if node.get(key).is_none() {
                self.error(&codes::BLOCK_MISSING, node, format!("`{key}:` is missing"));
            }
        }
        let place = self.reader.text_at(node, "place")?.to_owned();
        let files = node.get("files")?;
        let (file_out, file_in) = match interaction {
            Interaction::FileOut => (Some(self.file_out(node, files, place)?), None),
            _ => (None, Some(self.file_in(node, files, place)?)),
        };
        let record = file_in.as_ref().map(|rule| Arc::clone(&rule.content.record.schema));
        let scan = record.and_then(|schema| self.scan(node, Some(schema.shape())));
        let characters = files.get("characters").and_then(|node| self.characters(node));
        let step = step_of(file_out.as_ref(), file_in.as_ref(), characters);
        Some(Operation {
            name: name.to_owned(),
            title_ja,
            interaction,
            // The place is always asked before anything is written again.
            unknown: UnknownRule::Resend,
            key_retention: None,
            max_age: None,
            step,
            batch: None,
            items: None,
            poll: None,
            fetch: None,
            ask: None,
            pull: None,
            signature: None,
            scan,
            file_out,
            file_in,
            push_in: None,
        })
    }

    fn file_out(&mut self, node: &Node, files: &Node, place: String) -> Option<FileOut> {
        self.reader.keys(files, &keys::FILES_OUT)?;
        let folder = self.folder_at(files, "folder", "");
        let name = self.reader.required(files, "files", "name");
        let name = name.and_then(|node| self.template(node, false));
        let content = self.content(files);
        let split = self.number(files, "split", 1, MOST_RECORDS);
        let manifest = files.get("manifest").and_then(|node| self.template(node, false));
        let marker = files.get("marker").and_then(|node| self.template(node, false));
        let companions = self.companions(files);
        let gather = self.gather(node.get("gather"));
        let header = files.get("header").and_then(|node| self.sheet(node));
        let trailer = files.get("trailer").and_then(|node| self.sheet(node));
        let name = name?;
        let content = Content { header, trailer, ..content? };
        let of_layout = match &content.layout {
            Layout::Table(plan) => plan.codec.split(),
            Layout::Lines | Layout::Document { .. } => None,
        };
        let most = of_layout.unwrap_or(MOST_RECORDS as usize);
        let split = split.map_or(most, |split| (split as usize).min(most));
        let several = !companions.is_empty() || split < gather.max_items;
        if several && manifest.is_none() && marker.is_none() {
            self.error(&codes::SET_NOT_MARKED, files, "a set may have several files");
        }
        let mut names = vec![("name", &name, split < gather.max_items)];
        names.extend(companions.iter().map(|one| ("companions", &one.name, one.each_part)));
        names.extend(manifest.iter().map(|name| ("manifest", name, false)));
        names.extend(marker.iter().map(|name| ("marker", name, false)));
        let missing: Vec<(&str, &str)> = names
            .iter()
            .filter_map(|(key, name, parts)| match () {
                () if !name.has_set() => Some((*key, "{set}")),
                () if *parts && !name.has_part() => Some((*key, "{part}")),
                () => None,
            })
            .collect();
        let texts: Vec<&str> = names.iter().map(|(_, name, _)| name.text()).collect();
        let twice = texts
            .iter()
            .enumerate()
            .any(|(at, text)| texts.iter().skip(at + 1).any(|other| other == text));
        for (key, lacks) in missing {
            let at = files.get(key).unwrap_or(files);
            self.error(&codes::BAD_FILE_NAME, at, format!("`{key}` has no `{lacks}`"));
        }
        if twice {
            self.error(&codes::BAD_FILE_NAME, files, "two files of a set have one name");
        }
        Some(FileOut {
            place,
            folder,
            content,
            name,
            split,
            companions,
            manifest,
            marker,
            gather,
            results: self.reader.text_at(node, "results").map(str::to_owned),
        })
    }

    fn gather(&mut self, node: Option<&Node>) -> Gather {
        let mut gather = Gather {
            max_items: 10_000,
            max_bytes: 64 << 20,
            max_wait: Some(Duration::from_secs(60)),
            at: Vec::new(),
            days: None,
            empty: false,
        };
        let Some(node) = node else { return gather };
        self.reader.keys(node, &keys::GATHER);
        if let Some(most) = self.number(node, "max-items", 1, MOST_RECORDS) {
            gather.max_items = most as usize;
        }
        if let Some(most) = self.number(node, "max-bytes", 1, 1 << 30) {
            gather.max_bytes = most as usize;
        }
        for node in node.get("at").and_then(Node::as_seq).unwrap_or_default() {
            gather.at.extend(self.time(node));
        }
        let wait = self.duration_at(node, "max-wait");
        gather.max_wait = wait.or(gather.max_wait.filter(|_| gather.at.is_empty()));
        gather.days = self.days(node.get("days"));
        gather.empty =
            node.get("empty").and_then(|node| self.reader.flag(node, "`empty`")).unwrap_or(false);
        gather
    }

    fn days(&mut self, node: Option<&Node>) -> Option<Arc<Calendar>> {
        node.and_then(|node| self.hours(Some(node), Duration::ZERO))
    }

    fn time(&mut self, node: &Node) -> Option<Time> {
        let text = self.reader.text(node, "a time")?;
        let time = text.split_once(':').and_then(|(hour, minute)| {
            let two = |text: &str| text.parse().ok().filter(|_| text.len() == 2);
            Time::new(two(hour)?, two(minute)?, 0, 0).ok()
        });
        if time.is_none() {
            self.error(&codes::BAD_HOURS, node, format!("`{text}` is not `HH:MM`"));
        }
        time
    }

    fn companions(&mut self, files: &Node) -> Vec<Companion> {
        let mut companions = Vec::new();
        for node in files.get("companions").and_then(Node::as_seq).unwrap_or_default() {
            self.reader.keys(node, &keys::COMPANION);
            let name = self.reader.required(node, "a companion", "name");
            let name = name.and_then(|node| self.template(node, false));
            let each_part = self.word(node, "each", "part, set").as_deref() == Some("part");
            let sheet = self.sheet_of(node, "a companion");
            if let (Some(name), Some(sheet)) = (name, sheet) {
                companions.push(Companion { name, each_part, sheet });
            }
        }
        companions
    }

    /// One of some words; reported otherwise.
    fn word(&mut self, node: &Node, key: &str, allowed: &str) -> Option<String> {
        let found = node.get(key)?;
        let text = self.reader.text(found, &format!("`{key}`"))?.to_owned();
        if allowed.split(", ").any(|word| word == text) {
            return Some(text);
        }
        self.not_allowed(found, &text, allowed);
        None
    }

    fn sheet(&mut self, node: &Node) -> Option<Sheet> {
        self.reader.keys(node, &keys::SHEET)?;
        self.sheet_of(node, "a sheet")
    }

    fn sheet_of(&mut self, node: &Node, what: &str) -> Option<Sheet> {
        let format = self.file_format(node, what);
        let schema = self.reader.required(node, what, "schema");
        let schema = schema.and_then(|node| self.schema(node));
        let mapping = self.reader.required(node, what, "mapping");
        let mapping = mapping.and_then(|node| {
            let to = schema.as_ref()?.id().to_owned();
            self.file_mapping(node, &to)
        });
        let plan = self.plan(format??, schema?)?;
        Some(Sheet { mapping: mapping?, plan })
    }

    /// A mapping from what is known of a file.
    fn file_mapping(&mut self, node: &Node, to: &str) -> Option<Arc<Mapping>> {
        let mapping = self.mapping(node)?;
        if mapping.from.id() == FILE && mapping.to.id() == to {
            return Some(mapping);
        }
        let (name, from, gives) = (&mapping.name, mapping.from.id(), mapping.to.id());
        let message = format!(
            "mapping `{name}` leads from `{from}` to `{gives}`, not from `{FILE}` to `{to}`"
        );
        self.error(&codes::MAPPING_DOES_NOT_FIT, node, message);
        None
    }

    /// The format of a file: `Some(None)` for lines.
    fn file_format(&mut self, node: &Node, what: &str) -> Option<Option<Format>> {
        self.reader.required(node, what, "format")?;
        match self.word(node, "format", keys::FORMATS)?.as_str() {
            "lines" => Some(None),
            name => Format::from_name(name).map(Some),
        }
    }

    pub(super) fn content(&mut self, files: &Node) -> Option<Content> {
        let format = self.file_format(files, "files");
        let record = files.get("record").and_then(|node| self.schema(node));
        let record = record.and_then(|schema| self.plan(Format::Json, schema));
        let layout = match format? {
            None => Layout::Lines,
            Some(format) => {
                let schema = self.reader.required(files, "files", "schema");
                let plan = schema
                    .and_then(|node| self.schema(node))
                    .and_then(|schema| self.plan(format, schema))?;
                match format {
                    Format::Csv | Format::Fixed => Layout::Table(plan),
                    _ => self.document(files, plan),
                }
            }
        };
        if !matches!(layout, Layout::Document { .. }) {
            for key in ["records", "head"] {
                if let Some(found) = files.get(key) {
                    self.error(
                        &codes::BLOCK_UNUSED,
                        found,
                        format!("`{key}:` is for json and xml"),
                    );
                }
            }
        }
        let record = match record {
            Some(record) => record,
            None => {
                // Reported where it was named wrongly; else the file itself is the message.
                let whole = files.get("each").and_then(Node::as_str) == Some("file");
                if files.get("record").is_none() && !whole {
                    self.reader.required(files, "files", "record");
                }
                let schema = match &layout {
                    Layout::Table(plan) | Layout::Document { plan, .. } if whole => {
                        Arc::clone(&plan.schema)
                    }
                    _ => return None,
                };
                self.plan(Format::Json, schema)?
            }
        };
        let content = Content { layout, record: Arc::new(record), header: None, trailer: None };
        if files.get("record").is_some() {
            self.check_record(files, &content);
        }
        Some(content)
    }

    fn document(&mut self, files: &Node, plan: BodyPlan) -> Layout {
        let records = self.reader.text_at(files, "records").unwrap_or_default();
        let records = records.split('.').filter(|name| !name.is_empty()).map(str::to_owned);
        let records = records.collect();
        let head = files.get("head").and_then(|node| {
            let to = plan.schema.id().to_owned();
            self.file_mapping(node, &to)
        });
        Layout::Document { plan, records, head }
    }

    /// The records of the file have the members that one record has.
    fn check_record(&mut self, files: &Node, content: &Content) {
        let elements = match &content.layout {
            Layout::Lines => return,
            Layout::Table(plan) => plan.schema.shape().element(),
            Layout::Document { plan, records, .. } => {
                let found = records.iter().try_fold(plan.schema.shape(), |shape, name| {
                    shape.property(name).map(|property| &property.shape)
                });
                found.and_then(Shape::element)
            }
        };
        let record = content.record.schema.shape();
        let record = record.element().unwrap_or(record);
        let names = |shape: &Shape| -> Vec<String> {
            shape.properties.iter().map(|property| property.name.clone()).collect()
        };
        if elements.is_none_or(|elements| names(elements) != names(record)) {
            let at = files.get("record").unwrap_or(files);
            let message = format!("`{}` is not a record of the file", content.record.schema.id());
            self.error(&codes::RECORD_NOT_OF_FILE, at, message);
        }
    }

    fn template(&mut self, node: &Node, wild: bool) -> Option<Template> {
        let text = self.reader.text(node, "a name")?;
        match Template::parse(text, wild) {
            Ok(template) => Some(template),
            Err(why) => {
                self.error(&codes::BAD_FILE_NAME, node, why);
                None
            }
        }
    }

    fn folder_at(&mut self, node: &Node, key: &str, default: &str) -> String {
        let text = self.reader.text_at(node, key).unwrap_or(default).to_owned();
        if !is_folder(&text) {
            let at = node.get(key).unwrap_or(node);
            self.error(&codes::BAD_FOLDER, at, "not a folder below its place");
        }
        text
    }

    fn file_in(&mut self, node: &Node, files: &Node, place: String) -> Option<FileIn> {
        self.reader.keys(files, &keys::FILES_IN)?;
        let folder = self.folder_at(files, "folder", "");
        let name = self.reader.required(files, "files", "name");
        let name = name.and_then(|node| self.template(node, true));
        let content = self.content(files);
        let whole = self.reader.required(files, "files", "whole");
        let whole = whole.and_then(|node| self.whole(node, name.as_ref()));
        let done = match self.reader.text_at(files, "done") {
            Some("remove") => Done::Remove,
            _ => Done::Move(self.folder_at(files, "done", "done")),
        };
        let aside = self.folder_at(files, "aside", "aside");
        let each_record = self.word(files, "each", "record, file").as_deref() != Some("file");
        let on_bad = match self.word(files, "on-bad-record", "dead-letter, refuse-file").as_deref()
        {
            Some("refuse-file") => OnBad::RefuseFile,
            _ => OnBad::DeadLetter,
        };
        let max_bytes = self.number(files, "max-bytes", 1, 1 << 30).unwrap_or(64 << 20) as usize;
        let max_records = self.number(files, "max-records", 1, 10_000_000).unwrap_or(1_000_000);
        let every = self.duration_at(node, "every").unwrap_or(Duration::from_secs(60));
        let every = self.overrides.poll_every.unwrap_or(every);
        let expect = node.get("expect").and_then(|node| self.expect(node));
        let message_type = self.reader.text_at(node, "type").map(str::to_owned);
        let signature = match files.get("signature") {
            Some(found) => Some(self.file_signature(found, files)?),
            None => None,
        };
        let content = content?;
        let (header, trailer) = self.edges(files, &content, each_record);
        let shape = content.record.schema.shape();
        let settles = node.get("settles").and_then(|node| self.settles(node, shape));
        let id = self.sink(files, Sink::Id, Start::whole(Some(shape)));
        if message_type.is_none() && node.get("settles").is_none() {
            self.error(&codes::BLOCK_MISSING, node, "`type:` or `settles:` is missing");
        }
        if done == Done::Move(folder.clone()) || aside == folder {
            self.error(
                &codes::BAD_FOLDER,
                files,
                "`done` and `aside` are other folders than `folder`",
            );
        }
        Some(FileIn {
            place,
            folder,
            content,
            signature,
            header,
            trailer,
            name: name?,
            whole: whole?,
            each_record,
            id,
            on_bad,
            done,
            aside,
            every,
            max_bytes,
            max_records: max_records as usize,
            expect,
            message_type,
            settles,
        })
    }

    fn whole(&mut self, node: &Node, name: Option<&Template>) -> Option<Whole> {
        self.reader.keys(node, &keys::WHOLE)?;
        let beside = |loader: &mut Self, key: &str| {
            let found = node.get(key)?;
            let template = loader.template(found, true)?;
            if name.is_some_and(|name| !template.is_told_by(name)) {
                let message = format!("`{key}` has a placeholder that `name` lacks");
                loader.error(&codes::BAD_FILE_NAME, found, message);
            }
            Some(template)
        };
        if let Some(marker) = beside(self, "marker") {
            return Some(Whole::Marker(marker));
        }
        if let Some(manifest) = beside(self, "manifest") {
            return Some(Whole::Manifest(manifest));
        }
        if node.get("still").is_none()
            && node.get("marker").is_none()
            && node.get("manifest").is_none()
        {
            self.error(
                &codes::BLOCK_MISSING,
                node,
                "`marker:`, `manifest:` or `still:` is missing",
            );
        }
        self.duration_at(node, "still").map(Whole::Still)
    }

    fn expect(&mut self, node: &Node) -> Option<Expect> {
        self.reader.keys(node, &keys::EXPECT)?;
        let by = self.reader.required(node, "expect", "by").and_then(|node| self.time(node))?;
        let days = self.days(node.get("days"));
        let min_percent = self.number(node, "min-percent", 0, 100).unwrap_or(0);
        Some(Expect { by, days, min_percent })
    }

    fn settles(&mut self, node: &Node, shape: &Shape) -> Option<Settles> {
        self.reader.keys(node, &keys::SETTLES)?;
        let operation = self.reader.required(node, "settles", "operation");
        let operation =
            operation.and_then(|node| self.reader.text(node, "an operation"))?.to_owned();
        let set = self.sink(node, Sink::Set, Start::whole(Some(shape)));
        self.reader.required(node, "settles", "item");
        let item = self.sink(node, Sink::Item, Start::whole(Some(shape)));
        let outcomes = self.reader.required(node, "settles", "item-outcomes")?;
        let outcomes = self.outcomes_of(outcomes, Start::whole(Some(shape)), Table::Item);
        Some(Settles { operation, set, item: item?, outcomes })
    }

    /// `results` and `settles` point to each other.
    pub(super) fn check_file_peers(
        &mut self,
        root: &Node,
        operations: &BTreeMap<String, Arc<Operation>>,
    ) {
        for (name, operation) in operations {
            let node = root.get("operations").and_then(|all| all.get(name));
            let results = operation.file_out.as_ref().and_then(|file| file.results.as_ref());
            let settles = operation.file_in.as_ref().and_then(|file| file.settles.as_ref());
            let peer = |name: &String| operations.get(name);
            let back = |reader: &str| {
                let found = peer(&reader.to_owned())?.file_in.as_ref()?.settles.as_ref()?;
                Some(found.operation == *name)
            };
            let forth = |writer: &str| {
                let found = peer(&writer.to_owned())?.file_out.as_ref()?.results.as_ref()?;
                Some(found == name)
            };
            let wrong = match (results, settles) {
                (Some(reader), _) if back(reader) != Some(true) => Some(("results", reader)),
                (_, Some(settles)) if forth(&settles.operation) != Some(true) => {
                    Some(("settles", &settles.operation))
                }
                _ => None,
            };
            if let (Some((key, other)), Some(node)) = (wrong, node) {
                let at = node.get(key).unwrap_or(node);
                let message = format!("`{name}` names `{other}`, which does not name it");
                self.error(&codes::FILE_PEER, at, message);
            }
        }
    }
}

/// The step that stands for files where others have a request: what a mapping must give, and how
/// what was taken over is read again.
fn step_of(
    file_out: Option<&FileOut>,
    file_in: Option<&FileIn>,
    characters: Option<Arc<CharacterPolicy>>,
) -> Step {
    let request = RequestPlan {
        method: Method::Post,
        path: "/".to_owned(),
        body: file_out.map(|file| Arc::clone(&file.content.record)),
        mapping: None,
        idempotency_header: None,
        headers: Vec::new(),
        token: None,
        characters,
    };
    let response = file_in.map(|file| Arc::clone(&file.content.record));
    Step { request, response, outcomes: OutcomeTable { lines: Vec::new() } }
}
