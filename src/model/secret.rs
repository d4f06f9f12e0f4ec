//! `Secret`: a value that cannot be printed, logged or serialised by accident.

use zeroize::{Zeroize, Zeroizing};

/// Holds a secret or a personal value. It has no `Display`, no `Serialize`, and its `Debug`
/// prints a fixed word; its memory is wiped when dropped.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Wraps a value.
    pub fn new(value: T) -> Self {
        Secret(Zeroizing::new(value))
    }

    /// The value itself; every call is a place where it could leak, so keep them few.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> std::fmt::Debug for Secret<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[secret]")
    }
}
