//! Signature Version 4 of requests to S3-compatible object storage.
//! Source: AWS, "Authenticating Requests (AWS Signature Version 4)", with its published example.

use aws_lc_rs::{digest, hmac};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What a request is signed with.
pub struct Key<'a> {
    /// Access key id.
    pub id: &'a str,
    /// Secret access key.
    pub secret: &'a [u8],
    /// Region.
    pub region: &'a str,
}

/// What is signed of a request. Header names are lower case, in order; `host` is among them.
pub struct Signed<'a> {
    /// Method.
    pub method: &'a str,
    /// Path, percent-encoded.
    pub path: &'a str,
    /// Query, each name and value percent-encoded, in the order of the names.
    pub query: &'a str,
    /// Headers but for `authorization`.
    pub headers: &'a [(String, String)],
    /// SHA-256 of the body, hexadecimal.
    pub digest: &'a str,
}

/// `20261201T090000Z`.
pub fn stamp(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// The value of `authorization`.
pub fn authorization(key: &Key<'_>, request: &Signed<'_>, stamp: &str) -> String {
    let names: Vec<&str> = request.headers.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let headers = request.headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim()));
    let headers: String = headers.collect();
    let canonical = format!(
        "{}\n{}\n{}\n{headers}\n{names}\n{}",
        request.method, request.path, request.query, request.digest
    );
    let day = stamp.get(..8).unwrap_or_default();
    let scope = format!("{day}/{}/s3/aws4_request", key.region);
    let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let first = [b"AWS4", key.secret].concat();
    let parts = [day, key.region, "s3", "aws4_request"];
    let signing = parts.iter().fold(first, |key, part| keyed(&key, part.as_bytes()));
    let signature = hex(&keyed(&signing, text.as_bytes()));
    format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={names},Signature={signature}",
        key.id
    )
}

fn keyed(key: &[u8], text: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{Key, Signed, authorization, sha256};

    /// The example "GET Object" of the documentation.
    #[test]
    fn signs_as_the_published_example() {
        let empty = sha256(b"");
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = [
            header("host", "examplebucket.s3.amazonaws.com"),
            header("range", "bytes=0-9"),
            header("x-amz-content-sha256", &empty),
            header("x-amz-date", "20130524T000000Z"),
        ];
        let key = Key {
            id: "AKIAIOSFODNN7EXAMPLE",
            secret: b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            region: "us-east-1",
        };
        let request = Signed {
            method: "GET",
            path: "/test.txt",
            query: "",
            headers: &headers,
            digest: &empty,
        };
        let value = authorization(&key, &request, "20130524T000000Z");
        assert!(
            value.ends_with(
                "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
            ),
            "{value}"
        );
    }
}
