//! Codes `S…`: schemas, codecs and the documents they describe.

codes! {}
