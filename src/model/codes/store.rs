//! Codes `T…`: the store and the record.

codes! {}
