//! Codes `A…`: adapter.yaml and its routes.
//!
//! 100 the file, 200 operations, 300 outcome tables, 400 routes, 500 files.

codes! {
    NAME_NOT_FOLDER = "A101", Configuration, "adapter name is not its folder's",
        "`adapter:` must repeat the name of the folder the file lies in, so that messages, metrics and paths agree.",
        "Rename one of the two.";
    BAD_VALUE = "A102", Configuration, "value not allowed",
        "A setting has a value outside of what is allowed; the message lists what is.",
        "Use one of the allowed values.";
    BAD_DURATION = "A103", Configuration, "not a duration",
        "Durations are a whole number with a unit: `500ms`, `2s`, `5m`, `24h`, `7d`.",
        "Write the duration with its unit.";
    DUPLICATE_ADAPTER = "A104", Configuration, "two adapters of one name",
        "Two folders declare the same adapter.",
        "Rename or remove one.";
    BAD_HOURS = "A105", Configuration, "not a time",
        "Hours are `HH:MM-HH:MM` in Japan's time, up to `24:00`, each ending after it begins and in order without overlaps; days are `2026-12-29`; maintenance runs from `2026-12-05T22:00` to a later time.",
        "Write the time in that form; hours over midnight are two, one for each day.";
    NEVER_OPEN = "A106", Configuration, "never open",
        "No time of these hours is long enough for a request with its `limits.timeout`: a request is not begun when it could reach past closing.",
        "Correct the hours, or shorten the timeout.";
    WINDOWS_OVERLAP = "A107", Configuration, "windows of maintenance overlap",
        "Two windows of maintenance share some time. Nothing is sent in either; one of them may be a mistake.",
        "Join them, or correct one.";
    UNKNOWN_CALENDAR = "A108", Configuration, "unknown calendar",
        "`hours.calendar` names no file of `adapters/calendars/`.",
        "Check the spelling; add the file.";
    UNKNOWN_SCHEMA = "A201", Configuration, "unknown schema",
        "No schema of that id is loaded. The id follows from the path: `schemas/town/person/1.schema.json` is `town/person@1`.",
        "Check the spelling; add the schema file.";
    BLOCK_MISSING = "A202", Configuration, "block missing for this interaction",
        "submit-poll needs `poll:`, pull needs `list:`, `every:` and `type:`, file-out and file-in need `place:` and `files:`, `unknown: ask` needs `ask:`.",
        "Add the block.";
    BLOCK_UNUSED = "A203", Configuration, "block not used by this interaction",
        "The block has no meaning for the interaction of this operation.",
        "Remove it, or correct `interaction:`.";
    BAD_PATH = "A204", Configuration, "path not allowed",
        "A path starts with `/`, has no scheme, host, `..` or query of its own, and only the placeholders {ticket}, {id}, {idempotency-key}.",
        "Correct the path; hosts belong into `watashi.toml`.";
    UNKNOWN_MAPPING = "A205", Configuration, "unknown mapping",
        "No mapping of that name is loaded.",
        "Check the spelling; add `mappings/<name>/mapping.yaml`.";
    MAPPING_DOES_NOT_FIT = "A206", Configuration, "mapping does not fit",
        "The mapping's `from` or `to` is not the schema this place needs.",
        "Use a mapping between the schemas that the message names.";
    BATCH_NEEDS_JSON = "A207", Configuration, "batch not possible",
        "Batches are JSON arrays: the request format must be json, and a submit-poll operation needs `poll.items` to tell the items apart.",
        "Change the format, or remove `batch:`.";
    BAD_HEADER_NAME = "A208", Configuration, "header not allowed",
        "A header name or value has characters that are not allowed, or is one that Watashi sets itself.",
        "Correct or remove it.";
    BAD_FIELD_PATH = "A209", Configuration, "not a path into a document",
        "A path is names joined by dots, e.g. `result.code`.",
        "Correct the path.";
    FIELD_NOT_IN_SCHEMA = "A210", Configuration, "path not in the schema",
        "The schema of the document has no such member.",
        "Check the spelling against the schema.";
    RETENTION_SHORT = "A211", Configuration, "keys are forgotten before the last retry",
        "The counterpart forgets idempotency keys (`idempotency.retention`) before `retry.max-age`: a request sent again after that could take effect twice. Watashi then leaves a lost answer to a person.",
        "Shorten `retry.max-age`, or declare `afterwards: person` if that is meant.";
    BAD_SCOPE = "A212", Configuration, "not a scope",
        "A scope or audience is words of printable ASCII, without quotes and backslashes, with one space between two (RFC 6749 section 3.3); at most 1000 characters.",
        "Write it as the counterpart's documents do; several scopes of one token stand in one text.";
    SCOPE_MISSING = "A213", Configuration, "request without a scope",
        "Other requests of the adapter name the scope of their token, this one does not, and `auth` has none: its token is asked for without any.",
        "Name its `scope:`, or one under `auth:`.";
    EMPTY_OUTCOMES = "A301", Configuration, "outcome table says nothing of success",
        "No line leads to applied, accepted, ready or pending, so the operation could never end well.",
        "Add the line that proves success.";
    BAD_STATUS = "A302", Configuration, "not an HTTP status",
        "Statuses are whole numbers from 100 to 599.",
        "Correct the number.";
    STATUS_ALONE_PROVES_NOTHING = "A303", Configuration, "a status alone proves nothing",
        "A line that claims applied, accepted, ready or not-applied must look at the decoded body: proxies answer 200 too.",
        "Declare `response:` with its schema, and a condition where success and failure share a status.";
    TICKET_MISSING = "A304", Configuration, "accepted without a ticket",
        "`then: accepted` needs `ticket:`, the path of what the result is asked for with.",
        "Add `ticket:`.";
    UNREACHABLE_LINE = "A305", Configuration, "line can never match",
        "An earlier line without a condition takes every answer of these statuses.",
        "Move the line up, or remove it.";
    BAD_REASON = "A306", Configuration, "no such reason",
        "`reason:` of an outcome line names one of the adapter's `reasons`. Their names are capital letters, digits and `_`, begin with a letter, have at most 64 characters, and are no code of Watashi.",
        "Correct the name, or declare it under `reasons:` with a title and a remedy.";
    DUPLICATE_ROUTE = "A401", Configuration, "two routes of one name",
        "Route names are unique over all adapters: metrics, record and `watashi.toml` go by them.",
        "Rename one.";
    UNKNOWN_OPERATION = "A402", Configuration, "unknown operation",
        "The adapter has no operation of that name.",
        "Check the spelling.";
    UNKNOWN_MESSAGE_TYPE = "A403", Configuration, "message type not declared",
        "The route's source schema does not list this type in `x-message-types`.",
        "Correct the type, or add it to the schema.";
    BASIS_MISSING = "A404", Configuration, "legal basis missing",
        "A route that carries 個人番号 or 特定個人情報 names its legal basis and what the record says of it (番号法9条, 19条, 23条).",
        "Add `basis:` and `record:`.";
    CLASS_NOT_ADMITTED = "A405", Configuration, "data class not admitted",
        "The outgoing schema has fields of a class that the route does not admit.",
        "Remove the field from the target, or add the class to `admits:` after a legal check.";
    PERMISSIONS_MISSING = "A406", Configuration, "照会許可用照合リスト missing",
        "`permit.list` names a file `<list>.yaml` in the adapter's folder that is not there or not readable.",
        "Add the file.";
    UNKNOWN_ROUTE = "A407", Configuration, "unknown route enabled",
        "`routes.enabled` in `watashi.toml` names a route that no adapter has.",
        "Check the spelling against `watashi list routes`.";
    PULL_TYPE_TWICE = "A408", Configuration, "two pulls give one message type",
        "A fetched message tells by its type which pull it comes from, and so how its body is read.",
        "Give one of them another `type`.";
    CLASS_IN_THE_CLEAR = "A409", Configuration, "classified data would leave its body",
        "`ticket`, `reference`, `detail`, `list.id` and `municipality` go into URLs, the store, the record or the log in the clear: they admit plain values only. The class of a place is the strictest of its own `x-class` and those around it.",
        "Name a value that tells nothing of a person; or correct `x-class`, if the value is plain.";
    UNKNOWN_REPERTOIRE = "A411", Configuration, "unknown repertoire",
        "`repertoire:` names neither a built-in repertoire nor a file `mappings/repertoires/<name>.txt`.",
        "Check the spelling; add the file.";
    BAD_REPERTOIRE = "A412", Configuration, "repertoire cannot be read",
        "A repertoire file has one code point, range or sequence a line: U+6E21, U+4E00..U+9FFF, U+9089 U+E0101.",
        "Mend the line shown.";
    BAD_SUBSTITUTE = "A413", Configuration, "substitute cannot be used",
        "What stands for a missing character must itself be within the repertoire.",
        "Use a table of texts, and a mark, that the counterpart knows.";
    NARROWER = "A414", Configuration, "target knows fewer characters than the source",
        "The source schema declares a repertoire (x-repertoire) with characters that the target lacks. Messages with them are refused.",
        "Decide with `characters:` what shall stand for them, or leave it at refusal.";
    SUPERSEDE_NEEDS_KEY = "A415", Configuration, "supersede without an ordering key",
        "`when-stuck: supersede` gives older states of the same person or thing up for a newer one: the ordering key says which those are.",
        "Declare `ordering-key:`, or leave `when-stuck` at `block`.";
    APPROVAL_NOT_HERE = "A420", Configuration, "approval not possible here",
        "A second person agrees to one message that goes to one operation: not on a route that publishes, not where several messages travel in one request, and not where newer messages take the place of older ones. In a file it is agreed to record by record.",
        "Leave `approval:` away, or lead the route to an operation without `batch:`.";
    ANSWERS_NO_DEMAND = "A421", Configuration, "answers to demands that nothing opens",
        "`approval.answers.kind` names the kind of demand that another route of the same adapter opens with `demand.kind`.",
        "Correct the name; the hint shows the nearest one.";
    DEMAND_NOT_HERE = "A422", Configuration, "demand not possible here",
        "Demands are opened by what a counterpart sent: by a route with `publish:`.",
        "Move `demand:` to the route that publishes the demand.";
    BAD_FILE_NAME = "A501", Configuration, "file name not allowed",
        "A file's name has A-Z a-z 0-9 . _ - and the placeholders {date}, {time}, {set:N}, {part:N}; a file that is written has {set} in it, and {part} where a set has several parts. Between two placeholders stands a character that is no digit.",
        "Correct the name.";
    SET_NOT_MARKED = "A502", Configuration, "several files and nothing says when all are there",
        "A set of several files is seen by its reader one by one. Only a last file, a marker or a manifest, tells that the set is whole.",
        "Declare `marker:` or `manifest:`, or make it one file.";
    RECORD_NOT_OF_FILE = "A503", Configuration, "record does not fit the file",
        "`record:` is the schema of one record of the file: its members are those of the elements of `schema:` in the same order, and `records:` leads to that array where the file is a document.",
        "Let the file's schema refer to the record's by `$ref`, or correct `records:`.";
    BAD_FOLDER = "A504", Configuration, "folder not allowed",
        "A folder is a path below its place: names of A-Z a-z 0-9 . _ - joined by `/`, none beginning with a dot.",
        "Correct the folder; where the place itself is stands in `watashi.toml`.";
    FILE_PEER = "A505", Configuration, "no such file operation",
        "`results:` of a file-out names a file-in of the same adapter with `settles:`, and `settles.operation` names that file-out: each points to the other.",
        "Check the spelling; declare both.";
    SIDES_DIFFER = "A506", Configuration, "the two sides of a reconciliation have different forms",
        "`theirs` and `ours` lead to the same schema: that of their records, or the one that `mapping:` leads to. Only then their items can be compared one by one.",
        "Give one side a mapping to the form of the other, or both a mapping to a form of their own.";
    CALLBACK_TARGET = "A701", Configuration, "no such operation to complete",
        "`completes:` of a push-in names an operation of the same adapter with the interaction `submit-poll`: only its exchanges wait for a result.",
        "Check the spelling.";
    CALLBACK_RESULT = "A702", Configuration, "a notice cannot carry this result",
        "Where a push-in says `then: applied`, its notice stands for the answer in which the exchange would end, and has its schema. A notice of a batch can only say that results are there.",
        "Say `then: ready`, or leave `outcomes:` out: the result is then asked for.";
    BAD_SEGMENT = "A703", Configuration, "path of a callback not allowed",
        "`callback.path` is one segment of 1 to 64 of a-z 0-9 -, and no other operation of the adapter has the same.",
        "Choose another one.";
    BAD_COUNTS = "A801", Configuration, "definition of counts cannot be used",
        "`counts/<name>.yaml` says which route's messages are counted, which day decides the month, what tells records \
         apart, and by which dimensions. The message says what is wrong with it.",
        "Correct what the message names.";
    DIMENSION_PERSONAL = "A802", Configuration, "a dimension could show a person",
        "Counts are made by values that many share: never by a 個人番号, by what tells persons or records apart, or by \
         personal values that the schema does not list. A birth date counts only by bands of ages.",
        "Choose another item, or `birth-date` with `ages`.";
    DIMENSION_OPEN = "A803", Configuration, "the values of a dimension are not known",
        "Every category stands in the definition or the schema before anything is counted, so that no value of a message \
         is ever printed.",
        "List the values under `values`; all others are counted as one.";
    COUNTED_TWICE = "A804", Configuration, "two definitions count the same records",
        "Who has both tables may subtract one from the other and find what each withholds.",
        "Join them to one definition, or publish only one of them.";
    FILE_NOT_SCANNED = "A423", Configuration, "a file in a document is not scanned",
        "The layout of what comes has a member with `contentEncoding: base64`, which is a file, and `scan.files` of the operation does not name it.",
        "Name it in `scan: {files: [...]}`.";
    SIMULATOR_STEP = "A601", Configuration, "simulator does not fit the adapter",
        "`simulator.yaml` plays the steps that the adapter declares, no others, and has the answers they cannot do \
         without: `applied` or `accepted` of a submit, `ready` of a poll, `applied` and `not-applied` of an `ask`.",
        "Add what the message names, or remove what has no use.";
}
