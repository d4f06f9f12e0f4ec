//! `Schemas`: JSON Schema 2020-12 files with Watashi's keywords, chosen by id and by message type.
//!
//! A schema's id follows from its path: `schemas/pmh/subject/1.schema.json` is `pmh/subject@1`.
//! Extra keywords: `x-message-types` (root: the message types this schema is for), `x-class`
//! (data class of a field), `x-item` (legal item code), `x-check` (check digit: `my-number`,
//! `corporate-number`, `municipality-code`, `atena-number`), and the layouts of the codecs
//! (`xml`, `x-xml`, `x-csv`, `x-fixed`).

pub mod shape;

pub use shape::{Class, Shape};
