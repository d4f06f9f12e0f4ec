//! The part of an input of any length that is being looked at: never more than one record, plus
//! what one read brings.

use super::Charset;
use super::charset::Transcoder;
use std::io::{ErrorKind, Read};

/// Bytes of the first read, and of the longest: one that got all it asked for makes the next one
/// ask for twice as much.
const FIRST: usize = 4 * 1024;
const MOST: usize = 64 * 1024;

/// How the input ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It goes on.
    Open,
    /// With its last byte.
    Whole,
    /// With bytes that are no character of the charset.
    Broken,
    /// With an error of the reader.
    Lost,
}

/// The window; UTF-16 is seen as UTF-8.
#[derive(Debug)]
pub struct Window<R> {
    input: R,
    transcoder: Option<Transcoder>,
    raw: Vec<u8>,
    /// The last read filled `raw`.
    filled: bool,
    bytes: Vec<u8>,
    at: usize,
    end: End,
}

impl<R: Read> Window<R> {
    /// Nothing is read yet. `transcode`: UTF-16 is to be seen as UTF-8.
    pub fn new(input: R, charset: Charset, transcode: bool) -> Self {
        let transcoder = (transcode && charset.is_utf16()).then(|| Transcoder::new(charset));
        let (raw, bytes) = (Vec::new(), Vec::new());
        Window { input, transcoder, raw, filled: false, bytes, at: 0, end: End::Open }
    }

    /// What is there and not yet passed.
    pub fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// How the input ended, as far as it was read.
    pub fn end(&self) -> End {
        self.end
    }

    /// Goes on behind `count` bytes.
    pub fn pass(&mut self, count: usize) {
        self.at = self.at.saturating_add(count).min(self.bytes.len());
    }

    /// Reads on. At least as much is asked for as is there already, so that a record that is
    /// looked at again each time costs no more than twice its length.
    pub fn more(&mut self) {
        self.bytes.drain(..self.at);
        self.at = 0;
        let ready = if self.filled { 2 * self.raw.len() } else { self.raw.len() };
        let wanted = ready.clamp(FIRST, MOST).max(self.bytes.len());
        self.raw.resize(wanted, 0);
        let count = loop {
            match self.input.read(&mut self.raw) {
                Ok(count) => break count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.end = End::Lost;
                    return;
                }
            }
        };
        self.filled = count == wanted;
        let new = self.raw.get(..count).unwrap_or_default();
        let sound = match &mut self.transcoder {
            Some(transcoder) => {
                let sound = transcoder.push(new, &mut self.bytes);
                sound && (count > 0 || transcoder.is_whole())
            }
            None => {
                self.bytes.extend_from_slice(new);
                true
            }
        };
        self.end = match (sound, count) {
            (false, _) => End::Broken,
            (true, 0) => End::Whole,
            (true, _) => End::Open,
        };
    }
}
