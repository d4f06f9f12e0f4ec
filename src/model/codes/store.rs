//! Codes `T…`: the store and the record. 1xx opening, 2xx reading and writing, 3xx keys and
//! sealing, 4xx the record, 5xx what the store itself decides about an exchange,
//! 6xx backup and restore, 7xx counts.

codes! {
    STORE_IN_USE = "T101", Gateway,
        "the store is in use by another process",
        "One process at a time may write an SQLite store; another one holds its lock file.",
        "Stop the other process, or read with a command that only reads (`list`, `log`).";
    STORE_NOT_OPENED = "T102", Gateway,
        "the store cannot be opened",
        "The file or its folder is missing, not writable, or not an SQLite database.",
        "Check `[store] path` in watashi.toml, that the folder exists, and who may write there.";
    STORE_VERSION_UNKNOWN = "T103", Gateway,
        "the store was written by another version of Watashi",
        "Its table version is not one this version can read or bring forward.",
        "Run the newer Watashi; to bring an older store forward, start `watashi run` once.";
    SQLITE_TOO_OLD = "T104", Gateway,
        "the SQLite library is too old",
        "Before 3.51.3 two connections could corrupt a database in WAL mode.",
        "Build with the bundled SQLite.";
    STORE_READ_ONLY = "T105", Gateway,
        "the store is open for reading only",
        "A command that only reads tried to write.",
        "Use the command that speaks to the running gateway, or start `watashi run`.";
    STORE_CLOSED = "T106", Gateway,
        "the store is closed",
        "The gateway is stopping, or its writer ended; what was answered before is safe.",
        "Start the gateway again; what was not acknowledged is delivered again.";
    KEYS_DO_NOT_FIT = "T107", Configuration,
        "the keys are not those of this store",
        "Lanes, pseudonyms and idempotency keys come from the oldest master key. With another one \
         the same person would get another lane and the same message another idempotency key.",
        "List the keys the store was created with, the oldest first, in `[keys]`.";
    STORE_OF_ANOTHER = "T108", Configuration,
        "the store, or a copy of it, is another municipality's",
        "A store remembers since its first start which 団体コード it serves, and its backups tell it; it is opened for no \
         others.",
        "Point `[store]` at this municipality's own store. After a merger or a change of code say in `[gateway] formerly` \
         what the store was.";
    STORE_ADDRESS = "T111", Configuration,
        "the store's address cannot be used",
        "`[store] url` does not lead to an address of a PostgreSQL database.",
        "Write `postgresql://user:password@host:port/database` where `[store] url` points.";
    STORE_TLS_NEEDED = "T112", Configuration,
        "the store is on another machine, and TLS is not set up",
        "Without TLS Watashi speaks to PostgreSQL on this machine only: a loopback address or a \
         socket.",
        "Set `[store] ca` to the authority that signed the server's certificate.";
    SERVER_UNSUITABLE = "T113", Configuration,
        "the PostgreSQL server cannot keep the promises",
        "It is older than 15, its database is not UTF-8, or a setting lets it confirm what a power \
         cut takes back: `synchronous_commit`, `fsync` and `full_page_writes` must be on.",
        "Change the setting that the detail names; the gateway checks it whenever it connects.";
    FAILOVER_FORGETS = "T114", Configuration,
        "a failover would lose what was confirmed",
        "`[store] url` names several servers, and the primary confirms without waiting for a standby: \
         what it confirmed last is not on the one that takes its place.",
        "Set `synchronous_standby_names`, and `synchronous_commit` to `on`, on every server that may \
         become the primary: docs/ops/topology.md.";
    STORE_FULL = "T201", Gateway,
        "the store is full",
        "The disk, or the limit `[store] max-bytes`, is used up. Nothing new is accepted; \
         what was answered before is safe.",
        "Make room or raise the limit; the gateway goes on by itself.";
    STORE_INPUT_OUTPUT = "T202", Gateway,
        "the disk failed",
        "A read, write or sync of the store failed. The gateway trusts nothing after that and \
         stops its traffic.",
        "Check the disk and the kernel log, then start the gateway again.";
    STORE_CORRUPT = "T203", Gateway,
        "the store is damaged",
        "SQLite found a page or a row that cannot be right.",
        "Stop the gateway, keep a copy of the files, restore the newest backup.";
    STORE_REFUSED = "T204", Gateway,
        "the store refused a statement",
        "The database answered a statement with an error that should not happen.",
        "Report it with the code and the detail; nothing of the call was written.";
    STORE_FORGOT = "T206", Gateway,
        "the store lacks what it confirmed",
        "The server that answers now has not got a transaction that was confirmed to this gateway: a \
         standby that was not waited for has become the primary, or the database was put back. Going \
         on would send again what may have been sent, so nothing is written any more.",
        "Bring back the server that has it. If that cannot be, stop all gateways, run `watashi restore \
         --adopt`, start them, and have upstream post again what it posted last.";
    STORE_UNREACHABLE = "T211", Gateway,
        "the store does not answer",
        "The PostgreSQL server is down, a standby, refuses the login or cannot be reached. Nothing \
         new is taken and nothing is sent; what was answered before is safe.",
        "See to the server; the gateway goes on by itself as soon as it answers.";
    OUTCOME_NOT_KNOWN = "T212", Gateway,
        "whether the store wrote it is not known",
        "The connection was lost while the server committed, and it does not answer yet. The \
         gateway finds out before it writes anything else.",
        "Nothing: a repetition is recognised. If it is an operator's act, look at the exchange \
         before repeating it.";
    STORE_SLOW = "T213", Gateway,
        "the store did not answer in time",
        "A statement waited longer than the server may let it: the disk is slow, or another session \
         holds what is needed.",
        "Look at the server's load and locks; the gateway tries again by itself.";
    KEY_LENGTH = "T301", Configuration,
        "a master key is not 32 bytes",
        "Master keys are 256 bits; anything else is refused rather than stretched.",
        "Make one with `openssl rand -base64 32`.";
    KEY_CURRENT_MISSING = "T302", Configuration,
        "the current master key is not listed",
        "`current` names a key that `[keys]` does not hold, or the list is empty.",
        "Add the key under that name, or correct `current`.";
    KEY_MISSING = "T303", Configuration,
        "the key that sealed this is not listed",
        "A body was sealed under a master key that `[keys]` no longer holds.",
        "List that key again; a master key may go only when nothing is sealed under it.";
    SEALED_DAMAGED = "T304", Gateway,
        "a sealed body does not open",
        "Its bytes were changed, or it stands in a row where it does not belong.",
        "Restore the row from a backup; find out who changed the store.";
    SEALING_FAILED = "T305", Gateway,
        "sealing failed",
        "The cryptographic library or its random source gave an error.",
        "Check the machine's random source; start the gateway again.";
    KEY_NAME = "T306", Configuration,
        "a master key has no usable name",
        "Names of master keys are 1 to 32 characters of A-Z a-z 0-9 . _ - and used once.",
        "Rename the key in `[keys]`.";
    RECORD_BROKEN = "T401", Gateway,
        "the record is broken",
        "An entry or its leaf hash is not what was written, or a sequence is missing.",
        "Run `watashi log verify` to find the first bad sequence; keep the files as evidence.";
    RECORD_LINE_INVALID = "T402", Gateway,
        "not a line of an exported record",
        "The line is not `{\"sequence\":…,\"leaf\":…,\"entry\":…}` as the export writes it.",
        "Export the record again with `watashi log export`; do not edit exports.";
    RECORD_NOT_CONTINUED = "T403", Gateway,
        "the exported record does not continue that of the backup",
        "The first entry after the backup's last one is missing, or does not follow from it. With a \
         gap the log would become inconsistent with what was exported and signed.",
        "Give `--record` the folder with all exports since the backup, of the same store.";
    RECORD_FORKED = "T404", Gateway,
        "the record contradicts a checkpoint that was signed",
        "A signed checkpoint, in the store or exported, is of more entries than the record has, or of \
         other ones. A log that went on would be two logs.",
        "If the store is an older copy, restore it with `watashi restore`, giving the exports; otherwise find \
         out who changed it, and keep the files as evidence.";
    RECORD_NOT_EXPORTED = "T405", Gateway,
        "the record cannot be exported",
        "Checkpoints and entries are signed, but do not leave the machine: the folder of `[record] export` is \
         missing, full or not writable.",
        "Mount or mend the folder; the gateway goes on by itself. Sending stops when it lasts longer than \
         `[record] grace`.";
    RECORD_UNSEALED = "T406", Gateway,
        "the record is unsealed for too long",
        "Entries older than `[record] grace` are not under a signed and exported checkpoint. Nothing more is \
         sent; messages are still taken.",
        "See why sealing fails (log, `/ready`): disk, export folder, signing key. Sending goes on by itself.";
    RECORD_KEY_GENERATED = "T407", Configuration,
        "the record is signed with a key that lies beside the store",
        "`[record] signing-key` is not set, so a key was made on the first start. Whoever can change the store \
         can also sign what was changed.",
        "Make a key with `watashi keys new-signing`, keep it elsewhere, and name it in `[record] signing-key`.";
    RECORD_EXPORT_OFF = "T408", Configuration,
        "the record does not leave the machine",
        "`[record] export` is not set. Who can replace the whole store can replace the whole record.",
        "Set `[record] export` to a folder on another machine or on media that cannot be rewritten.";
    PRUNING_REFUSED = "T409", Gateway,
        "the year cannot be pruned",
        "Its entries must be kept longer, or are not in the exported segments yet.",
        "The message names the first year that must stay.";
    RECORD_OF_ANOTHER = "T410", Configuration,
        "the folder holds the record of another log",
        "The origin that stands in its checkpoint or segments is not the name of this gateway's signing key: it is \
         another municipality's record.",
        "Name the folder of this gateway's own record.";
    MESSAGE_ID_REUSED = "T501", Sender,
        "the message id was used before with other content",
        "Ids stand for one content for ever; this one came a second time with another body. \
         It is kept apart and not sent.",
        "Have the sender post it under a new id, then discard this one.";
    INTERRUPTED_WHILE_SENDING = "T502", Gateway,
        "the gateway stopped while sending",
        "It ended between the first byte sent and the recorded outcome, so nobody here knows \
         whether the counterpart applied it.",
        "Nothing, where the operation can ask or resend; otherwise ask the counterpart and \
         confirm by hand.";
    RESTORED = "T503", Gateway,
        "it may have been sent before the store was restored",
        "The store was put back from a backup and does not know what was sent after it.",
        "Nothing, where the operation can ask or resend; otherwise look at the counterpart and \
         confirm by hand.";
    BODY_PURGED = "T504", Gateway,
        "the body was purged",
        "The original is kept for `[retention] bodies-days` after the end of its exchanges; without \
         it nothing can be made to be sent.",
        "Have the sender post it again under a new id; then discard this one.";
    LEASE_LOST = "T511", Gateway,
        "this instance's lease has ended",
        "It was stopped, paused or cut off from the store for longer than its lease, so the others \
         have taken over what it had under way. Nothing it does late is written.",
        "Find out why it stood still: the machine, its clock, the network to the store.";
    MONTH_INCOMPLETE = "T701", Gateway,
        "the month cannot be counted whole",
        "It has not ended, bodies of its messages were purged, messages that could change it are still under way, or \
         some cannot be read.",
        "Wait until they have ended, or count within `[retention] bodies-days`; `--incomplete` prints it, marked so.";
    TOO_MANY_RECORDS = "T702", Gateway,
        "there are too many records to count",
        "Each record is kept in memory by a fingerprint, and there are more than ten million since the month began.",
        "Count the month soon after its end, when fewer newer records are in the store.";
    BACKUP_EXISTS = "T601", Gateway,
        "the backup is there already",
        "A backup never overwrites anything, and two do not write one file.",
        "Name another file, or a folder: each backup then gets a name of its own.";
    BACKUP_INCOMPLETE = "T602", Gateway,
        "there is no manifest for this backup",
        "The manifest is written last; without it the backup was not finished, or the two were \
         separated.",
        "Take a backup that has its `.manifest.json` beside it.";
    RESTORE_OVER_STORE = "T603", Gateway,
        "there is a store already",
        "A restore does not overwrite a store, nor put a file beside another one's log.",
        "Move the old store away with its `-wal` and `-shm`; keep it until all is well.";
    BACKUP_DAMAGED = "T604", Gateway,
        "the backup is damaged",
        "Its bytes are not those that were written, or SQLite or the record find a fault in it.",
        "Take an older backup; find out what happened to this one.";
    BACKUP_FAILED = "T605", Gateway,
        "the backup could not be written or read",
        "The disk or the folder refused; the store itself is not affected.",
        "Check room and rights of the folder, then run it again.";
}
