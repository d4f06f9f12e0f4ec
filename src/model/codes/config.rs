//! Codes `C…`: watashi.toml.

codes! {}
