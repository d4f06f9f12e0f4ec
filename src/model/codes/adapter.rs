//! Codes `A…`: adapter.yaml and its routes.

codes! {}
