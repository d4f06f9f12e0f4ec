//! Arbitrary bytes to the verifier of signatures: nothing but what one of two documents signs comes
//! back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use watashi::codec::signed::{Policy, Trust, verify};

static TRUST: LazyLock<Trust> = LazyLock::new(|| {
    let authority = include_str!("../../corpus/signature/authority.pem");
    let list = include_bytes!("../../corpus/signature/list.crl").to_vec();
    Trust::read(authority, &[list]).expect("the corpus is sound")
});

static GOOD: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let documents: [&[u8]; 2] = [
        include_bytes!("../seeds/signed/beside.xml"),
        include_bytes!("../seeds/signed/inside.xml"),
    ];
    documents.iter().map(|one| check(one).expect("the seed is sound")).collect()
});

fn check(bytes: &[u8]) -> Option<Vec<u8>> {
    let policy = Policy {
        path: vec!["package".to_owned(), "application".to_owned()],
        namespace: "urn:t".to_owned(),
        id: "Id".to_owned(),
    };
    let at = "2027-01-01T00:00:00Z".parse().expect("a time");
    verify(bytes, &policy, &TRUST, at).ok()
}

fuzz_target!(|bytes: &[u8]| {
    if let Some(content) = check(bytes) {
        assert!(GOOD.contains(&content), "something came back that nobody signed");
    }
});
