//! The keys of `watashi.toml`.

use crate::adapter::keys::hours::WINDOW;
use crate::diagnostic::keys::{File, Form, Key, Keys};

/// `watashi.toml`.
pub static CONFIG_FILE: File = File {
    name: "watashi",
    title: "The configuration of Watashi (watashi.toml)",
    root: Form::Map(&CONFIG),
};

const REFERENCE: &str = "A reference: file:PATH, env:NAME.";

pub(super) static CONFIG: Keys = Keys::new(
    "config",
    "watashi.toml",
    "Everything that differs per environment.",
    &[
        Key::new("gateway", Form::Map(&GATEWAY), "This gateway.").required(),
        Key::new("definitions", Form::Map(&DEFINITIONS), "Where the definitions are."),
        Key::new("routes", Form::Map(&ROUTES), "Which routes new messages take."),
        Key::new("store", Form::Map(&STORE), "The database."),
        Key::new("retention", Form::Map(&RETENTION), "How long what is kept after its end."),
        Key::new("record", Form::Map(&RECORD), "Signing and exporting the record."),
        Key::new("keys", Form::Map(&KEYS), "Sealing keys, the oldest first.").required(),
        Key::new("amqp", Form::Map(&AMQP), "The broker; without it none is used."),
        Key::new("ingest", Form::Map(&INGEST), "HTTPS ingest; without it there is none."),
        Key::new(
            "callbacks",
            Form::Map(&CALLBACKS),
            "Where counterparts call us; without it they cannot.",
        ),
        Key::new(
            "scanner",
            Form::Map(&SCANNER),
            "What looks for malware in what comes; without it nothing that must be scanned is taken.",
        ),
        Key::new("ops", Form::Map(&OPS), "Health, metrics and operators' acts."),
        Key::new("counterpart", Form::Names(&Form::Map(&COUNTERPART)), "Counterparts by adapter."),
    ],
);

pub(super) static GATEWAY: Keys = Keys::new(
    "gateway",
    "[gateway]",
    "This gateway.",
    &[
        Key::new("name", Form::Text, "Names this gateway to people.").default("watashi"),
        Key::new(
            "municipalities",
            Form::List(&Form::Pattern("^[0-9]{6}$")),
            "団体コード served, 6 digits with a valid check digit; messages of others are refused.",
        )
        .required(),
        Key::new(
            "formerly",
            Form::List(&Form::Pattern("^[0-9]{6}$")),
            "団体コード that the store belonged to before a merger or a change of code: it is theirs no more from the next start.",
        ),
        Key::new("max-body", Form::Count(1_024, 100 << 20), "Largest message body, bytes.")
            .default("2097152"),
        Key::new("drain", Form::Duration, "How long a stop waits for requests under way.")
            .default("20s"),
        Key::new("log", Form::Words(&LOG_LEVELS), "Watashi's own log level.").default("info"),
    ],
);

/// The levels of `gateway.log`.
pub(super) const LOG_LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

pub(super) static DEFINITIONS: Keys = Keys::new(
    "definitions",
    "[definitions]",
    "Where the definitions are.",
    &[Key::new("folder", Form::Text, "Holds adapters/, schemas/ and mappings/.").default(".")],
);

pub(super) static ROUTES: Keys = Keys::new(
    "routes",
    "[routes]",
    "Which routes new messages take.",
    &[Key::new("enabled", Form::List(&Form::Text), "Names of routes; \"*\" stands for all.")
        .required()],
);

pub(super) static STORE: Keys = Keys::new(
    "store",
    "[store]",
    "The database.",
    &[
        Key::new("path", Form::Text, "The SQLite file; its folder must exist.")
            .default("watashi.db"),
        Key::new(
            "max-bytes",
            Form::Count(0, u64::MAX >> 1),
            "SQLite: accept nothing beyond this size; 0: no limit.",
        )
        .default("0"),
        Key::new(
            "url",
            Form::Text,
            "A reference to postgresql://user:password@host:port/database, instead of `path`: \
             several instances may share it.",
        ),
        Key::new(
            "ca",
            Form::Text,
            "A reference to PEM: the only authority trusted for PostgreSQL; needed but on this machine.",
        ),
        Key::new("client-certificate", Form::Text, "A reference to ours for PostgreSQL, PEM."),
        Key::new("client-key", Form::Text, "A reference to its key, PEM."),
        Key::new(
            "connections",
            Form::Count(2, 64),
            "Connections to PostgreSQL that read, beside one that writes and one that keeps the lease.",
        )
        .default("4"),
        Key::new(
            "lease",
            Form::Duration,
            "After so long without a word from it, others take over what an instance had under way; \
             longer than every counterpart's `timeout`.",
        )
        .default("60s"),
        Key::new(
            "max-backlog",
            Form::Count(1, 100_000_000),
            "Exchanges not yet ended of one counterpart, beyond which nothing new is taken.",
        )
        .default("100000"),
    ],
);

pub(super) static RETENTION: Keys = Keys::new(
    "retention",
    "[retention]",
    "How long what is kept after its end; unfinished exchanges keep all of theirs. The record is not purged by this.",
    &[
        Key::new("bodies-days", Form::Count(1, 36_500), "Original bodies; a replay needs them.")
            .default("90"),
        Key::new(
            "answers-days",
            Form::Count(1, 36_500),
            "Answers that upstream has taken; a repeated message is answered from them.",
        )
        .default("90"),
        Key::new(
            "messages-days",
            Form::Count(1, 36_500),
            "Ids of messages, exchanges, attempts: after it a repeated message is a new one.",
        )
        .default("2557"),
    ],
);

pub(super) static RECORD: Keys = Keys::new(
    "record",
    "[record]",
    "Signing and exporting the record.",
    &[
        Key::new(
            "signing-key",
            Form::Text,
            "A reference to the key that signs checkpoints; without it one is made beside the store.",
        ),
        Key::new(
            "next-signing-key",
            Form::Text,
            "A reference to the key that takes its place at `next-from`; it has the same name.",
        ),
        Key::new(
            "next-from",
            Form::Text,
            "From when: a day in Japan (2027-04-01), or an instant with its offset.",
        ),
        Key::new(
            "export",
            Form::Text,
            "The folder, off this machine, for checkpoints and segments; it must exist.",
        ),
        Key::new("grace", Form::Duration, "How long entries may be unsealed before sending stops.")
            .default("4h"),
        Key::new(
            "retention-years",
            Form::Count(1, 100),
            "Whole years, from April, that are kept; verify the period with your legal office.",
        )
        .default("7"),
    ],
);

static KEYS: Keys = Keys {
    rest: Some(&Form::Text),
    ..Keys::new(
        "keys",
        "[keys]",
        "Every other key names a sealing key: a reference to 32 bytes in base64, oldest first.",
        &[Key::new("current", Form::Text, "The key that new bodies are sealed with.").required()],
    )
};

pub(super) static AMQP: Keys = Keys::new(
    "amqp",
    "[amqp]",
    "The broker.",
    &[
        Key::new("url", Form::Text, "A reference to amqps://user:password@host:port/vhost.")
            .required(),
        Key::new("ca", Form::Text, "A reference to PEM: the only authority trusted."),
        Key::new("client-certificate", Form::Text, "A reference to PEM: shown to the broker."),
        Key::new("client-key", Form::Text, "A reference to its key, PEM."),
        Key::new("prefetch", Form::Count(1, 10_000), "Deliveries taken ahead per queue.")
            .default("512"),
    ],
);

pub(super) static INGEST: Keys = Keys::new(
    "ingest",
    "[ingest]",
    "HTTPS ingest; at least one of `client-ca` and `tokens` is needed.",
    &[
        Key::new("listen", Form::Text, "IP:PORT.").required(),
        Key::new("certificate", Form::Text, "A reference to our certificate, PEM.").required(),
        Key::new("key", Form::Text, "A reference to our key, PEM.").required(),
        Key::new("client-ca", Form::Text, "A reference: clients show a certificate of it."),
        Key::new(
            "tokens",
            Form::Either(&[Form::Names(&Form::Text), Form::List(&Form::Text)]),
            "References to bearer tokens; the name becomes the source.",
        ),
    ],
);

pub(super) static CALLBACKS: Keys = Keys::new(
    "callbacks",
    "[callbacks]",
    "Where counterparts call us (`push-in`). Clients always show a certificate; whose stands in `[counterpart.NAME.callback]`.",
    &[
        Key::new("listen", Form::Text, "IP:PORT; no other listener's.").required(),
        Key::new("certificate", Form::Text, "A reference to our certificate, PEM.").required(),
        Key::new("key", Form::Text, "A reference to our key, PEM.").required(),
        Key::new("concurrency", Form::Count(1, 1_024), "Notices under way at once.").default("32"),
    ],
);

pub(super) static CALLER: Keys = Keys::new(
    "caller",
    "a callback",
    "Who a counterpart is when it calls us.",
    &[
        Key::new("client-ca", Form::Text, "A reference to PEM: the authority of its certificate.")
            .required(),
        Key::new(
            "subjects",
            Form::List(&Form::Text),
            "Common names, DNS names, or sha256:HEX of its certificates.",
        )
        .required(),
        Key::new("token", Form::Text, "A reference to the bearer token it shows."),
        Key::new("hmac-key", Form::Text, "A reference to the key it signs bodies with."),
    ],
);

pub(super) static SCANNER: Keys = Keys {
    one_of: &["socket", "address"],
    ..Keys::new(
        "scanner",
        "[scanner]",
        "A clamd on this machine; exactly one of `socket` and `address`.",
        &[
            Key::new("socket", Form::Text, "Its Unix socket, such as /run/clamav/clamd.ctl."),
            Key::new("address", Form::Text, "IP:PORT of the loopback."),
            Key::new(
                "max-bytes",
                Form::Count(1_024, 1 << 30),
                "Largest content that is sent; not above `StreamMaxLength` of clamd.conf.",
            )
            .default("26214400"),
            Key::new("timeout", Form::Duration, "Longest time for one content; at most 10m.")
                .default("60s"),
            Key::new("connections", Form::Count(1, 64), "Contents under way at once.").default("4"),
        ],
    )
};

pub(super) static OPS: Keys = Keys::new(
    "ops",
    "[ops]",
    "Health, metrics and operators' acts.",
    &[
        Key::new("listen", Form::Text, "IP:PORT; off the loopback only with `token`.")
            .default("127.0.0.1:9470"),
        Key::new("token", Form::Text, REFERENCE),
    ],
);

pub(super) static COUNTERPART: Keys = Keys::new(
    "counterpart",
    "a counterpart",
    "Where a counterpart is and how we prove who we are.",
    &[
        Key::new(
            "base-url",
            Form::Pattern("^https://"),
            "https://host[:port][/path]; not needed where only files lead there.",
        ),
        Key::new("ca", Form::Text, "A reference to PEM: the only authority trusted."),
        Key::new("client-certificate", Form::Text, "A reference to ours, PEM."),
        Key::new("client-key", Form::Text, "A reference to its key, PEM."),
        Key::new("client-id", Form::Text, "Our id there."),
        Key::new("client-secret", Form::Text, REFERENCE),
        Key::new(
            "addresses",
            Form::List(&Form::Text),
            "Addresses and networks the host may lead to; an empty list allows any public one.",
        ),
        Key::new("callback", Form::Map(&CALLER), "Who it is when it calls us."),
        Key::new("place", Form::Names(&PLACE), "Where its files are kept, by name."),
        Key::new("trust", Form::Names(&Form::Map(&TRUST)), "Who may have signed, by name."),
        Key::new("timeout", Form::Duration, "Instead of the adapter's `limits.timeout`."),
        Key::new(
            "concurrency",
            Form::Count(1, 1_024),
            "Instead of the adapter's `limits.concurrency`.",
        ),
        Key::new("retry-first", Form::Duration, "Instead of the adapter's `retry.first`."),
        Key::new("retry-max", Form::Duration, "Instead of the adapter's `retry.max`."),
        Key::new("poll-every", Form::Duration, "Instead of the operation's `every`."),
        Key::new("settle-after", Form::Duration, "Instead of the operation's `ask.settle-after`."),
        Key::new(
            "maintenance",
            Form::List(&Form::Map(&WINDOW)),
            "Planned, beside that of the adapter's `hours`.",
        ),
    ],
);

pub(super) static TRUST: Keys = Keys::new(
    "trust",
    "a trust store",
    "Authorities whose certificates are believed, and what they have revoked.",
    &[
        Key::new("authorities", Form::Text, "A reference to PEM: one or more certificates.")
            .required(),
        Key::new(
            "revocation-lists",
            Form::Text,
            "A folder of revocation lists, `*.crl`, DER or PEM; a changed one counts within seconds.",
        )
        .required(),
    ],
);

static PLACE: Form =
    Form::Either(&[Form::Map(&PLACE_FOLDER), Form::Map(&PLACE_S3), Form::Map(&PLACE_SFTP)]);

pub(super) static PLACE_FOLDER: Keys = Keys::new(
    "place-folder",
    "a place",
    "A folder of this machine, or mounted here.",
    &[
        Key::new("kind", Form::Words(&["folder"]), "folder.").required(),
        Key::new("path", Form::Text, "The folder; it must exist.").required(),
    ],
);

pub(super) static PLACE_S3: Keys = Keys::new(
    "place-s3",
    "a place",
    "A bucket of an S3-compatible object storage; the storage must know `If-None-Match`.",
    &[
        Key::new("kind", Form::Words(&["s3"]), "s3.").required(),
        Key::new("endpoint", Form::Pattern("^https://"), "https://host[:port].").required(),
        Key::new("ca", Form::Text, "A reference to PEM: the only authority trusted.").required(),
        Key::new("addresses", Form::List(&Form::Text), "As of a counterpart.").required(),
        Key::new("bucket", Form::Text, "The bucket, addressed path-style.").required(),
        Key::new("prefix", Form::Text, "What stands before every name."),
        Key::new("region", Form::Text, "Region that requests are signed for.").default("us-east-1"),
        Key::new("access-key", Form::Text, "Access key id.").required(),
        Key::new("secret-key", Form::Text, REFERENCE).required(),
    ],
);

pub(super) static PLACE_SFTP: Keys = Keys::new(
    "place-sftp",
    "a place",
    "A server reached by SFTP, through the system's OpenSSH.",
    &[
        Key::new("kind", Form::Words(&["sftp"]), "sftp.").required(),
        Key::new("host", Form::Text, "Host name or address.").required(),
        Key::new("port", Form::Count(1, 65_535), "Port.").default("22"),
        Key::new("user", Form::Text, "Login.").required(),
        Key::new("key", Form::Text, "File of the private key, readable by us only.").required(),
        Key::new("known-hosts", Form::Text, "File of the server's host keys; no other is trusted.")
            .required(),
        Key::new("path", Form::Text, "Folder there; none: where the login lands."),
    ],
);
