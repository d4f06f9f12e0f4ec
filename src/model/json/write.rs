//! Writes a document as compact JSON, the same bytes as `serde_json` writes.

use super::scan::plain;
use super::tree::{Kind, Node};
use std::io::Write;

/// Adds the document to `out`. Tells whether a text or a name holds NUL, which no counterpart
/// accepts.
pub fn write(node: Node<'_>, out: &mut Vec<u8>) -> bool {
    match node.kind() {
        Kind::Null => out.extend(b"null"),
        Kind::Bool(true) => out.extend(b"true"),
        Kind::Bool(false) => out.extend(b"false"),
        // Writing to memory cannot fail.
        Kind::Number(number) => drop(write!(out, "{number}")),
        Kind::Text(text) => return string(text, out),
        Kind::Array(elements) => {
            let (mut nul, mut lead) = (false, b'[');
            for element in elements.iter() {
                out.push(lead);
                nul |= write(element, out);
                lead = b',';
            }
            out.extend(if elements.is_empty() { &b"[]"[..] } else { b"]" });
            return nul;
        }
        Kind::Object(fields) => {
            let (mut nul, mut lead) = (false, b'{');
            for (name, member) in fields.iter() {
                out.push(lead);
                nul |= string(name, out);
                out.push(b':');
                nul |= write(member, out);
                lead = b',';
            }
            out.extend(if fields.is_empty() { &b"{}"[..] } else { b"}" });
            return nul;
        }
    }
    false
}

fn string(text: &str, out: &mut Vec<u8>) -> bool {
    let mut nul = false;
    let mut rest = text.as_bytes();
    out.push(b'"');
    while let Some((run, tail)) = rest.split_at_checked(plain(rest)) {
        out.extend_from_slice(run);
        let Some((byte, tail)) = tail.split_first() else { break };
        nul |= *byte == 0;
        match byte {
            b'"' => out.extend(b"\\\""),
            b'\\' => out.extend(b"\\\\"),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0x08 => out.extend(b"\\b"),
            0x0C => out.extend(b"\\f"),
            other => drop(write!(out, "\\u{other:04x}")),
        }
        rest = tail;
    }
    out.push(b'"');
    nul
}

#[cfg(test)]
mod tests {
    use super::write;
    use crate::model::json::{Limits, Node, read_tree};
    use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
    use serde_json::Value;

    fn documents() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[\"\\\\\u{0}-\u{1F}あa]{0,24}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            let name = "[\"\\\\a-c渡]{0,12}";
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((name, inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_same_bytes_as_serde_json_from_a_value_and_from_a_tree(document in documents()) {
            let expected = serde_json::to_vec(&document).unwrap();
            let mut bytes = Vec::new();
            let nul = write(Node::from(&document), &mut bytes);
            assert_eq!(bytes, expected);
            let text = String::from_utf8(expected.clone()).unwrap();
            assert_eq!(nul, text.contains("\\u0000"));
            let Ok(tree) = read_tree(&expected, &Limits::default()) else { return Ok(()) };
            let mut bytes = Vec::new();
            write(tree.node(), &mut bytes);
            assert_eq!(bytes, expected);
            assert_eq!(tree.node().to_value(), document);
            assert!(tree.node() == Node::from(&document));
            assert_eq!(tree.into_value(), document);
        }
    }
}
