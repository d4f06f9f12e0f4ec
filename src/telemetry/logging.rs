//! Log lines as JSON on standard error: constant messages, values as fields, nothing personal.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging for the process. `level` is a filter such as `info` or `watashi=debug`; an
/// unreadable one falls back to `info`. Libraries speak from `warn` up only: they do not know
/// what is personal.
pub fn start(level: &str) {
    let filter = EnvFilter::try_new(format!("warn,watashi={level}"))
        .unwrap_or_else(|_| EnvFilter::new("warn,watashi=info"));
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_writer(std::io::stderr);
    // A second start (tests) keeps the first subscriber.
    let _already_started = tracing_subscriber::registry().with(filter).with(lines).try_init();
}
