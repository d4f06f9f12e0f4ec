//! Strict JSON: what is read is exactly what was written, or an error with its place.
//!
//! Refused, unlike by lenient readers: duplicate keys, NUL, lone surrogates, numbers that lose
//! digits, byte order marks, trailing data, and anything beyond the limits.

mod limits;
mod number;
mod reader;
mod scan;
mod spans;
mod tree;
mod write;

pub use limits::{DecodeError, Limits, Segment, position, too_large, utf8};
pub use reader::{ReadError, read, read_tree, read_with_spans};
pub use spans::{Spans, escape};
pub use tree::{Elements, ElementsIter, Fields, FieldsIter, InTurn, Kind, Members, Node, Tree};
pub use write::write;
