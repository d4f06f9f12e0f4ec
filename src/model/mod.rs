//! The words everything else speaks.

pub mod characters;
pub mod check_digit;
pub mod clock;
pub mod codes;
pub mod failure;
pub mod json;
pub mod message;
pub mod method;
pub mod secret;
pub mod state;
pub mod token;

pub use clock::Clock;
pub use codes::Code;
pub use failure::{Class, Failure, Fault, Stage};
pub use message::{Envelope, MessageId};
pub use method::Method;
pub use secret::Secret;
pub use state::State;
pub use token::TokenFor;
