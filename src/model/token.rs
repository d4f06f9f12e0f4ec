//! `TokenFor`: what a token of a counterpart is asked for.

/// What a token is asked for: with another scope or audience it is another token.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenFor {
    /// Scopes with single spaces between them (RFC 6749 section 3.3); empty: none is named.
    pub scope: String,
    /// Whom the token is for, where the token endpoint wants to know; empty: not named.
    pub audience: String,
}
