//! The XML envelope of the intermediate server: reading requests, writing answers.

use crate::counterparts::xml::{self, Element, Fields, Form, escape};
use crate::counterparts::{Answer, Received, times};
use jiff::civil::Date;

/// Namespace of the provisional layout.
pub const NAMESPACE: &str = "urn:example:watashi:provisional:intermediate-server:1";

/// The checked header of a request.
#[derive(Clone, Debug)]
pub struct Header {
    /// MessageId: the idempotency key.
    pub message_id: String,
    /// SentAt: the day on which the sender made the message, in Japan.
    pub sent_on: Date,
}

/// Checks transport and header; gives the header and the body element.
pub fn open(request: &Received, interface: &str) -> Result<(Header, Element), Problem> {
    if request.method != "POST" {
        return Err(Problem::new(405, "only POST"));
    }
    if !is_xml(request.header("content-type").unwrap_or_default()) {
        return Err(Problem::new(415, "Content-Type is not application/xml; charset=utf-8"));
    }
    let root = xml::read(&request.body, NAMESPACE)?;
    let mut message = Fields::of(&root, "Message")?;
    let mut header = message.group("Header")?;
    let message_id = header.text("MessageId", Form::Identifier(128))?.to_owned();
    let message_type = header.text("MessageType", Form::Identifier(32))?;
    if message_type != format!("{interface}_R01") {
        return Err(Problem::new(200, "Header/MessageType does not fit the interface"));
    }
    header.text("Mode", Form::OneOf(&["1"]))?;
    header.text("SourceSystem", Form::Text(64))?;
    header.text("DestinationSystem", Form::Text(64))?;
    let sent_on = day_of(header.text("SentAt", Form::Moment)?)?;
    header.end()?;
    let body = message.child("Body")?.clone();
    message.end()?;
    Ok((Header { message_id, sent_on }, body))
}

/// The day of a moment, in Japan.
fn day_of(moment: &str) -> Result<Date, Problem> {
    let written = moment.parse::<jiff::Timestamp>().ok();
    let day = match written {
        Some(at) => Some(times::day(at.as_millisecond())),
        None => moment.get(..8).and_then(|day| Date::strptime("%Y%m%d", day).ok()),
    };
    day.ok_or_else(|| "Header/SentAt: no such day".to_owned().into())
}

/// MessageId of a request, as far as it can be seen.
pub fn message_id(request: &Received) -> String {
    let id = || {
        let root = xml::read(&request.body, NAMESPACE).ok()?;
        let mut header = Fields::of(&root, "Message").ok()?.group("Header").ok()?;
        header.text("MessageId", Form::Identifier(128)).ok().map(str::to_owned)
    };
    id().unwrap_or_default()
}

/// A request that is not as documented.
#[derive(Clone, Debug)]
pub struct Problem {
    /// HTTP status of the refusal; 200 stands for a refusal inside the envelope.
    pub status: u16,
    /// What is wrong; names elements only.
    pub text: String,
}

impl Problem {
    /// A problem with its HTTP status.
    pub fn new(status: u16, text: &str) -> Self {
        Problem { status, text: text.to_owned() }
    }

    /// The refusal, marked as a violation.
    pub fn answer(&self, interface: &str) -> Answer {
        let answer = Answer { status: self.status, ..refusal(interface, "E0201") };
        answer.violating(self.text.clone())
    }
}

impl From<String> for Problem {
    fn from(text: String) -> Self {
        Problem { status: 200, text }
    }
}

/// `Result 0` with a body (ready XML).
pub fn success(interface: &str, body: &str) -> Answer {
    envelope(interface, "<Result>0</Result>", body)
}

/// `Result E` with an error code.
pub fn refusal(interface: &str, code: &str) -> Answer {
    let result = format!("<Result>E</Result><ErrorCode>{}</ErrorCode>", escape(code));
    envelope(interface, &result, "")
}

fn envelope(interface: &str, result: &str, body: &str) -> Answer {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Message xmlns=\"{NAMESPACE}\"><Header>\
         <MessageType>{interface}_S01</MessageType></Header>{result}<Body>{body}</Body></Message>"
    );
    let content_type = "application/xml; charset=utf-8";
    Answer { status: 200, content_type, body: text.into_bytes(), violation: None }
}

fn is_xml(content_type: &str) -> bool {
    let text = content_type.to_ascii_lowercase().replace([' ', '"'], "");
    text == "application/xml;charset=utf-8"
}
