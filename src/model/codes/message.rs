//! Codes `G…`: messages on their way.

codes! {}
