//! Renders diagnostics: annotated text for people, JSON for tools.
