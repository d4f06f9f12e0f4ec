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
}
