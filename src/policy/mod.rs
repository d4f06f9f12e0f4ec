//! Decisions without side effects: what to do next. Time and chance come in as arguments.

pub mod availability;
pub mod brake;
pub mod breaker;
pub mod calendar;
pub mod pace;
pub mod retry;
pub mod steadiness;
pub mod verdict;

pub use brake::Brake;
pub use breaker::CircuitBreaker;
pub use calendar::Calendar;
pub use pace::Pace;
pub use steadiness::Steadiness;
