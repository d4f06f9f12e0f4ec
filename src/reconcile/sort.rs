//! Rows put in order by key: in memory as far as a bound allows, else in runs on disk that have no
//! name any more and hold no value.

use super::rows::Row;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs merged at once; more become one first, so that open files stay few.
const RUNS: usize = 64;
/// Longest key, in bytes.
const LONGEST_KEY: usize = 4_096;
/// What a row takes beside its texts, in bytes.
const ROW: usize = 80;

/// Takes rows in any order.
#[derive(Debug)]
pub struct Sorter {
    folder: PathBuf,
    budget: usize,
    held: usize,
    rows: Vec<Row>,
    runs: Vec<File>,
    count: u64,
}

impl Sorter {
    /// One that holds about `budget` bytes in memory and puts the rest into `folder`.
    pub fn new(folder: PathBuf, budget: usize) -> Sorter {
        Sorter { folder, budget, held: 0, rows: Vec::new(), runs: Vec::new(), count: 0 }
    }

    /// Takes a row.
    ///
    /// # Errors
    /// When a run cannot be written, or the key is longer than 4096 bytes.
    pub fn push(&mut self, row: Row) -> io::Result<()> {
        if row.key.len() > LONGEST_KEY {
            return Err(io::Error::other("a key has more than 4096 bytes"));
        }
        self.held += ROW + row.key.len() + row.items.len() * size_of::<(u16, u64)>();
        self.count += 1;
        self.rows.push(row);
        if self.held < self.budget {
            return Ok(());
        }
        self.rows.sort_unstable();
        let mut run = Run::begin(&self.folder)?;
        for row in self.rows.drain(..) {
            run.write(&row)?;
        }
        self.held = 0;
        self.runs.push(run.end()?);
        if self.runs.len() >= RUNS {
            let merged =
                Sorted { rows: Vec::new(), runs: std::mem::take(&mut self.runs), count: 0 };
            let mut run = Run::begin(&self.folder)?;
            for row in merged.merged()? {
                run.write(&row?)?;
            }
            self.runs.push(run.end()?);
        }
        Ok(())
    }

    /// All of them, in order.
    pub fn finish(mut self) -> Sorted {
        self.rows.sort_unstable();
        Sorted { rows: self.rows, runs: self.runs, count: self.count }
    }
}

/// Rows that can be gone through in order, as often as needed.
#[derive(Debug)]
pub struct Sorted {
    rows: Vec<Row>,
    runs: Vec<File>,
    count: u64,
}

impl Sorted {
    /// How many.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// From the first one on. One at a time: they share what they read from.
    ///
    /// # Errors
    /// When a run cannot be read.
    pub fn merged(&self) -> io::Result<Merged<'_>> {
        let mut sources = Vec::with_capacity(self.runs.len());
        for mut run in &self.runs {
            run.rewind()?;
            sources.push(BufReader::with_capacity(64 << 10, run));
        }
        let mut merged = Merged { sources, memory: self.rows.iter(), heads: BinaryHeap::new() };
        for source in 0..=merged.sources.len() {
            merged.advance(source)?;
        }
        Ok(merged)
    }
}

/// Rows in order.
pub struct Merged<'s> {
    sources: Vec<BufReader<&'s File>>,
    memory: std::slice::Iter<'s, Row>,
    heads: BinaryHeap<Reverse<(Row, usize)>>,
}

impl Merged<'_> {
    /// Puts the next row of a source among the heads; the last source is the memory.
    fn advance(&mut self, source: usize) -> io::Result<()> {
        let next = match self.sources.get_mut(source) {
            Some(run) => read(run)?,
            None => self.memory.next().cloned(),
        };
        self.heads.extend(next.map(|row| Reverse((row, source))));
        Ok(())
    }
}

impl Iterator for Merged<'_> {
    type Item = io::Result<Row>;

    fn next(&mut self) -> Option<io::Result<Row>> {
        let Reverse((row, source)) = self.heads.pop()?;
        Some(self.advance(source).map(|()| row))
    }
}

/// A run that is written.
struct Run {
    file: BufWriter<File>,
}

impl Run {
    /// A new file that only we can read, and that is gone with us whatever happens.
    fn begin(folder: &std::path::Path) -> io::Result<Run> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".watashi-run-{}-{number}", std::process::id()));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        fs::remove_file(&path)?;
        Ok(Run { file: BufWriter::with_capacity(256 << 10, file) })
    }

    fn write(&mut self, row: &Row) -> io::Result<()> {
        let key = u16::try_from(row.key.len()).map_err(io::Error::other)?;
        let items = u16::try_from(row.items.len()).map_err(io::Error::other)?;
        self.file.write_all(&key.to_le_bytes())?;
        self.file.write_all(row.key.as_bytes())?;
        self.file.write_all(&items.to_le_bytes())?;
        for (name, hash) in &row.items {
            self.file.write_all(&name.to_le_bytes())?;
            self.file.write_all(&hash.to_le_bytes())?;
        }
        Ok(())
    }

    fn end(self) -> io::Result<File> {
        self.file.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

/// The next row of a run; `None` at its end.
fn read(run: &mut impl Read) -> io::Result<Option<Row>> {
    let mut length = [0; 2];
    match run.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let mut key = vec![0; usize::from(u16::from_le_bytes(length))];
    run.read_exact(&mut key)?;
    let key = String::from_utf8(key).map_err(io::Error::other)?;
    run.read_exact(&mut length)?;
    let mut items = Vec::with_capacity(usize::from(u16::from_le_bytes(length)));
    for _ in 0..u16::from_le_bytes(length) {
        let (mut name, mut hash) = ([0; 2], [0; 8]);
        run.read_exact(&mut name)?;
        run.read_exact(&mut hash)?;
        items.push((u16::from_le_bytes(name), u64::from_le_bytes(hash)));
    }
    Ok(Some(Row { key: key.into(), items: items.into() }))
}
