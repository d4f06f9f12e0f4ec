//! Codes `M…`: mapping files.

codes! {}
