//! Codes `G85…` to `G87…`: what is fetched is proved before it is taken over.
//!
//! 850 signatures, 860 attachments, 870 whom it is about.

codes! {
    SIGNATURE_MISSING = "G851", Sender, "signature missing",
        "The document has no signature, or it does not stand where one is declared to stand. Nothing of it went on.",
        "Find out at the counterpart why it was handed out unsigned. It cannot be replayed into being signed.";
    SIGNATURE_ALTERED = "G852", Sender, "document or signature altered",
        "What was signed is not what came: the digest of the signed node, or the signature over it, does not agree. Nothing of it went on.",
        "Treat it as an incident: ask the counterpart for the original, keep the dead letter as evidence.";
    SIGNATURE_WRAPPED = "G853", Sender, "what is signed is not what would be read",
        "The signature speaks of another element than the declared one, an id stands twice, there are several signatures, something unsigned stands beside, or the signed document is that of another item. Nothing of it went on.",
        "Treat it as an attack: keep the dead letter as evidence, tell the counterpart.";
    SIGNATURE_UNSUPPORTED = "G854", Sender, "signature of a form that is not accepted",
        "An algorithm, transform, key or construction that is not in the list of those accepted, among them SHA-1, keys under 2048 bits, HMAC and several references. Nothing of it went on.",
        "See the detail; what is accepted is in docs/drivers/signature.md. If the counterpart's own layout needs more, it is a change of the gateway.";
    SIGNATURE_UNTRUSTED = "G855", Sender, "signer not trusted",
        "The certificate of the signature does not lead to an authority of the trust store, or may not be used to sign. Nothing of it went on.",
        "Check who signed. If an authority is missing in `[counterpart.NAME.trust.STORE]`, add it after its fingerprint was compared, then replay.";
    SIGNATURE_EXPIRED = "G856", Sender, "signer's certificate not valid at receipt",
        "A certificate of the signature had ended, or not begun, when the document was received. Nothing of it went on.",
        "The person must apply again with a valid certificate; check the gateway's clock if it happens to all.";
    SIGNATURE_REVOKED = "G857", Sender, "signer's certificate revoked",
        "A revocation list of the trust store names a certificate of the signature. Nothing of it went on.",
        "The person must apply again with a valid certificate.";
    REVOCATION_UNKNOWN = "G858", Gateway, "revocation status not known",
        "No revocation list that is in force speaks of the signer's certificate: it is missing, or past its own `nextUpdate`. The document waits at the counterpart and is fetched again.",
        "Renew the lists of `[counterpart.NAME.trust.STORE]`; nothing else is needed.";
    SIGNED_NOT_READABLE = "G859", Sender, "signed document not readable",
        "The document is not XML in UTF-8, has a document type, an entity, a comment or a processing instruction, or exceeds a limit. Nothing of it went on.",
        "See the detail for the place; ask the counterpart for a correct document.";
    SCAN_FOUND = "G861", Sender, "malware found",
        "The scanner found what its signature of the given name knows, in what came or in a file that stands in it. Nothing of it went on.",
        "Treat it as an incident: do not open the dead letter's body on a work machine, tell the counterpart. If the finding is wrong, correct the scanner's database, then replay: it is scanned again.";
    SCAN_NOT_LOOKED_INTO = "G862", Sender, "a file cannot be looked into",
        "It is protected by a password, or deeper or larger within than the scanner unpacks. What was not looked at does not go on.",
        "Ask for the same without password. If the scanner's own limits are too low, raise them, then replay.";
    SCAN_TOO_LARGE = "G863", Gateway, "larger than the scanner takes",
        "What came, or a file in it, has more bytes than `[scanner] max-bytes`, or than `StreamMaxLength` of clamd.conf. Nothing of it went on.",
        "Raise both, `max-bytes` not above `StreamMaxLength`, then replay.";
    SCAN_NOT_DECODED = "G864", Sender, "a file in the document cannot be decoded",
        "A member that `scan.files` names is not base64, so that the file in it cannot be scanned as the file it is. Nothing of it went on.",
        "Ask the counterpart for a correct document; if the layout is another one, correct `scan.files` of the adapter, then replay.";
    SCANNER_DOWN = "G865", Gateway, "scanner not reachable",
        "What came must be scanned before it goes on, and no scanner answers. It waits where it came from and is taken when there is one.",
        "Start clamd, see that its socket stands where `[scanner]` says and that the gateway may open it; nothing else is needed.";
    SCAN_FAILED = "G866", Gateway, "the scanner gave no verdict",
        "The scanner answered with an error, broke off or took too long. What came waits where it came from and is scanned again.",
        "See the scanner's log. If it happens to one item only, it may be what that item holds: raise `[scanner] timeout` or the scanner's memory.";
}
