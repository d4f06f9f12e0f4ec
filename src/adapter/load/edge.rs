//! Reads `header:` and `trailer:` of files that come.

use super::Loader;
use super::sink::{Sink, Start};
use crate::adapter::file::{Content, Edge, Layout};
use crate::adapter::keys::file as keys;
use crate::codec::Format;
use crate::diagnostic::yaml::Node;
use crate::model::codes::adapter as codes;

impl Loader<'_, '_> {
    /// Both lines; only where records stand line by line.
    pub(super) fn edges(
        &mut self,
        files: &Node,
        content: &Content,
        each_record: bool,
    ) -> (Option<Edge>, Option<Edge>) {
        let by_line = each_record && !matches!(content.layout, Layout::Document { .. });
        let mut edge = |key: &str| {
            let node = files.get(key)?;
            if !by_line {
                let message = format!("`{key}:` is for files whose records stand line by line");
                self.error(&codes::BLOCK_UNUSED, node, message);
            }
            self.edge(node)
        };
        (edge("header"), edge("trailer"))
    }

    fn edge(&mut self, node: &Node) -> Option<Edge> {
        self.reader.keys(node, &keys::EDGE)?;
        let format = self.reader.required(node, "a line of its own", "format");
        let format = format.and_then(Node::as_str).and_then(Format::from_name);
        let schema = self.reader.required(node, "a line of its own", "schema");
        let schema = schema.and_then(|node| self.schema(node))?;
        let count = self.sink(node, Sink::Count, Start::whole(Some(schema.shape())));
        Some(Edge { plan: self.plan(format?, schema)?, count })
    }
}
