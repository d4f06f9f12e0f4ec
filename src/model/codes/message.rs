//! Codes `G…`: messages on their way.
//!
//! 100 accept, 200 validate, 300 map, 400 deliver, 500 settle.

codes! {
    MISSING_MESSAGE_ID = "G101", Sender, "message id missing",
        "The message came without `message_id`, so a repetition could not be told from a new message.",
        "Set `message_id` (AMQP), `Idempotency-Key` (HTTP) or `id` (CloudEvents) to a value that is unique for ever and stays the same when you send again.";
    BAD_MESSAGE_ID = "G102", Sender, "message id not allowed",
        "A message id has 1 to 64 characters of A-Z a-z 0-9 . _ - so that it can stand in logs, headers and exports.",
        "Choose ids of that form, for example a UUID.";
    MISSING_TYPE = "G103", Sender, "message type missing",
        "The message names no type, neither as property nor as routing key.",
        "Set the `type` property or the routing key to the message type.";
    UNKNOWN_TYPE = "G104", Sender, "unknown message type",
        "No enabled route takes this message type.",
        "Check the spelling against `watashi list routes`; enable the route in `watashi.toml` if it is missing there.";
    NO_ROUTE_APPLIES = "G105", Sender, "no route applies",
        "Routes exist for this type, but the conditions (`when:`) of all of them exclude this document, or their days (`active-from`, `active-to`) this day.",
        "Compare the document with the conditions shown by `watashi list routes`.";
    BODY_TOO_LARGE = "G106", Sender, "body too large",
        "The body is larger than the gateway accepts for one message.",
        "Split it, or agree on a file interface; the limit is `gateway.max-body` in `watashi.toml`.";
    BODY_NOT_READABLE = "G107", Sender, "body not readable",
        "The body is not strict JSON: not UTF-8, cut off, nested too deeply, a duplicate key, a NUL, or a number that would lose digits. The detail names the place.",
        "Mend the sender; send the corrected document under a new message id.";
    BAD_CLOUD_EVENT = "G108", Sender, "CloudEvent not readable",
        "The event lacks a required attribute of CloudEvents 1.0 or its `data` is not a JSON object.",
        "Send structured mode JSON with specversion, id, source, type and data.";
    WRONG_MUNICIPALITY = "G109", Sender, "wrong municipality",
        "The message belongs to a municipality this gateway does not serve, or its header and its body name different ones.",
        "Send it to the right gateway, or add the 団体コード to `gateway.municipalities`.";
    UNDELIVERABLE = "G110", Sender, "rejected by the broker",
        "RabbitMQ dead-lettered the message before it was accepted: delivery limit, length limit or expiry.",
        "Look at the detail; replay the message once the cause is gone.";
    BAD_CONTENT_TYPE = "G111", Sender, "content type not supported",
        "Bodies are `application/json` or `application/cloudevents+json`.",
        "Set the content type accordingly.";
    MESSAGE_ID_REUSED = "G112", Sender, "message id reused with other content",
        "This id had already been accepted with another content. Nothing is sent: the new content was put aside.",
        "Find out which content is meant; send it under a new id and discard this one.";
    BAD_HEADER = "G113", Sender, "header not allowed",
        "A header holds characters that may not be passed on.",
        "Send printable ASCII of at most 128 characters.";
    BACKLOG_TOO_LONG = "G114", Counterpart, "too many exchanges wait",
        "As many exchanges as `[store] max-backlog` allows wait for one counterpart. Nothing new is taken from any source; nothing is lost.",
        "See why the counterpart takes nothing (`watashi status`, `/ready`); Watashi goes on by itself.";
    CALLER_REFUSED = "G151", Counterpart, "caller not known",
        "A notice came over the callbacks listener with a certificate that is not the counterpart's, or for a counterpart that may not call. It was not read.",
        "Compare `client-ca` and `subjects` of `[counterpart.NAME.callback]` with the certificate the counterpart shows.";
    CALLER_NOT_PROVEN = "G152", Counterpart, "token or signature of a notice wrong",
        "The certificate is the counterpart's, but the bearer token or the signature over the body is missing or wrong. Nothing was taken.",
        "Compare `token` and `hmac-key` of `[counterpart.NAME.callback]` with what was agreed.";
    NOTICE_UNFIT = "G153", Counterpart, "notice not valid",
        "The body of a notice is not what its schema says, or its ticket or id is not of the allowed form. The detail names the place; values are never shown.",
        "Ask the counterpart's operator; correct the schema if the layout was understood wrongly.";
    TICKET_UNKNOWN = "G154", Counterpart, "notice of an unknown ticket",
        "No exchange of the operation has this ticket. A notice may come before the receipt that names its ticket: nothing is lost, because the result is asked for as well.",
        "Nothing, while it is rare; if it lasts, the counterpart notifies for somebody else's requests.";
    TOO_MANY_NOTICES = "G155", Counterpart, "too many notices at once",
        "As many notices as `[callbacks] concurrency` allows are under way. The counterpart is told to come again.",
        "Nothing, while it is rare; else raise `concurrency`.";
    NOTICE_NOT_WRITTEN = "G156", Gateway, "notice not written in time",
        "The store did not take what follows from the notice in time, or the exchange was being written by others all the while. It may still take effect; the counterpart may send it again.",
        "See the store's health (`/ready`); nothing is lost.";
    SCHEMA_VIOLATION = "G201", Sender, "document not valid",
        "The document is not what its schema says. The detail lists path, rule and what was expected; values are never shown.",
        "Mend the sender; send the corrected document under a new message id.";
    ROUTE_GONE = "G202", Configuration, "route no longer exists",
        "The exchange was accepted for a route that the present definitions do not have.",
        "Bring the route back or discard the exchange.";
    MAPPING_REFUSED = "G301", Sender, "mapping refused the document",
        "The mapping's author declared that such a document must not go on (`reject`). The detail names the author's code.",
        "See the mapping's README for the code; mend the data at the sender.";
    MAPPING_FAILED = "G302", Configuration, "mapping failed",
        "A rule of the mapping could not be computed for this document. The detail names file, line and code.",
        "Mend the mapping, then replay.";
    OUTPUT_INVALID = "G303", Configuration, "mapped document not valid",
        "The mapping's result is not what the counterpart's schema says. Nothing was sent.",
        "Mend the mapping or the schema, add a case, then replay.";
    OUTPUT_NOT_ENCODABLE = "G304", Sender, "mapped document cannot be written",
        "The counterpart's format cannot hold a character or a length of this document. Nothing was sent.",
        "See the detail for path and code point; mend the data or declare a substitution.";
    NOT_PERMITTED = "G305", Sender, "combination not permitted",
        "照会者, 事務, 提供者 and 特定個人情報 are not in the 照会許可用照合リスト. Nothing was sent.",
        "Correct the request; if the combination is lawful, update the list of the adapter.";
    CLASS_NOT_ADMITTED = "G306", Configuration, "data class not admitted",
        "The outgoing document would carry a class of personal data that the route does not admit. Nothing was sent.",
        "Correct the mapping, or let the route admit the class after a legal check.";
    CHARACTER_REFUSED = "G307", Sender, "character that the counterpart does not know",
        "The document has characters outside the repertoire that the route declares, and no substitute is declared for them. Nothing was sent.",
        "See the detail for place and code point; mend the data, or declare a substitute or a mark with `characters:`, then replay.";
    RETURNED_OTHER = "G308", Counterpart, "value came back other than it was sent",
        "A value of this document, usually the 個人番号, is not the one last sent to the counterpart for the same key (`compares:` of the route). Nothing of it went to upstream.",
        "Treat it as an incident (R3): compare with the counterpart's own screen and with the 宛名システム. If the number sent was wrong, send the right one, then `dlq replay ID`; else have the counterpart correct it and `dlq discard ID`.";
    REFUSED = "G401", Counterpart, "refused by the counterpart",
        "The counterpart refused the message for good; the detail holds its declared error code.",
        "Look the code up in the adapter's README, mend the data, replay or send anew.";
    UNAVAILABLE = "G402", Counterpart, "counterpart unavailable",
        "The counterpart said that it did not process the request (busy, maintenance, credentials refused).",
        "Nothing, while it is retried; if it lasts, call the counterpart's operator.";
    ANSWER_LOST = "G403", Counterpart, "answer lost",
        "The request was sent, but no complete answer came. It may have been applied.",
        "Resolved as the operation declares (resend, ask or person).";
    ANSWER_NOT_UNDERSTOOD = "G404", Counterpart, "answer not understood",
        "An answer came that cannot be read, is not valid, or is not in the outcome table. The request may have been applied.",
        "Resolved as the operation declares; if it recurs, extend the adapter's outcome table.";
    INTERRUPTED = "G405", Gateway, "interrupted while sending",
        "The gateway stopped while the request was under way. It may have been applied.",
        "Resolved as the operation declares.";
    ITEM_MISSING = "G406", Counterpart, "item missing in the result",
        "The batch was completed but its result does not name this item. It may have been applied.",
        "Resolved as the operation declares.";
    RESULT_LATE = "G407", Counterpart, "result overdue",
        "The counterpart took the request but gave no result within the age limit.",
        "Ask the counterpart; then confirm as applied or not applied.";
    GAVE_UP = "G408", Counterpart, "attempts used up",
        "All attempts failed without having been applied; the detail names the last cause.",
        "Find the cause, then replay.";
    BATCH_REFUSED = "G409", Counterpart, "batch refused as a whole",
        "The counterpart refused a request that carried several messages. Each of them is sent alone now, so that the bad one is found and the others go on.",
        "Nothing; the bad one becomes a dead letter with the counterpart's code.";
    PERSON_NEEDED = "G410", Counterpart, "only a person can tell whether it was applied",
        "The gateway stopped while sending, or its store was restored from a backup, and the operation can neither be asked nor be sent again safely.",
        "Look at the counterpart's own screen, then `watashi dlq confirm ID --applied` or `--not-applied`; do not guess.";
    SUPERSEDED = "G411", Gateway, "a newer state took its place",
        "The route declares `when-stuck: supersede`: a newer full state of the same person was accepted before this one was applied, so this one is not sent any more. The detail names the newer message.",
        "Nothing; follow the newer message.";
    DEADLINE_PASSED = "G412", Counterpart, "deadline passed",
        "The route's `deadline` passed before the message was applied. It waited for its turn, its counterpart or a result.",
        "Find out what it waited for (`watashi trace`); replay does not help: have the sender send what is still wanted under a new id.";
    KEY_FORGOTTEN = "G413", Counterpart, "counterpart no longer knows the key",
        "An attempt may have been applied, and more time has passed since the first one than the counterpart keeps idempotency keys (`idempotency.retention`). Sent again, the request could take effect twice.",
        "Look at the counterpart's own screen, then `watashi dlq confirm ID --applied` or `--not-applied`; do not guess.";
    APPROVAL_NO_PREPARER = "G420", Sender, "nobody is named who prepared it",
        "A route with `approval:` takes the message, and such a message must say who prepared it: somebody else has to agree before it is sent.",
        "Set the header `watashi-operator` (or `watashioperator` of a CloudEvent); send it again under a new id.";
    APPROVAL_REJECTED = "G421", Sender, "rejected by the second person",
        "The route needs a second person's agreement, and it was refused or taken back. Nothing was sent. The detail is the reason that was given.",
        "Correct it and send it under a new id. A replay asks the second person again.";
    APPROVAL_EXPIRED = "G422", Sender, "nobody agreed in time",
        "The route needs a second person's agreement, and nobody decided within `approval.expires`. Nothing was sent.",
        "`watashi dlq replay ID` asks again; or send what is still wanted under a new id.";
    NOT_AS_APPROVED = "G423", Gateway, "not what was agreed to",
        "The route needs a second person's agreement, and the document that would leave now is not the one that was agreed to, or none was: definitions have changed since. Nothing was sent.",
        "`watashi dlq replay ID` asks again where it was asked before; else have it sent under a new id.";
    DEMAND_MISSING = "G424", Sender, "there is no such demand",
        "The message answers a demand of the counterpart, and no demand of that kind and number was received under that item of the law's table.",
        "Compare the number with `watashi demands list`; send the answer under a new id.";
    DEMAND_ANSWERED = "G425", Sender, "the demand has an answer",
        "Another answer to the same demand is on its way or was delivered, or an operator closed the demand. A second answer is never sent.",
        "Look at `watashi demands show ID`. Reject the other answer first if it waits for its approval and is wrong.";
    APPROVAL_SAME_PERSON = "G426", Sender, "who prepared it may not approve it",
        "Four eyes: the person who approves is another one than the person who prepared the message. Case, spaces and width of letters make no other person.",
        "Let somebody else approve it; who prepared it may only reject it, which takes it back.";
    APPROVAL_CLOSED = "G427", Sender, "nothing waits for this decision",
        "The exchange waits for no approval: it was decided before, its time is over, or it never needed one.",
        "Look at `watashi approvals show ID`.";
    DEMAND_NUMBER = "G428", Counterpart, "demand without a usable number",
        "A received demand names no number, or one that is not 1 to 128 characters of A-Z a-z 0-9 . _ : / -. Nobody could answer it.",
        "Ask the counterpart; correct `demand.number` of the route if it names the wrong place, then replay.";
    ANSWER_NOT_POSSIBLE = "G429", Configuration, "answer not possible as asked",
        "`watashi answer` posts a message of the type whose route answers demands of that kind. The detail says what does not fit.",
        "Name the type with `--type`, or enable the route that takes such answers.";
    REPLY_NOT_MAPPED = "G501", Configuration, "answer could not be mapped",
        "The counterpart applied the request, but its answer could not be turned into the message for upstream.",
        "Mend the reply mapping and reload; then give the answer with `watashi dlq confirm ID --applied --answer FILE`. Without an answer nothing goes to upstream: where it needs one, it posts the request under a new id.";
    REPLY_REFUSED = "G502", Counterpart, "answer not what was asked for",
        "The counterpart applied the request, but the reply mapping refuses its answer by a `reject` of its author: for example because the 個人番号 in it is not the one that was sent. The detail names the author's code. Nothing of the answer went to upstream.",
        "Treat it as an incident: compare with the counterpart's own screen. Then `watashi dlq confirm ID --applied` if the request itself was right, and clear the answer up with the counterpart.";
    ANSWER_NOT_TAKEN = "G503", Sender, "a person's answer cannot be taken",
        "An operator gave the answer of a counterpart, or what `by-hand` of the route asks for. The exchange does not wait for one, or the answer is not laid out as declared, or nothing of the outcome table takes it for applied. Nothing was changed. The detail says which.",
        "Correct the answer, or use another act: `watashi dlq confirm ID --applied` without an answer, or `--not-applied`.";
    ANSWERS_DIFFER = "G504", Sender, "two persons gave different answers",
        "The route wants the same answer from two persons, and the second one's is another than the first one's. Nothing went on. The later answer stands now.",
        "Compare both with the source; then whoever was wrong gives the right one.";
    REPLAY_REQUEST = "G601", Configuration, "replay not possible as asked",
        "A replay task takes dead or delivered exchanges, at 1 to 1,000 a second, at most 10,000 at once; the detail says what does not fit.",
        "Ask for less, or for something else.";
    REPLAY_NOT_IDEMPOTENT = "G602", Configuration, "sending it again could have a second effect",
        "The exchange was delivered, and its operation does not promise to know the same key again, or no longer does.",
        "Leave it. Where a second effect is wanted, make a task with `--force-new-effect PERSON`: a second person answers for it.";
    REPLAY_BODY_GONE = "G603", Gateway, "nothing is left to be sent again",
        "The original of the message was erased, or the definitions it was accepted under are no longer kept.",
        "Let upstream send it anew.";
    FILE_CONFLICT = "G701", Counterpart, "another file has that name",
        "At the place stands a file with the name of one of ours and other content. It was not touched; what its set holds was not written under another name either.",
        "Find out who wrote it. Say of each exchange whether it was applied: not applied, it goes into the next set.";
    SET_WAITS = "G702", Counterpart, "set not written yet",
        "The place could not be written. The set keeps its number and its names and is written as soon as the place can be.",
        "See to the place; nothing else is needed.";
    SET_NOT_MADE = "G703", Configuration, "set cannot be made",
        "The files of a set cannot be made of its records: a mapping for header, trailer, head or companion fails, or the layout cannot carry them together. Nothing was written.",
        "Correct the definitions; the records wait.";
    SET_TAKEN_BACK = "G704", Gateway, "set taken back",
        "A set that was not whole could not be made again as it was planned, because one of its exchanges was ended or its definitions are gone. What was there of it is removed; the other exchanges go into the next set.",
        "Nothing, unless it happens often.";
    FILE_DIFFERS = "G705", Counterpart, "file does not agree with its manifest",
        "The manifest or the file's own trailer tells other counts or digests than the file has, or names a file that is not there. It was put aside and nothing of it was taken.",
        "Ask the sender for the file again.";
    FILE_REFUSED = "G706", Counterpart, "file put aside",
        "A file cannot be read as declared, is too large, or holds a bad record where that refuses the whole file. It was put aside and nothing of it was taken.",
        "Look at the place in the file that the message names; ask the sender for a correct file.";
    BAD_RECORD = "G707", Counterpart, "record of a file not readable",
        "One record of a file is not what its layout or schema says; the others went on. The message names file, line and column.",
        "Ask the sender to correct the record and send it in another file.";
    FILE_LATE = "G708", Counterpart, "file overdue",
        "No file came by the time at which one was expected: what is known here may be old.",
        "Ask the sender; look whether the file stands there without its marker.";
    FILE_SHORT = "G709", Counterpart, "file much shorter than usual",
        "A file was read that has far fewer records than the median of the last five files. It may be cut, or made of part of the data.",
        "Ask the sender whether the file is right.";
    RESULT_UNMATCHED = "G710", Counterpart, "result of an unknown record",
        "A file of results names a record of a set that waits for no result: another set, or one that has its result already.",
        "Compare the file with the sets that were written.";
    INTERNAL = "G901", Gateway, "internal error",
        "A defect of the gateway; the exchange was put aside so that the others go on.",
        "Report it with the log lines of this exchange.";
}
