//! Keys: sealing of bodies and the keyed hashes (lane, idempotency key, pseudonym, fingerprint).
