//! Codes `N…`: broker, HTTPS and listeners.
//!
//! N1xx the broker, N2xx counterparts over HTTPS, N3xx our own listeners.

codes! {
    BROKER_UNREACHABLE = "N101", Gateway,
        "broker unreachable",
        "No connection to the broker could be made, or it was lost. Watashi tries again by itself; unacknowledged deliveries come back and are recognised.",
        "Check that the broker runs and that address and port in [amqp] url are right.";
    BROKER_LOGIN_REFUSED = "N102", Configuration,
        "broker refused the login",
        "The broker does not accept the user, the password or the virtual host.",
        "Check the user, the password and the virtual host behind [amqp] url and the user's permissions on that virtual host.";
    BROKER_CLOSED = "N103", Gateway,
        "broker closed the connection",
        "The broker ended the connection, for example because it is being restarted.",
        "Nothing, if the broker is under maintenance; otherwise read the broker's log.";
    BROKER_TIMEOUT = "N104", Gateway,
        "broker did not answer in time",
        "A step of the conversation with the broker got no answer within its limit, or heartbeats stopped.",
        "Check the network to the broker and its load and alarms (`rabbitmq-diagnostics alarms`).";
    BROKER_PROTOCOL = "N105", Gateway,
        "broker conversation broken",
        "The broker and Watashi did not understand each other: a frame could not be read, or an operation came in the wrong state.",
        "Check that the address is that of an AMQP 0-9-1 listener; if so, report it together with the broker's version.";
    BROKER_TLS = "N106", Configuration,
        "TLS with the broker failed",
        "The TLS handshake with the broker failed, usually because its certificate is not from the configured authority or names another host.",
        "Check [amqp] ca and the broker's certificate.";
    BROKER_SETTINGS = "N107", Configuration,
        "broker settings unusable",
        "The [amqp] section cannot be used as it stands: the URL is malformed, TLS is asked for without an authority, or an unencrypted connection would leave this machine.",
        "Use amqps:// with ca, or amqp:// to the loopback address only.";
    BROKER_BLOCKED = "N108", Gateway,
        "broker blocks publishing",
        "The broker is short of memory or disk and takes no messages; answers wait in the outbox. Consuming goes on.",
        "Free memory or disk on the broker (`rabbitmq-diagnostics alarms`).";
    TOPOLOGY_MISSING = "N111", Configuration,
        "exchange or queue missing",
        "Something Watashi needs does not exist on the broker. Watashi does not create it by itself, because an exchange or queue that was deleted is a fault to be seen.",
        "Run `watashi broker apply`; Watashi goes on by itself as soon as it is there.";
    TOPOLOGY_DIFFERENT = "N112", Configuration,
        "exchange or queue has other properties",
        "It exists, but with another type or other arguments than messages need to be safe (quorum queue, delivery limit, reject-publish, at-least-once dead-lettering).",
        "Empty and delete it on the broker, then run `watashi broker apply`; `watashi broker export` prints what is expected.";
    TOPOLOGY_FORBIDDEN = "N113", Configuration,
        "not allowed to look at the topology",
        "The broker's user has no right to declare this exchange or queue, so its properties could not be compared.",
        "Give the user the configure permission for the names beginning with the prefix, or audit with an administrator's account.";
    CONSUMER_ENDED = "N114", Configuration,
        "broker ended the consumer",
        "The broker cancelled the subscription, for example because the queue was deleted.",
        "Check who changed the queue; if it is gone, run `watashi broker apply`.";
    PUBLISH_NOT_CONNECTED = "N121", Gateway,
        "no connection to publish on",
        "The answer stays in the outbox and is published when the broker is back.",
        "See the cause that readiness names for the broker.";
    PUBLISH_UNROUTABLE = "N122", Configuration,
        "nobody takes this answer",
        "The broker returned the message because no queue is bound to the answers' exchange for its routing key. It stays in the outbox.",
        "Bind a queue of the upstream system to the answers' exchange.";
    PUBLISH_REFUSED = "N123", Gateway,
        "broker did not take the message",
        "The broker answered with a negative confirm, for example because the target queue is full. The message stays in the outbox.",
        "Check the length limits and alarms of the queues bound to the answers' exchange.";
    PUBLISH_UNCONFIRMED = "N124", Gateway,
        "publish not confirmed in time",
        "No confirm arrived within its limit; the message may or may not be in the queue and is published again under the same message id.",
        "Check the broker's load and alarms.";
    PUBLISH_MALFORMED = "N125", Gateway,
        "message cannot be expressed in AMQP",
        "A property is longer than the 255 bytes AMQP allows.",
        "Shorten the property that the detail names.";

    CONNECT_FAILED = "N201", Counterpart,
        "counterpart unreachable",
        "No connection could be made; no byte of the request was sent.",
        "Check the network and whether the counterpart is in service.";
    NAME_UNRESOLVED = "N202", Configuration,
        "counterpart's name not found",
        "The host name of base-url could not be resolved; nothing was sent.",
        "Check base-url and the machine's name resolution.";
    ADDRESS_REFUSED = "N203", Configuration,
        "address is not on the allow-list",
        "The host name leads to an address that [counterpart] addresses does not list; nothing was sent.",
        "If the address is right, add it to addresses; if not, find out who changed the name.";
    CONNECT_TIMEOUT = "N204", Counterpart,
        "connecting took too long",
        "Connecting or the TLS handshake did not end within its limit; no byte of the request was sent.",
        "Check the network and whether the counterpart is in service.";
    TLS_FAILED = "N205", Configuration,
        "TLS with the counterpart failed",
        "The handshake failed before a byte of the request was sent, usually because the certificate is not from the configured authority, names another host or has expired.",
        "Check ca of the counterpart and the validity of its certificate with `watashi check`.";
    CLIENT_CERTIFICATE_REFUSED = "N206", Configuration,
        "counterpart refused our certificate",
        "The counterpart ended the handshake because of our client certificate, or because there was none; it did not take the request.",
        "Check client-certificate and client-key and whether the certificate has expired.";
    REQUEST_MALFORMED = "N207", Gateway,
        "request cannot be expressed in HTTP",
        "A header or the path holds characters that HTTP does not allow; nothing was sent.",
        "Check headers and path of the operation in the adapter.";
    ANSWER_TIMEOUT = "N211", Counterpart,
        "no complete answer in time",
        "The request was sent, but the answer did not end within the limit. It may have been applied.",
        "Watashi resolves it as the operation's `unknown` says; raise timeout if the counterpart is regularly slower.";
    ANSWER_CUT = "N212", Counterpart,
        "answer was cut",
        "The connection ended within the answer. The request may have been applied.",
        "Watashi resolves it as the operation's `unknown` says.";
    ANSWER_TOO_LARGE = "N213", Counterpart,
        "answer larger than allowed",
        "The answer exceeds max-response-bytes and was not read further. The request may have been applied.",
        "If such answers are right, raise limits.max-response-bytes in the adapter.";
    CONNECTION_LOST = "N214", Counterpart,
        "connection lost while sending",
        "The connection broke after the request had begun and before an answer. It may have been applied.",
        "Watashi resolves it as the operation's `unknown` says.";
    ANSWER_UNREADABLE = "N215", Counterpart,
        "answer is not HTTP",
        "What came back could not be read as an HTTP answer. The request may have been applied.",
        "Check what stands between Watashi and the counterpart.";
    TOKEN_UNREACHABLE = "N221", Counterpart,
        "token endpoint unreachable",
        "No token could be fetched because its endpoint did not answer; the request itself was not sent.",
        "Check the network and whether the counterpart's login service is up.";
    TOKEN_REFUSED = "N222", Configuration,
        "token refused",
        "The token endpoint refused our credentials; the request itself was not sent.",
        "Check client-id and client-secret of the counterpart and the scope in the adapter.";
    TOKEN_UNREADABLE = "N223", Counterpart,
        "token answer unreadable",
        "The token endpoint answered with success, but without a token in the declared place; the request itself was not sent.",
        "Check auth in the adapter against the counterpart's specification.";
    COUNTERPART_SETTINGS = "N231", Configuration,
        "counterpart settings unusable",
        "The [counterpart] section cannot be used as it stands: base-url is not https, or a certificate or key cannot be read.",
        "Correct the entry that the detail names.";

    LISTENER_CERTIFICATE = "N301", Configuration,
        "listener's certificate unusable",
        "Certificate, key or client authority of a listener cannot be read or do not belong together.",
        "Correct the file that the detail names.";
    LISTENER_FAILED = "N302", Gateway,
        "listener stopped",
        "The operating system refuses new connections on the listening socket.",
        "Check limits on open files and the system's log.";
    PLACE_UNREACHABLE = "N401", Counterpart,
        "place not reachable",
        "The folder, storage or server where files are kept could not be reached, or did not do what was asked.",
        "See that it is there and reachable; the same is tried again by itself.";
    PLACE_REFUSED = "N402", Configuration,
        "place refuses",
        "The place is there and does not let us: permissions, credentials, a bucket or folder that does not exist.",
        "Correct the permissions there, or the credentials and names in `watashi.toml`.";
    PLACE_TIMEOUT = "N403", Counterpart,
        "place too slow",
        "The place did not answer within its time.",
        "See what slows it down; the same is tried again by itself.";
    PLACE_UNREADABLE = "N404", Counterpart,
        "place not understood",
        "The answer of the place is not what its protocol says.",
        "Look at what stands between: a proxy, another kind of server.";
    FILE_TOO_LARGE = "N405", Counterpart,
        "file too large",
        "A file is larger than `max-bytes`; it was not read.",
        "See what it is; raise `max-bytes` if it is right.";
    HOST_KEY = "N406", Configuration,
        "server not known",
        "The server's host key is not the one in the list of known hosts; nothing was sent to it.",
        "Find out by another way whether the key was changed; then renew `known-hosts`.";
    TOO_MANY_FILES = "N407", Counterpart,
        "too many files",
        "A folder holds more files than are listed at once.",
        "Move away what is done with.";
}
