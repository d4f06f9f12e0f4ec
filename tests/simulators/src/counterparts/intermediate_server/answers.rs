//! What others answer to inquiries: vaccinations, or items of other information.

use super::{ITEMS, Inquiry, processing_number};
use crate::counterparts::holdings::Item;
use crate::random::{Random, hash};

/// The body of the answer, and what it says.
pub(super) fn answer(
    processing: &str,
    inquiry: &Inquiry,
    available: bool,
    by_item: bool,
    seed: u64,
) -> (String, Item) {
    let status = if available { "answered" } else { "not-available" };
    let mut said = Item::from([
        ("status".to_owned(), status.to_owned()),
        ("person".to_owned(), inquiry.person.clone()),
    ]);
    let (content, told) = match (by_item, available) {
        (false, true) => records(inquiry, seed),
        (true, true) => items(inquiry, seed),
        (_, false) => (String::new(), String::new()),
    };
    said.insert("content".to_owned(), told);
    let content = match by_item {
        false => format!("<Records>{content}</Records>"),
        true => {
            let code = &inquiry.information;
            said.insert("information".to_owned(), code.clone());
            format!("<InformationCode>{code}</InformationCode><Items>{content}</Items>")
        }
    };
    let body = format!(
        "<Answer>{}<PersonNumber>{}</PersonNumber><Availability>{}</Availability>{content}</Answer>",
        processing_number(processing),
        inquiry.person,
        if available { "1" } else { "2" },
    );
    (body, said)
}

/// What another municipality holds: one to three doses, the same for the same person and seed.
fn records(inquiry: &Inquiry, seed: u64) -> (String, String) {
    let mut random = Random::new(seed ^ hash(inquiry.person.as_bytes()), &inquiry.information);
    let (mut text, mut told) = (String::new(), Vec::new());
    for dose in 1..=random.between(1, 3) {
        let day = format!("2025-{:02}-{:02}", random.between(1, 12), random.between(1, 28));
        let values = ["A01".to_owned(), dose.to_string(), day, format!("EX{}", random.digits(4))];
        told.push(values.join("/"));
        text.push_str("<Record>");
        for ((code, _), value) in ITEMS.iter().zip(values) {
            text.push_str(&format!("<{code}>{value}</{code}>"));
        }
        text.push_str("</Record>");
    }
    (text, told.join(" "))
}

/// What others know beside vaccinations: amounts of tax, a household.
fn items(inquiry: &Inquiry, seed: u64) -> (String, String) {
    let mut random = Random::new(seed ^ hash(inquiry.person.as_bytes()), &inquiry.information);
    let all: &[(&str, &str)] = match inquiry.information.as_str() {
        "TM00000000000002" => &[
            ("TK00000200000010", "市町村民税均等割額"),
            ("TK00000200000020", "市町村民税所得割額"),
        ],
        "TM00000000000001" => &[("TK00000100000010", "世帯構成")],
        _ => &[("TK00005000000010", "医療給付の種類")],
    };
    let (mut text, mut told) = (String::new(), Vec::new());
    for (code, name) in all {
        let value = format!("{}", random.between(0, 90) * 100);
        text.push_str(&format!("<Item><ItemCode>{code}</ItemCode><Value>{value}</Value></Item>"));
        told.push(format!("{name}={value}"));
    }
    (text, told.join(" "))
}
