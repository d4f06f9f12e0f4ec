//! Codes `C…`: watashi.toml.
//!
//! 100 the file, 200 secrets and certificates, 300 what must agree with the definitions, 400 what
//! several municipalities on one machine must have apart.

codes! {
    NOT_READABLE = "C101", Configuration, "file not readable",
        "The configuration or a definition file could not be read.",
        "Check the path and the rights of the user Watashi runs as.";
    NOT_TOML = "C102", Configuration, "not TOML",
        "The configuration is not well-formed TOML.",
        "Mend the place the message names.";
    BAD_VALUE = "C103", Configuration, "value not allowed",
        "A setting has a value outside of what is allowed.",
        "See `docs/configuration.md` for the allowed values.";
    NO_DEFINITIONS = "C104", Configuration, "no definitions found",
        "The definitions folder holds no adapter.",
        "Point `definitions.folder` at the folder that holds adapters/, schemas/ and mappings/.";
    BAD_ADDRESS = "C105", Configuration, "not an address",
        "A listening address is `host:port`, for example `127.0.0.1:9470`.",
        "Correct the address.";
    BAD_BASE_URL = "C106", Configuration, "base URL not allowed",
        "A counterpart's base URL is `https://host[:port][/path]`, without user, query or fragment.",
        "Correct the URL; HTTP without TLS is never spoken to a counterpart.";
    BAD_MUNICIPALITY = "C107", Configuration, "not a 団体コード",
        "全国地方公共団体コード have 6 digits, the last of which is a check digit.",
        "Correct the code.";
    UNKNOWN_COUNTERPART = "C108", Configuration, "counterpart not known",
        "`[counterpart.NAME]` names no adapter.",
        "Check the spelling against the folders of adapters/.";
    COUNTERPART_MISSING = "C109", Configuration, "counterpart not configured",
        "An enabled route leads to a counterpart that has no `[counterpart.NAME]` section.",
        "Add the section, or disable the route.";
    PLACE_MISSING = "C110", Configuration, "place not configured",
        "An operation of files names a place that `watashi.toml` does not have.",
        "Add `[counterpart.NAME.place.PLACE]`.";
    BAD_PLACE = "C111", Configuration, "place not usable",
        "The settings of a place cannot be used: a folder that is not there, half a credential, an address that is not allowed, a key or a list of host keys that cannot be read.",
        "Correct what the message names.";
    TRUST_MISSING = "C121", Configuration, "trust store not configured",
        "An operation that demands a signature names a trust store that `watashi.toml` does not have.",
        "Add `[counterpart.NAME.trust.STORE]`.";
    BAD_TRUST = "C122", Configuration, "trust store not usable",
        "The authorities or revocation lists of a trust store cannot be read: no PEM certificate, a folder that is not there or has no list, a file that is not a list.",
        "Correct what the message names.";
    SCANNER_MISSING = "C123", Configuration, "scanner not configured",
        "An operation that an enabled route leads from demands that what comes is scanned, and `watashi.toml` names no scanner.",
        "Add `[scanner]` with `socket` or `address` of a clamd.";
    SCANNER_SETTINGS = "C124", Configuration, "scanner not usable",
        "Exactly one of `socket` and `address` says where the scanner is. clamd knows no TLS and what is scanned is personal, so that `address` is of the loopback.",
        "Name the socket of a clamd on this machine, or the local end of a tunnel to another one.";
    CALLBACK_SETTINGS = "C131", Configuration, "callbacks not usable",
        "Counterparts call a listener of its own (`[callbacks]`), each with a certificate of its authority for one of its `subjects`, and with a token or a signature where its adapter says so.",
        "See `docs/drivers/push-in.md`; correct what the message names.";
    REFERENCE_NOT_READABLE = "C201", Configuration, "secret not readable",
        "A `file:` or `env:` reference could not be resolved.",
        "Check that the file or variable exists and can be read by the user Watashi runs as.";
    SECRET_EXPOSED = "C202", Configuration, "secret readable by others",
        "A key or secret file can be read by users other than its owner.",
        "chmod 0400 (or 0600) the file.";
    BAD_KEY = "C203", Configuration, "not a key",
        "A sealing key is 32 random bytes in base64.",
        "Make one with `openssl rand -base64 32`.";
    KEY_MISSING = "C204", Configuration, "key missing",
        "`keys.current` names a key that is not listed.",
        "List the key, or correct the name.";
    PLAIN_AMQP = "C205", Configuration, "AMQP without TLS",
        "Plain `amqp://` is allowed on the loopback only.",
        "Use `amqps://`.";
    INGEST_OPEN = "C206", Configuration, "ingest without a proof of who sends",
        "HTTP ingest needs a client CA, tokens, or both.",
        "Add `client-ca` or `tokens`.";
    BAD_CERTIFICATE = "C207", Configuration, "certificate not usable",
        "A certificate or key file is not PEM, does not fit, or has expired.",
        "Renew it; the message names the file and the date.";
    PORT_IN_USE = "C208", Configuration, "address in use",
        "Another process listens on this address.",
        "Stop the other process or choose another port.";
    CREDENTIALS_MISSING = "C209", Configuration, "credentials missing",
        "The adapter says that this counterpart wants credentials, and its section names none.",
        "Add `client-id` and `client-secret` to the section that the message names.";
    BAD_SIGNING_KEY = "C210", Configuration, "not a signing key",
        "The key that signs the record is `PRIVATE+KEY+NAME+ID+SEED` as `watashi keys new-signing` makes it. A next \
         key has the same name.",
        "Make one with `watashi keys new-signing NAME --output FILE`.";
    SIGNING_KEY_NOT_WRITTEN = "C211", Configuration, "signing key not written",
        "The file is there already, or its folder cannot be written. A key is never overwritten.",
        "Choose another file.";
    SIGNING_KEY_MISSING = "C212", Configuration, "signing key missing",
        "Instances that share a store in PostgreSQL sign one record. A key that each of them made for itself would \
         let them contradict each other.",
        "Make one with `watashi keys new-signing NAME --output FILE` and name it as `signing-key` in `[record]` of \
         every instance.";
    CASE_FAILED = "C301", Configuration, "a case of a mapping fails",
        "Definitions are put in force only when every case of every mapping passes.",
        "`watashi test` shows what differs.";
    NOT_TAKEN_OVER = "C302", Configuration, "the new definitions are not in force",
        "A reload found problems; everything goes on by the old definitions and settings.",
        "`watashi reload` shows every problem; mend them and reload again.";
    NOT_RENEWED = "C303", Configuration, "credentials not renewed",
        "A certificate, key or secret was changed and cannot be used; the old one stays in use.",
        "Put a usable one in its place: it is taken over by itself.";
    OLDER_DEFINITIONS_GONE = "C304", Configuration, "older definitions are not at hand",
        "Exchanges were accepted under definitions that are no longer kept, or that this version of \
         Watashi does not accept; they go on by those in force.",
        "Look at what the record says of them; nothing else needs to be done.";
    COUNTERPART_NOT_REACHED = "C305", Configuration, "exchanges wait for a counterpart that is gone",
        "The configuration no longer names a counterpart that exchanges still wait for.",
        "Put its section back until they have ended, or discard them.";
    MUNICIPALITY_SHARED = "C401", Configuration, "two gateways serve one municipality",
        "Two configurations name one 団体コード: its messages would be in two stores and two orders.",
        "Leave each 団体コード in one configuration.";
    STORE_SHARED = "C402", Configuration, "two municipalities share a database",
        "Two configurations lead to one database of one PostgreSQL server.",
        "Give each municipality a database and a role of its own.";
    SECRET_SHARED = "C403", Configuration, "two municipalities share a key or secret",
        "What two references hold is the same: who has the key, token or password of one municipality has the other's.",
        "Make one for each municipality; where one sealed something already, rotate it.";
    BROKER_SHARED = "C404", Configuration, "two municipalities share a virtual host",
        "Queues have the same names everywhere; in one virtual host two gateways would take each other's messages.",
        "Give each municipality a virtual host and a user that has rights there only.";
    LISTENER_SHARED = "C405", Configuration, "two gateways listen at one address",
        "The second one could not start, or would be asked what was meant for the first.",
        "Choose another port, or addresses of their own.";
    FOLDER_SHARED = "C406", Configuration, "two municipalities share a folder",
        "Two configurations write into the same folder, bucket or server's folder, or one lies within the other.",
        "Give each municipality folders of its own, side by side.";
    LOGIN_SHARED = "C407", Configuration, "two municipalities share a login",
        "One user, role, client id or access key stands for two municipalities where they log in.",
        "Have one made for each municipality.";
    CLIENTS_SHARED = "C408", Configuration, "two municipalities trust one authority of clients",
        "A certificate of that authority opens the ingest of both: one municipality's sender could post to the other.",
        "Let an authority of its own sign the certificates of each municipality's senders.";
    NAME_SHARED = "C409", Configuration, "two gateways have one name",
        "Logs name the gateway, and checkpoints the log they are of: two of one name cannot be told apart.",
        "Give each `gateway.name` and each signing key a name with the 団体コード in it.";
    OTHERS_MAY_READ = "C410", Configuration, "another municipality's user may read it",
        "The file or folder is open to others, or one user of the operating system owns those of two municipalities.",
        "One user and group for each municipality; `chmod o-rwx`, and `chown` to that user.";
    NOT_COMPARED = "C411", Configuration, "not compared",
        "What a reference holds could not be read or is known to the gateway's own process only, so that whether \
         two municipalities share it is not known.",
        "Run it as one who may read all secrets, on the machine where the gateways run.";
}
