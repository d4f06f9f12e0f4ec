//! Every format with whole files.
