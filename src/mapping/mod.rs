//! The mapping engine: declarative rules from one schema to another. Pure: no I/O, no clock but
//! the message's, no chance.
