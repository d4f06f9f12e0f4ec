//! The register of metric names and log fields. A name is used nowhere before it stands here.

/// One metric and what it counts.
#[derive(Debug)]
pub struct Metric {
    /// Prometheus name.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// What it tells, with its unit.
    pub help: &'static str,
    /// Label names; values come from closed sets (routes, counterparts, codes, states).
    pub labels: &'static [&'static str],
}

macro_rules! metrics_register {
    ($($constant:ident = $name:literal, $kind:literal, [$($label:literal),*], $help:literal;)*) => {
        $(#[doc = $help] pub const $constant: &str = $name;)*
        /// Every metric, in order.
        pub const METRICS: &[Metric] = &[
            $(Metric { name: $name, kind: $kind, help: $help, labels: &[$($label),*] }),*
        ];
    };
}

metrics_register! {
    ACCEPTED = "watashi_accepted_total", "counter", ["source", "result"],
        "Messages made durable: result is new, duplicate, quarantined or dead";
    REFUSED = "watashi_ingest_refused_total", "counter", ["code"],
        "Messages refused at HTTP ingest; the sender still has them";
    SETTLED = "watashi_settled_total", "counter", ["route", "outcome"],
        "Settlements: outcome is delivered, dead, retry, waiting-result or unknown";
    DEAD = "watashi_dead_total", "counter", ["route", "stage", "code"],
        "Exchanges that became dead";
    REPLIES_REFUSED = "watashi_replies_refused_total", "counter", ["route"],
        "Answers that a reply mapping refused: the request was applied, and the answer is not what was asked for";
    ATTEMPT_SECONDS = "watashi_attempt_seconds", "histogram", ["counterpart", "operation"],
        "Time from the first byte of a request to its judged answer, in seconds";
    EXCHANGES = "watashi_exchanges", "gauge", ["route", "state"],
        "Exchanges by state, from the store";
    BACKLOG = "watashi_backlog", "gauge", ["counterpart"],
        "Exchanges not yet ended";
    APPROVALS = "watashi_approvals_waiting", "gauge", [],
        "Exchanges that wait for a second person";
    APPROVALS_OLDEST = "watashi_approvals_oldest_seconds", "gauge", [],
        "Age of the oldest of them; 0 without one";
    APPROVALS_EXPIRE = "watashi_approvals_expire_seconds", "gauge", [],
        "Time until the first of them expires; one year without one";
    DEMANDS = "watashi_demands_open", "gauge", [],
        "Demands of counterparts that have no answer";
    DEMANDS_DUE = "watashi_demands_due_seconds", "gauge", [],
        "Time until the first of them should be answered, below zero after that; one year without one";
    OUTBOX_PENDING = "watashi_outbox_pending", "gauge", [],
        "Answers waiting to be taken by upstream";
    BREAKER_OPEN = "watashi_breaker_open", "gauge", ["counterpart"],
        "1 while a counterpart is left alone after failures";
    BREAKER_OPENED = "watashi_breaker_opened_total", "counter", ["counterpart"],
        "Times a counterpart was left alone after failures, probes that failed included";
    CLOSED = "watashi_counterpart_closed", "gauge", ["counterpart"],
        "1 while a counterpart is closed by its hours or its own word";
    PUBLISHED = "watashi_published_total", "counter", ["result"],
        "Answers published to upstream: result is confirmed or failed";
    ACCEPTING = "watashi_accepting", "gauge", [],
        "1 while new messages are taken";
    STORE_HEALTHY = "watashi_store_healthy", "gauge", [],
        "1 while the store and with it the record can be written";
    RECORD_ENTRIES = "watashi_record_entries", "gauge", [],
        "Entries of the record";
    RECORD_UNSEALED_SECONDS = "watashi_record_unsealed_seconds", "gauge", [],
        "Age of the oldest entry that is not under a signed and, where that is configured, exported checkpoint";
    BROKER_CONNECTED = "watashi_broker_connected", "gauge", [],
        "1 while the broker is connected and consumed";
    CHARACTERS = "watashi_characters_total", "counter", ["route", "result"],
        "Characters outside of a route's repertoire: result is replaced, marked or refused";
    PULLED = "watashi_pulled_total", "counter", ["counterpart", "operation", "result"],
        "Items pulled: result is new, duplicate, failed or held (its signature or contents cannot be judged yet)";
    SCANS = "watashi_scans_total", "counter", ["counterpart", "operation", "result"],
        "Scans of what came, with the files in it: result is clean, found, refused (not looked into, too large, not decoded) or failed (waits)";
    CALLBACKS = "watashi_callbacks_total", "counter", ["counterpart", "operation", "result"],
        "Notices of counterparts: result is woken, settled, known, new or duplicate, or the code of a refusal";
    SETS = "watashi_file_sets_total", "counter", ["counterpart", "operation", "result"],
        "Sets of files: result is written, waits (a try that failed), conflict or taken-back";
    FILES_READ = "watashi_files_read_total", "counter", ["counterpart", "operation", "result"],
        "Files that were read: result is done or aside";
    FILE_RECORDS = "watashi_file_records_total", "counter", ["counterpart", "operation", "result"],
        "Records of files that were read: result is new, duplicate, dead, settled or unmatched";
    FILE_LATE = "watashi_file_late", "gauge", ["counterpart", "operation"],
        "1 while a file that is expected has not come";
    FILE_SHORT = "watashi_file_short", "gauge", ["counterpart", "operation"],
        "1 while the last file has far fewer records than usual";
    PURGED = "watashi_purged_total", "counter", ["what"],
        "Rows purged: what is bodies, answers or messages";
    OLDEST_BODY = "watashi_oldest_body_seconds", "gauge", [],
        "Age of the oldest message whose body is kept, as of the last purge";
    CERTIFICATE_EXPIRY = "watashi_certificate_expiry_seconds", "gauge", ["counterpart"],
        "Seconds until the client certificate expires";
}

/// Log fields an event may carry, with their meaning. `tests/fast` holds the code to this list.
pub const LOG_FIELDS: &[(&str, &str)] = &[
    ("stage", "station of the message"),
    ("code", "registered code"),
    ("message_id", "the sender's id"),
    ("message_type", "type of the message"),
    ("source", "who sent it"),
    ("route", "route name"),
    ("counterpart", "counterpart name"),
    ("operation", "operation name"),
    ("exchange", "row of the exchange"),
    ("attempt", "number of the attempt"),
    ("outcome", "what came of it"),
    ("status", "HTTP status"),
    ("detail", "safe text"),
    ("count", "a number of things"),
    ("due", "when it is tried again"),
    ("address", "a listening address"),
    ("bundle", "digest of the definitions"),
    ("section", "section of watashi.toml"),
    ("action", "what a person should do"),
    ("correlation_id", "the exchange this answers"),
    ("version", "version of the gateway"),
    ("queue", "broker queue"),
    ("seconds", "a duration"),
    ("row", "row in the store"),
    ("kind", "kind of thing, or of an error"),
];
