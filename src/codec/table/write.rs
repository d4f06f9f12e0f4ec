//! Records to bytes: one file, or as many as the layout's `split` makes of them.

use super::{Kind, Table};
use crate::codec::EncodeError;
use crate::model::Code;
use crate::model::codes::document;
use crate::model::json::escape;
use crate::schema::kind_of;
use serde_json::Value;

fn shape(path: String, detail: String) -> EncodeError {
    EncodeError { code: &document::ENCODE_SHAPE, path, detail }
}

fn unmappable(c: char) -> (&'static Code, String) {
    (&document::UNMAPPABLE, format!("U+{:04X} is not in the charset", u32::from(c)))
}

impl Table {
    /// Writes one file.
    pub fn encode(&self, document: &Value) -> Result<Vec<u8>, EncodeError> {
        let records = list(document)?;
        if let Some(most) = self.split.filter(|most| records.len() > *most) {
            let detail = format!("{} records; one file holds {most}", records.len());
            return Err(EncodeError { code: &document::FILE_FULL, path: String::new(), detail });
        }
        let mut out = Vec::new();
        self.put_head(&mut out)?;
        for (row, record) in records.iter().enumerate() {
            self.put(row, record, &mut out)?;
        }
        Ok(out)
    }

    /// Files of records that come one by one.
    pub fn files(&self) -> Files<'_> {
        Files { table: self, out: Vec::new(), inside: 0, pushed: 0 }
    }

    /// Writes as many files as the layout makes of it.
    pub fn encode_files(&self, document: &Value) -> Result<Vec<Vec<u8>>, EncodeError> {
        let mut files = self.files();
        let mut done = Vec::new();
        for record in list(document)? {
            done.extend(files.push(record)?);
        }
        done.extend(files.finish()?);
        Ok(done)
    }

    fn put_head(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.bom {
            out.extend_from_slice(self.charset.mark());
        }
        let (Some(names), Kind::Csv(csv)) = (&self.header, &self.kind) else { return Ok(()) };
        let line: Vec<_> = names.iter().map(|name| csv.name(name)).collect();
        let line = line.join(",") + csv.line_end();
        self.charset.encode(&line, out).map_err(|c| {
            let (code, detail) = unmappable(c);
            EncodeError { code, path: String::new(), detail }
        })
    }

    fn put(&self, row: usize, record: &Value, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let Value::Object(members) = record else {
            let detail = format!("expected an object, found {}", kind_of(record));
            return Err(shape(format!("/{row}"), detail));
        };
        let mut written = 0;
        for (index, column) in self.columns.iter().enumerate() {
            let value = members.get(&column.property);
            written += usize::from(value.is_some());
            let put = match &self.kind {
                Kind::Fixed(fixed) => fixed.put(index, column, value, out),
                Kind::Csv(csv) => csv.field(column, value).and_then(|field| {
                    if index > 0 {
                        let _ = self.charset.encode(",", out);
                    }
                    self.charset.encode(&field, out).map_err(unmappable)
                }),
            };
            put.map_err(|(code, detail)| {
                let path = format!("/{row}/{}", escape(&column.property));
                EncodeError { code, path, detail }
            })?;
        }
        if written < members.len() {
            return Err(shape(format!("/{row}/?"), "an undeclared member".to_owned()));
        }
        let end = match &self.kind {
            Kind::Csv(csv) => csv.line_end(),
            Kind::Fixed(fixed) => fixed.line_end(),
        };
        let _ = self.charset.encode(end, out);
        Ok(())
    }
}

fn list(document: &Value) -> Result<&[Value], EncodeError> {
    match document {
        Value::Array(records) => Ok(records),
        other => {
            let detail = format!("expected an array, found {}", kind_of(other));
            Err(shape(String::new(), detail))
        }
    }
}

/// Records to files, one record at a time: what a file delivery needs. Each file is whole in
/// itself, with byte order mark and header; memory holds one.
#[derive(Debug)]
pub struct Files<'c> {
    table: &'c Table,
    out: Vec<u8>,
    /// Records in the file being written.
    inside: usize,
    /// Records pushed so far.
    pushed: usize,
}

impl Files<'_> {
    /// Adds a record; a file that is full with it comes back. After an error nothing of the
    /// record was written, and others can be added.
    ///
    /// # Errors
    /// What the layout cannot carry; the path begins with the number of the record, from 0, over
    /// all files.
    pub fn push(&mut self, record: &Value) -> Result<Option<Vec<u8>>, EncodeError> {
        if self.inside == 0 {
            self.out.clear();
            self.table.put_head(&mut self.out)?;
        }
        let before = self.out.len();
        let outcome = self.table.put(self.pushed, record, &mut self.out);
        self.pushed += 1;
        if let Err(error) = outcome {
            self.out.truncate(before);
            return Err(error);
        }
        self.inside += 1;
        if self.table.split != Some(self.inside) {
            return Ok(None);
        }
        self.inside = 0;
        Ok(Some(std::mem::take(&mut self.out)))
    }

    /// The last file, unless the one before took the last record. Of no records at all one file
    /// without records is made.
    ///
    /// # Errors
    /// None that `push` would not have told.
    pub fn finish(mut self) -> Result<Option<Vec<u8>>, EncodeError> {
        if self.pushed == 0 {
            self.table.put_head(&mut self.out)?;
        }
        let open = self.inside > 0 || self.pushed == 0;
        Ok(open.then_some(self.out))
    }
}
