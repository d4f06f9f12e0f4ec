//! The keys of `adapter.yaml` and of the lists beside it.

use super::Then;
use crate::diagnostic::keys::{File, Form, Key, Keys};

pub mod auth;
pub mod callback;
pub mod file;
pub mod hours;
pub mod people;
pub mod reconcile;
pub mod scan;
pub mod signature;

/// `adapters/<name>/adapter.yaml`.
pub static ADAPTER_FILE: File = File {
    name: "adapter",
    title: "An adapter of Watashi (adapters/<name>/adapter.yaml)",
    root: Form::Map(&ADAPTER),
};

/// `adapters/<name>/<list>.yaml`.
pub static PERMISSIONS_FILE: File = File {
    name: "permissions",
    title: "照会許可用照合リスト: what may be asked (adapters/<name>/<list>.yaml)",
    root: Form::Map(&PERMISSIONS),
};

const SCHEMA_ID: Form = Form::Pattern("^[a-z0-9-]+/[a-z0-9-]+@[1-9][0-9]*$");
const TITLE: Form = Form::Either(&[Form::Text, Form::Map(&TITLES)]);
const FIELD: Form = Form::Text;
const DAY: Form = Form::Pattern("^[0-9]{4}-[0-9]{2}-[0-9]{2}$");
const WIRE_PATH: Form = Form::Pattern("^/");
const OUTCOMES: Form = Form::List(&Form::Map(&LINE));

const ITEM_OUTCOMES: &str = "As `outcomes`, without `status`, judged on one item.";
const OUTCOMES_DOC: &str = "What its answers mean; the first line that matches decides, what \
                            matches none is unknown.";

pub(super) static ADAPTER: Keys = Keys::new(
    "adapter",
    "an adapter",
    "How to talk to a counterpart, what its answers mean, and which messages go there.",
    &[
        Key::new("adapter", Form::Text, "Its name, which is its folder's.").required(),
        Key::new("title", TITLE, "For people."),
        Key::new("provisional", Form::Flag, "Layouts are not public; to be confirmed.")
            .default("false"),
        Key::new("auth", auth::AUTH, "Who we are, beside the client certificate."),
        Key::new("limits", Form::Map(&LIMITS), "How much at once."),
        Key::new("retry", Form::Map(&RETRY), "When something is tried again."),
        Key::new("breaker", Form::Map(&BREAKER), "When it is left alone."),
        Key::new("hours", Form::Map(&hours::HOURS), "When it is open; without it: always."),
        Key::new("availability", Form::Map(&hours::AVAILABILITY), "Asking whether it is open."),
        Key::new(
            "reasons",
            Form::Names(&Form::Map(&REASON)),
            "Its own names for why something did not go on; outcome lines give them.",
        ),
        Key::new("operations", Form::Names(&Form::Map(&OPERATION)), "What the counterpart offers.")
            .required(),
        Key::new(
            "routes",
            Form::Names(&Form::Map(&ROUTE)),
            "Which messages go or come from there.",
        ),
        Key::new(
            "reconcile",
            Form::Names(&Form::Map(&reconcile::RECONCILE)),
            "What it holds, compared with what we hold.",
        ),
    ],
);

pub(super) static TITLES: Keys = Keys::new(
    "titles",
    "a title",
    "A title in two languages.",
    &[Key::new("ja", Form::Text, "Japanese."), Key::new("en", Form::Text, "English.")],
);

pub(super) static REASON: Keys = Keys::new(
    "reason",
    "a reason",
    "Why something did not go on; `watashi explain NAME` shows it.",
    &[
        Key::new("title", TITLE, "In a few words.").required(),
        Key::new("remedy", Form::Text, "What to do, as an instruction to who must act.").required(),
    ],
);

pub(super) static LIMITS: Keys = Keys::new(
    "limits",
    "limits",
    "How much at once.",
    &[
        Key::new("concurrency", Form::Count(1, 1_024), "Requests under way at once.").default("16"),
        Key::new("rate-per-second", Form::Count(0, 100_000), "Requests started; 0: no limit.")
            .default("0"),
        Key::new("max-response-bytes", Form::Count(1, 100 << 20), "A longer answer is not read.")
            .default("1048576"),
        Key::new("timeout", Form::Duration, "One request, connect to last byte.").default("10s"),
    ],
);

pub(super) static RETRY: Keys = Keys::new(
    "retry",
    "retry",
    "When something is tried again.",
    &[
        Key::new("first", Form::Duration, "The first delay.").default("1s"),
        Key::new("max", Form::Duration, "The longest delay.").default("5m"),
        Key::new("max-attempts", Form::Count(1, 10_000), "Attempts altogether.").default("20"),
        Key::new("max-age", Form::Duration, "Age of the message after which it is over.")
            .default("24h"),
        Key::new("max-retry-after", Form::Duration, "The longest `Retry-After` that is believed.")
            .default("1h"),
        Key::new(
            "definitions",
            Form::Words(&["accepted", "current"]),
            "Definitions another try goes by: those the message was accepted under, or those in force.",
        )
        .default("accepted"),
    ],
);

pub(super) static BREAKER: Keys = Keys::new(
    "breaker",
    "breaker",
    "When the counterpart is left alone.",
    &[
        Key::new("failures", Form::Count(0, 100_000), "Failures in a row; 0: never.").default("20"),
        Key::new(
            "failure-rate",
            Form::Count(0, 100),
            "Failures in percent of the last 50 requests; 0: never.",
        )
        .default("0"),
        Key::new("open-for", Form::Duration, "Then one probe; doubled when it fails.")
            .default("30s"),
        Key::new("open-max", Form::Duration, "The longest time without a probe.").default("5m"),
    ],
);

const REQUEST_DOC: &str = "The submit, the only request, or of a pull: get one by its id.";
const RESPONSE_DOC: &str = "How its answers are laid out: `oneOf` the good one and the error.";

pub(super) static OPERATION: Keys = Keys::new(
    "operation",
    "an operation",
    "One thing the counterpart offers.",
    &[
        Key::new("title", TITLE, "For people."),
        Key::new(
            "interaction",
            Form::Words(&[
                "request-reply",
                "submit-poll",
                "pull",
                "file-out",
                "file-in",
                "push-in",
            ]),
            "The answer decides; a receipt first and the result later; we list and fetch; files; \
             the counterpart calls us.",
        )
        .required(),
        Key::new(
            "unknown",
            Form::Words(&["resend", "ask", "person"]),
            "What to do when the answer was lost.",
        )
        .default("person"),
        Key::new("every", Form::Duration, "Of a pull or file-in: how often.").default("60s"),
        Key::new("list", Form::Map(&LIST), "Of a pull: what there is to fetch."),
        Key::new("request", Form::Map(&REQUEST), REQUEST_DOC),
        Key::new("place", Form::Text, "Of files: a place of `watashi.toml`."),
        Key::new("files", file::FILES, "Of files: their names and what they hold."),
        Key::new("gather", Form::Map(&file::GATHER), "Of file-out: when a set is written."),
        Key::new("results", Form::Text, "Of file-out: the file-in that reads its results."),
        Key::new("settles", Form::Map(&file::SETTLES), "Of file-in: its records are results."),
        Key::new("expect", Form::Map(&file::EXPECT), "Of file-in: when one should be there."),
        Key::new(
            "idempotency",
            Form::Map(&IDEMPOTENCY),
            "How long the counterpart knows a key; without it: as long as it matters.",
        ),
        Key::new(
            "retry",
            Form::Map(&OPERATION_RETRY),
            "What is otherwise than in `retry` of the adapter.",
        ),
        Key::new("batch", Form::Map(&BATCH), "Several messages in one JSON array."),
        Key::new("items", Form::Map(&ITEMS), "Of a batch: per-item results in its own answer."),
        Key::new("item-outcomes", OUTCOMES, ITEM_OUTCOMES),
        Key::new("response", Form::Map(&RESPONSE), RESPONSE_DOC),
        Key::new("outcomes", OUTCOMES, OUTCOMES_DOC),
        Key::new("poll", Form::Map(&POLL), "Of submit-poll: asking for the result."),
        Key::new("fetch", Form::Map(&FETCH), "Gets the result document after `ready`."),
        Key::new("ask", Form::Map(&ASK), "Whether a submit whose answer was lost was applied."),
        Key::new("signature", Form::Map(&signature::SIGNATURE), "Of a pull: who must have signed."),
        scan::KEY,
        Key::new("type", Form::Text, "Of a pull or file-in: the message type of what comes."),
        Key::new(
            "callback",
            Form::Map(&callback::CALLBACK),
            "Of push-in: where and how we are called.",
        ),
        Key::new(
            "completes",
            Form::Text,
            "Of push-in: the operation whose result the notice tells of.",
        ),
        Key::new("ticket", FIELD, "Of push-in with `completes`: path of the ticket in the notice."),
        Key::new(
            "message",
            Form::Map(&callback::MESSAGE),
            "Of push-in: the notice is a message of its own.",
        ),
    ],
);

/// Whether an operation may have this key, in whichever interaction.
pub(super) fn is_of_operation(key: &str) -> bool {
    OPERATION.keys.iter().any(|known| known.name == key)
}

pub(super) static OPERATION_RETRY: Keys = Keys::new(
    "operation-retry",
    "retry",
    "What is otherwise for this operation.",
    &[Key::new("max-age", Form::Duration, "Age of the message after which it is over.").required()],
);

pub(super) static IDEMPOTENCY: Keys = Keys::new(
    "idempotency",
    "idempotency",
    "How long the counterpart knows a key.",
    &[
        Key::new("retention", Form::Duration, "Counted from the first attempt.").required(),
        Key::new(
            "afterwards",
            Form::Words(&["person"]),
            "Needed when it ends before `retry.max-age`: from then on a person resolves a lost answer.",
        ),
    ],
);

pub(super) static REQUEST: Keys = Keys::new(
    "request",
    "a request",
    "What is sent.",
    &[
        Key::new("method", Form::Words(&["GET", "POST", "PUT", "DELETE"]), "HTTP method.")
            .default("POST"),
        Key::new(
            "path",
            WIRE_PATH,
            "Path on the counterpart's host; {ticket}, {id}, {idempotency-key} are filled in.",
        )
        .required(),
        Key::new(
            "format",
            Form::Words(&["json", "xml", "csv", "fixed", "none"]),
            "How the body is laid out; none: no body.",
        )
        .default("json"),
        Key::new("schema", SCHEMA_ID, "Of one message's body."),
        Key::new(
            "mapping",
            Form::Text,
            "Only for poll, fetch, ask (from watashi/ticket@1) and list (from watashi/cursor@1).",
        ),
        Key::new("scope", Form::Text, "The scope of its token, instead of that of `auth`."),
        Key::new("audience", Form::Text, "Whom its token is for, instead of that of `auth`."),
        Key::new("idempotency-header", Form::Text, "The header that carries the key."),
        Key::new("headers", Form::Names(&Form::Text), "Fixed headers."),
        Key::new(
            "characters",
            Form::Map(&CHARACTERS),
            "What the counterpart knows, for the routes that lead here.",
        ),
    ],
);

pub(super) static CHARACTERS: Keys = Keys::new(
    "characters",
    "characters",
    "Which characters the receiver knows, and what becomes of others; nothing is silent.",
    &[
        Key::new(
            "repertoire",
            Form::Text,
            "cp932, jisx0208, jisx0213, unicode-bmp, unicode, or a file of mappings/repertoires.",
        )
        .required(),
        Key::new(
            "on-unmappable",
            Form::Words(&["reject", "table", "mark"]),
            "Refuse the message, write a table's substitute, or write a mark.",
        )
        .default("reject"),
        Key::new("table", Form::Text, "A shared code table of substitutes."),
        Key::new("mark", Form::Text, "One character for those without substitute.").default("〓"),
    ],
);

pub(super) static RESPONSE: Keys = Keys::new(
    "response",
    "a response",
    "How answers are laid out.",
    &[
        Key::new("format", Form::Words(&["json", "xml", "csv", "fixed"]), "Layout of the body.")
            .default("json"),
        Key::new("schema", SCHEMA_ID, "Every answer that counts is valid under it.").required(),
    ],
);

pub(super) static BATCH: Keys = Keys::new(
    "batch",
    "a batch",
    "Several messages in one JSON array.",
    &[
        Key::new("max-items", Form::Count(1, 10_000), "Most messages.").default("100"),
        Key::new("max-bytes", Form::Count(1, 100 << 20), "Most bytes.").default("1000000"),
        Key::new("max-wait", Form::Duration, "How long one waits for others.").default("50ms"),
        Key::new("wrap", Form::Words(&["array"]), "array.").default("array"),
    ],
);

pub(super) static POLL: Keys = Keys::new(
    "poll",
    "a poll",
    "Asking for the result.",
    &[
        Key::new("every", Form::Duration, "How often.").default("2s"),
        Key::new("request", Form::Map(&REQUEST), "What asks.").required(),
        Key::new("response", Form::Map(&RESPONSE), RESPONSE_DOC),
        Key::new("outcomes", OUTCOMES, OUTCOMES_DOC).required(),
        Key::new("items", Form::Map(&ITEMS), "Where per-item results are; needed with `batch`."),
        Key::new("item-outcomes", OUTCOMES, ITEM_OUTCOMES),
    ],
);

pub(super) static ITEMS: Keys = Keys::new(
    "items",
    "items",
    "Where per-item results are.",
    &[
        Key::new("path", FIELD, "Path of their array in the answer.").required(),
        Key::new("key", FIELD, "Member that holds the item's number in the request, from 1.")
            .required(),
    ],
);

pub(super) static FETCH: Keys = Keys::new(
    "fetch",
    "a fetch",
    "Gets the result document.",
    &[
        Key::new("request", Form::Map(&REQUEST), "What fetches.").required(),
        Key::new("response", Form::Map(&RESPONSE), RESPONSE_DOC),
        Key::new("outcomes", OUTCOMES, OUTCOMES_DOC).required(),
    ],
);

pub(super) static ASK: Keys = Keys::new(
    "ask",
    "ask",
    "Whether a submit whose answer was lost was applied.",
    &[
        Key::new("settle-after", Form::Duration, "How long it may still be at work.").required(),
        Key::new("request", Form::Map(&REQUEST), "What asks.").required(),
        Key::new("response", Form::Map(&RESPONSE), RESPONSE_DOC),
        Key::new("outcomes", OUTCOMES, OUTCOMES_DOC).required(),
    ],
);

pub(super) static LIST: Keys = Keys::new(
    "list",
    "a list",
    "What there is to fetch.",
    &[
        Key::new("request", Form::Map(&REQUEST), "What lists.").required(),
        Key::new("response", Form::Map(&RESPONSE), RESPONSE_DOC),
        Key::new("outcomes", OUTCOMES, OUTCOMES_DOC).required(),
        Key::new("items", FIELD, "Path of the list in the answer.").required(),
        Key::new("id", FIELD, "Member of an item that is its id.").required(),
        Key::new("more", FIELD, "A flag that says another page follows."),
    ],
);

pub(super) static LINE: Keys = Keys::new(
    "outcome",
    "a line",
    "One line of an outcome table.",
    &[
        Key::new(
            "status",
            Form::Either(&[Form::Count(100, 599), Form::List(&Form::Count(100, 599))]),
            "HTTP status; none: any.",
        ),
        Key::new(
            "when",
            Form::Text,
            "A condition on the decoded answer; `$request` is what was submitted.",
        ),
        Key::new("then", Form::Words(&Then::WORDS), "What such an answer means.").required(),
        Key::new("ticket", FIELD, "What the result is asked for with; needed with accepted."),
        Key::new("reference", FIELD, "処理通番, 受付番号 for the record."),
        Key::new("detail", FIELD, "The counterpart's error code."),
        Key::new("reason", Form::Text, "One of the adapter's `reasons`: why it does not go on."),
        Key::new("until", FIELD, "With closed: when it opens again."),
        Key::new("refresh-credentials", Form::Flag, "Get a new token before the next attempt.")
            .default("false"),
        Key::new("undecoded", Form::Flag, "Match by status alone.").default("false"),
    ],
);

/// The values of `record.kind`.
pub(super) const RECORD_KINDS: [&str; 6] = ["求め", "提供", "取得", "送付", "通知", "受領"];

pub(super) static ROUTE: Keys = Keys {
    one_of: &["operation", "publish"],
    ..Keys::new(
        "route",
        "a route",
        "Leads messages of some types to an operation, or what was pulled to upstream.",
        &[
            Key::new(
                "on",
                Form::Either(&[Form::Text, Form::List(&Form::Text)]),
                "Message types it takes.",
            )
            .required(),
            Key::new("when", Form::Text, "A condition on the source document.").default("always"),
            Key::new("operation", Form::Text, "Where it leads."),
            Key::new("publish", Form::Text, "An inbound route: the type under which it goes on."),
            Key::new("mapping", Form::Text, "The mapping.").required(),
            Key::new(
                "ordering-key",
                Form::Either(&[FIELD, Form::Null]),
                "Path: messages with the same value keep their order; null: no order.",
            ),
            Key::new(
                "when-stuck",
                Form::Words(&["block", "supersede"]),
                "Older messages with the same ordering key go first, or are given up for a newer full state.",
            )
            .default("block"),
            Key::new(
                "deadline",
                Form::Duration,
                "Counted from acceptance; after it the message is over, whatever it waits for.",
            ),
            Key::new("active-from", DAY, "First day in Japan on which it takes messages."),
            Key::new("active-to", DAY, "Last day; what was accepted until then still goes."),
            Key::new("subject", FIELD, "Path: whom it is about."),
            Key::new("municipality", FIELD, "Path: must be one of gateway.municipalities."),
            Key::new(
                "admits",
                Form::List(&Form::Words(crate::schema::shape::CLASSES)),
                "Data classes beyond 個人情報 that may go there, each named.",
            ),
            Key::new("record", Form::Map(&RECORD), "What the record says of it."),
            Key::new("basis", Form::Map(&BASIS), "Legal frame."),
            Key::new("permit", Form::Map(&PERMIT), "照会許可用照合リスト."),
            Key::new("reply", Form::Map(&REPLY), "What goes back to upstream."),
            Key::new(
                "approval",
                Form::Map(&people::APPROVAL),
                "A second person must agree before it is sent.",
            ),
            Key::new("demand", Form::Map(&people::DEMAND), "With publish: a person must answer it."),
            Key::new(
                "remembers",
                Form::Map(&people::PAIR),
                "Of what is sent: a value that may come back; a keyed digest of it is kept.",
            ),
            Key::new(
                "compares",
                Form::Map(&people::PAIR),
                "Of what came: a value that must be the one last sent for its key.",
            ),
            Key::new(
                "characters",
                Form::Map(&CHARACTERS),
                "What the receiver knows; instead of the operation's own.",
            ),
        ],
    )
};

pub(super) static RECORD: Keys = Keys::new(
    "record",
    "record",
    "What the record says of it.",
    &[
        Key::new("kind", Form::Words(&RECORD_KINDS), "Kind of the entry.").required(),
        Key::new("items-from", Form::Words(&["mapping"]), "Items are derived from the mapping."),
        Key::new("not-disclosed", FIELD, "Path of the 不開示 flag."),
    ],
);

pub(super) static BASIS: Keys = Keys::new(
    "basis",
    "basis",
    "Legal frame; with `record` needed for 特定個人情報 and 個人番号.",
    &[
        Key::new("law", Form::Scalar, "The law and its article.").required(),
        Key::new("table-item", Form::Scalar, "Item of its table."),
        Key::new("affair", Form::Scalar, "事務."),
        Key::new("procedure", Form::Scalar, "事務手続."),
        Key::new("inquirer", Form::Scalar, "情報照会者."),
        Key::new("provider", Form::Scalar, "情報提供者."),
        Key::new("information", Form::Scalar, "特定個人情報."),
    ],
);

pub(super) static PERMIT: Keys = Keys::new(
    "permit",
    "permit",
    "Checked before sending; all but `list` are paths in the outgoing document.",
    &[
        Key::new("list", Form::Text, "A file <list>.yaml in this folder.").required(),
        Key::new("inquirer", FIELD, "情報照会者.").required(),
        Key::new("affair", FIELD, "事務.").required(),
        Key::new("procedure", FIELD, "事務手続."),
        Key::new("provider", FIELD, "情報提供者.").required(),
        Key::new("information", FIELD, "特定個人情報.").required(),
    ],
);

pub(super) static REPLY: Keys = Keys::new(
    "reply",
    "reply",
    "The final answer, mapped, goes to upstream.",
    &[
        Key::new("type", Form::Text, "Message type, unless the message has a reply-to.").required(),
        Key::new("mapping", Form::Text, "From the answer to what upstream gets.").required(),
        Key::new(
            "by-hand",
            Form::Map(&people::BY_HAND),
            "Staff may give the answer of what was refused or lost.",
        ),
    ],
);

pub(super) static PERMISSIONS: Keys = Keys::new(
    "permissions",
    "a list of permissions",
    "What may be asked.",
    &[Key::new("permissions", Form::List(&Form::Map(&PERMISSION)), "The lines.").required()],
);

pub(super) static PERMISSION: Keys = Keys::new(
    "permission",
    "a permission",
    "One line: all that is named must be equal; `*` at the end stands for any rest.",
    &[
        Key::new("note", Form::Text, "For people."),
        Key::new("inquirer", Form::Text, "情報照会者.").required(),
        Key::new("affair", Form::Text, "事務.").required(),
        Key::new("procedure", Form::Text, "事務手続."),
        Key::new("provider", Form::Text, "情報提供者.").required(),
        Key::new("information", Form::Text, "特定個人情報.").required(),
        Key::new("valid-from", DAY, "First day in Japan on which it may be asked for."),
        Key::new("valid-to", DAY, "Last day."),
    ],
);
