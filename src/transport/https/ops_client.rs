//! One request to the ops listener of a gateway that runs on this machine: plain HTTP/1.1, one
//! connection, bounded in time and size.

use crate::model::codes::transport as codes;
use crate::model::{Code, Secret};
use crate::transport::SendError;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Limit for the whole exchange of an act.
pub const TIMEOUT: Duration = Duration::from_secs(15);
/// Largest answer read, in bytes: a body of the largest size plus its head.
const MAX_ANSWER: u64 = (100 << 20) + 16_384;

/// Posts a JSON value with a bearer token; the status and the body of the answer, which may take
/// `limit` altogether.
///
/// # Errors
/// `N201` when nobody listens there, `N211` and `N215` for no answer in time or none in HTTP.
pub async fn post_act(
    address: SocketAddr,
    token: &Secret<String>,
    path: &str,
    json: &Value,
    limit: Duration,
) -> Result<(u16, Vec<u8>), SendError> {
    if token.expose().contains(|c: char| c.is_control()) {
        return Err(failed(&codes::REQUEST_MALFORMED, "the token holds a control character"));
    }
    let body = json.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        token.expose(),
        body.len()
    );
    let request = Secret::new(head + &body);
    let answer = tokio::time::timeout(limit, exchange(address, &request))
        .await
        .map_err(|_| failed(&codes::ANSWER_TIMEOUT, "no answer in time"))??;
    parse(answer).ok_or_else(|| failed(&codes::ANSWER_UNREADABLE, "the answer is not HTTP"))
}

async fn exchange(address: SocketAddr, request: &Secret<String>) -> Result<Vec<u8>, SendError> {
    let lost = |error: std::io::Error| failed(&codes::CONNECTION_LOST, &error.kind().to_string());
    let mut stream = TcpStream::connect(address).await.map_err(|error| SendError {
        before_first_byte: true,
        ..failed(&codes::CONNECT_FAILED, &error.kind().to_string())
    })?;
    stream.write_all(request.expose().as_bytes()).await.map_err(lost)?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer).await.map_err(lost)?;
    Ok(answer)
}

/// Status and body; `None` for what is not a complete answer with a content length.
fn parse(mut answer: Vec<u8>) -> Option<(u16, Vec<u8>)> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let body = answer.split_off(end + 4);
    let head = std::str::from_utf8(&answer).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let lengths = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())
    });
    // A cut answer must not pass for a whole one.
    let whole = lengths.flatten().last() == Some(body.len());
    whole.then_some((status, body))
}

fn failed(code: &'static Code, detail: &str) -> SendError {
    SendError { before_first_byte: false, code, detail: detail.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn whole_answers_are_read_and_cut_ones_refused() {
        let answer = |text: &str| parse(text.as_bytes().to_vec());
        let good = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(answer(good), Some((200, b"{}".to_vec())));
        for bad in [
            "",
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\n\r\n{}",
            "HTTP/1.1 2\r\ncontent-length: 0\r\n\r\n",
            "SSH-2.0\r\n\r\n",
        ] {
            assert_eq!(answer(bad), None, "{bad:?}");
        }
    }
}
