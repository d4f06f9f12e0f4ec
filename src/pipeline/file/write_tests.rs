//! Tests of writing.
