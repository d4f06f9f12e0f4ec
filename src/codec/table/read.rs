//! Records out of bytes: of a whole file at once, or of an input of any length one by one.

use super::window::{End, Window};
use super::{Cells, Charset, Fault, Kind, Step, Table, Wrong};
use crate::codec::field::Scalar;
use crate::model::Code;
use crate::model::codes::document;
use crate::model::json::{self, DecodeError, Limits, Members, Node, Tree, too_large};
use serde_json::Value;
use std::borrow::Cow;
use std::io::Read;

impl Table {
    /// Reads a whole file.
    pub fn read<'a>(&'a self, bytes: &'a [u8], limits: &Limits) -> Result<Tree<'a>, DecodeError> {
        too_large(bytes, limits)?;
        // Fixed width counts code units; CSV looks for ASCII, so it wants none of UTF-16.
        let whole = if self.transcodes() {
            let mut utf8 = Vec::with_capacity(bytes.len());
            let mut transcoder = super::charset::Transcoder::new(self.charset);
            let sound = transcoder.push(bytes, &mut utf8) && transcoder.is_whole();
            self.whole(&utf8, !sound, limits).map(Tree::into_owned)
        } else {
            self.whole(bytes, false, limits)
        };
        whole.map_err(|fault| self.located(fault))
    }

    fn whole<'a>(
        &'a self,
        bytes: &'a [u8],
        broken: bool,
        limits: &Limits,
    ) -> Result<Tree<'a>, Fault> {
        let mut rest = bytes.get(self.mark(bytes)?..).unwrap_or_default();
        let mut cells = Cells::default();
        let (mut row, mut fields, mut records) = (0, 0, Vec::new());
        loop {
            // Before broken bytes nothing is the last thing: what is not whole is undecodable.
            let (length, fits) = match self.step(rest, !broken, &mut cells) {
                Ok(Step::Record(length, fits)) => (length, fits),
                Ok(Step::More) => return Err(undecodable(row + 1, cells.count.max(1))),
                Ok(Step::End) => break,
                Err(wrong) => return Err(wrong.at(row + 1)),
            };
            row += 1;
            let (record, behind) = rest.split_at_checked(length).unwrap_or_default();
            rest = behind;
            if row == 1 && self.header.is_some() {
                self.check_header(record, &cells)?;
                continue;
            }
            self.check_split(row)?;
            fits.map_err(|wrong| wrong.at(row))?;
            fields += cells.count;
            if fields > limits.max_nodes {
                let detail = format!("more than {} fields", limits.max_nodes);
                return Err(Fault::new(&document::TOO_MANY_NODES, row, 0, detail));
            }
            let record = self.record(record, &cells, limits.max_string);
            records.push(record.map_err(|wrong| wrong.at(row))?);
        }
        if row < self.head() {
            return Err(self.no_header());
        }
        Ok(Tree::Array(records))
    }

    /// Records one by one, in memory that does not grow with the input.
    pub fn records<R: Read>(&self, input: R, limits: &Limits) -> Records<'_, R> {
        Records {
            table: self,
            window: Window::new(input, self.charset, self.transcodes()),
            cells: Cells::default(),
            limits: *limits,
            row: 0,
            passed: 0,
            state: State::Begin,
        }
    }

    fn transcodes(&self) -> bool {
        self.charset.is_utf16() && matches!(self.kind, Kind::Csv(_))
    }

    /// The charset in which cells are seen.
    fn cell_charset(&self) -> Charset {
        if self.transcodes() { Charset::Utf8 } else { self.charset }
    }

    /// Length of the byte order mark at the beginning.
    fn mark(&self, bytes: &[u8]) -> Result<usize, Fault> {
        let refuse = |detail| Err(Fault::new(&document::BYTE_ORDER_MARK, 0, 0, detail));
        let mark = self.cell_charset().mark();
        let there = !mark.is_empty() && bytes.starts_with(mark);
        match (self.bom, there) {
            (true, true) => Ok(mark.len()),
            (true, false) => refuse("the layout wants one, in the order of its charset"),
            (false, true) => refuse("the layout wants none"),
            (false, false) => Ok(0),
        }
    }

    fn step(&self, rest: &[u8], last: bool, cells: &mut Cells) -> Result<Step, Wrong> {
        match &self.kind {
            Kind::Csv(csv) => csv.step(rest, last, self.columns.len(), cells),
            Kind::Fixed(fixed) => fixed.step(rest, last, cells),
        }
    }

    fn check_header(&self, record: &[u8], cells: &Cells) -> Result<(), Fault> {
        let names = self.header.as_deref().unwrap_or_default();
        let same = cells.count == names.len()
            && cells.list.iter().zip(names).all(|(cell, name)| {
                let bytes = record.get(cell.bytes.clone()).unwrap_or_default();
                let text = self.cell_charset().decode(bytes).unwrap_or_default();
                let text = if cell.doubled { text.replace("\"\"", "\"").into() } else { text };
                text == name.as_str()
            });
        if same { Ok(()) } else { Err(self.no_header()) }
    }

    fn no_header(&self) -> Fault {
        let names = self.header.as_deref().unwrap_or_default().join(",");
        Fault::new(&document::HEADER, 1, 0, format!("expected the header {names}"))
    }

    fn check_split(&self, row: usize) -> Result<(), Fault> {
        match self.split {
            Some(most) if row - self.head() > most => {
                let detail = format!("more than {most} records");
                Err(Fault::new(&document::TOO_MANY_RECORDS, row, 0, detail))
            }
            _ => Ok(()),
        }
    }

    /// The texts of a record, those of absent members left out.
    fn texts<'r>(
        &self,
        record: &'r [u8],
        cells: &Cells,
        max_string: usize,
    ) -> impl Iterator<Item = Result<(usize, Cow<'r, str>), Wrong>> {
        let charset = self.cell_charset();
        cells.list.iter().zip(&self.columns).enumerate().filter_map(
            move |(index, (cell, column))| {
                let place = index + 1;
                let bytes = record.get(cell.bytes.clone()).unwrap_or_default();
                let Some(text) = charset.decode(bytes) else {
                    let fault = undecodable(0, place);
                    return Some(Err(Wrong::new(fault.code, place, fault.detail)));
                };
                if text.len() > max_string {
                    let detail = format!("more than {max_string} bytes");
                    return Some(Err(Wrong::new(&document::STRING_TOO_LONG, place, detail)));
                }
                let text = match &self.kind {
                    Kind::Csv(csv) => csv.text(cell, text, column),
                    Kind::Fixed(fixed) => fixed.text(index, text, column),
                };
                let wrong =
                    |(code, detail): (&'static Code, String)| Wrong::new(code, place, detail);
                text.map_err(wrong).transpose().map(|text| text.map(|text| (index, text)))
            },
        )
    }

    fn record<'r>(
        &'r self,
        record: &'r [u8],
        cells: &Cells,
        max_string: usize,
    ) -> Result<Tree<'r>, Wrong> {
        let mut members = Members::with_capacity(self.columns.len());
        for text in self.texts(record, cells, max_string) {
            let (index, text) = text?;
            let Some(column) = self.columns.get(index) else { continue };
            let tree = match (column.scalar, text) {
                (Scalar::Text, text) => Tree::Text(text),
                (scalar, text) => scalar.parse(&text).ok_or_else(|| not_a(scalar, index))?.into(),
            };
            members.push(column.property.as_str(), tree);
        }
        Ok(Tree::Object(members))
    }

    /// Appends a record as a JSON object, no value made on the way.
    fn json(
        &self,
        record: &[u8],
        cells: &Cells,
        max_string: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Wrong> {
        let mut lead = b'{';
        for text in self.texts(record, cells, max_string) {
            let (index, text) = text?;
            let Some(column) = self.columns.get(index) else { continue };
            out.push(lead);
            lead = b',';
            out.extend_from_slice(column.key.as_bytes());
            let tree = match column.scalar {
                Scalar::Text => Tree::Text(text),
                scalar => scalar.parse(&text).ok_or_else(|| not_a(scalar, index))?.into(),
            };
            json::write(Node::Tree(&tree), out);
        }
        if lead == b'{' {
            out.push(b'{');
        }
        out.push(b'}');
        Ok(())
    }
}

fn undecodable(row: usize, column: usize) -> Fault {
    Fault::new(&document::UNDECODABLE, row, column, "bytes that are no character of the charset")
}

fn not_a(scalar: Scalar, index: usize) -> Wrong {
    Wrong::new(&document::FIELD_VALUE, index + 1, format!("expected {}", scalar.name()))
}

/// The records of a CSV or fixed-width input of any length, in the order of the file.
///
/// Memory holds one record and one read of 64 KiB; a record longer than `Limits::max_bytes` is
/// refused. `max_nodes` does not apply: the number of records has no limit but the layout's own.
/// After an error in the values of one record (a wrong number of fields too) the next record can
/// be read; after any other error, such as an open quote, the records end.
#[derive(Debug)]
pub struct Records<'c, R> {
    table: &'c Table,
    window: Window<R>,
    cells: Cells,
    limits: Limits,
    row: usize,
    /// Length of the record that came last, with which the window still begins.
    passed: usize,
    state: State,
}

/// Length of the record at the beginning of the window, and what is wrong with it.
type Found = (usize, Result<(), Wrong>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Begin,
    Inside,
    Over,
}

impl<R: Read> Records<'_, R> {
    /// Row of the record that came last, from 1, the header counted.
    pub fn row(&self) -> usize {
        self.row
    }

    /// The bytes of the record that came last, its end included; UTF-16 CSV as UTF-8.
    pub fn raw(&self) -> &[u8] {
        self.window.rest().get(..self.passed).unwrap_or_default()
    }

    /// Whether nothing more can come: after the last record, and after an error that leaves
    /// nothing sound to go on with.
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Appends the next record to `out` as one JSON object without line end, the members in the
    /// order of the columns; `None` after the last one. Faster than the iterator, because nothing
    /// is allocated for a record. After an error `out` is as before.
    pub fn next_json(&mut self, out: &mut Vec<u8>) -> Option<Result<(), DecodeError>> {
        let before = out.len();
        let max_string = self.limits.max_string;
        let table = self.table;
        let outcome = self.next_with(|record, cells| table.json(record, cells, max_string, out))?;
        if outcome.is_err() {
            out.truncate(before);
        }
        Some(outcome)
    }

    /// The next record as a document that borrows its texts; `None` after the last one.
    pub fn next_tree(&mut self) -> Option<Result<Tree<'_>, DecodeError>> {
        let max_string = self.limits.max_string;
        let table = self.table;
        self.next_with(|record, cells| table.record(record, cells, max_string))
    }

    fn next_with<'r, T>(
        &'r mut self,
        read: impl FnOnce(&'r [u8], &Cells) -> Result<T, Wrong>,
    ) -> Option<Result<T, DecodeError>> {
        let outcome = match self.advance() {
            Ok(Some((length, fits))) => {
                self.passed = length;
                let record = self.window.rest().get(..length).unwrap_or_default();
                fits.and_then(|()| read(record, &self.cells)).map_err(|wrong| wrong.at(self.row))
            }
            Ok(None) => {
                self.state = State::Over;
                return None;
            }
            Err(fault) => {
                self.state = State::Over;
                Err(fault)
            }
        };
        Some(outcome.map_err(|fault| self.table.located(fault)))
    }

    /// Makes the window begin with the next record, and tells its length.
    fn advance(&mut self) -> Result<Option<Found>, Fault> {
        self.window.pass(std::mem::take(&mut self.passed));
        if self.state == State::Over {
            return Ok(None);
        }
        if self.state == State::Begin {
            self.state = State::Inside;
            self.begin()?;
        }
        let step = self.step()?;
        if step.is_some() {
            self.row += 1;
            self.table.check_split(self.row)?;
        }
        Ok(step)
    }

    /// Byte order mark and header.
    fn begin(&mut self) -> Result<(), Fault> {
        while self.window.rest().len() < 3 && self.window.end() == End::Open {
            self.window.more();
        }
        let mark = self.table.mark(self.window.rest())?;
        self.window.pass(mark);
        if self.table.header.is_none() {
            return Ok(());
        }
        let Some((length, _)) = self.step()? else { return Err(self.table.no_header()) };
        self.row += 1;
        let record = self.window.rest().get(..length).unwrap_or_default();
        self.table.check_header(record, &self.cells)?;
        self.window.pass(length);
        Ok(())
    }

    fn step(&mut self) -> Result<Option<Found>, Fault> {
        let row = self.row + 1;
        loop {
            let end = self.window.end();
            let rest = self.window.rest();
            match self.table.step(rest, end == End::Whole, &mut self.cells) {
                Ok(Step::Record(length, fits)) => return Ok(Some((length, fits))),
                Ok(Step::End) => return Ok(None),
                Err(wrong) => return Err(wrong.at(row)),
                Ok(Step::More) => {}
            }
            match end {
                End::Open if rest.len() > self.limits.max_bytes => {
                    let detail = format!("more than {} bytes", self.limits.max_bytes);
                    return Err(Fault::new(&document::TOO_LARGE, row, 0, detail));
                }
                End::Open => self.window.more(),
                End::Lost => {
                    let detail = "reading stopped with an error";
                    return Err(Fault::new(&document::INPUT_LOST, row, 0, detail));
                }
                End::Broken | End::Whole => return Err(undecodable(row, self.cells.count.max(1))),
            }
        }
    }
}

impl<R: Read> Iterator for Records<'_, R> {
    type Item = Result<Value, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_tree().map(|record| record.map(Tree::into_value))
    }
}
