//! Decisions without side effects: what to do next. Time and chance come in as arguments.

pub mod availability;
pub mod breaker;
pub mod calendar;
pub mod pace;
pub mod retry;
pub mod verdict;

pub use breaker::CircuitBreaker;
pub use calendar::Calendar;
pub use pace::Pace;
