//! decode(encode(document)) = document for layouts made by chance: nested XML and SOAP with
//! attributes, namespaces and nil; CSV and fixed width of any columns, charset and quoting.
//!
//! A schema is made first, then documents that are valid under it. Each case is told by its seed.

use super::*;
use proptest::prelude::*;
use serde_json::{Map, json};

/// Chance from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    /// Once in `count` times.
    fn once_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn text(&mut self, characters: &[char], least: usize, most: usize) -> String {
        let length = least + self.below(most - least + 1);
        (0..length).map(|_| *self.pick(characters)).collect()
    }

    fn integer(&mut self) -> i64 {
        let shift = self.below(64);
        (self.next() >> shift) as i64
    }

    fn number(&mut self) -> Value {
        loop {
            let bits = if self.once_in(2) { self.next() } else { self.integer().unsigned_abs() };
            let float =
                if self.once_in(2) { f64::from_bits(bits) } else { self.integer() as f64 / 8.0 };
            if let Some(number) = serde_json::Number::from_f64(float) {
                return Value::Number(number);
            }
        }
    }
}

/// What XML can carry and readers like to change.
const WILD: [char; 16] = [
    ' ', '\t', '\n', '\r', ']', '>', '&', '<', '"', '\'', 'a', '𠮷', '\u{E000}', '\u{85}',
    '\u{2028}', '　',
];

/// What every charset here has.
const PLAIN: [char; 14] =
    ['a', 'z', '0', '9', ' ', ',', '"', '\'', '&', 'あ', '髙', '①', 'ｶ', '＜'];

const NAMESPACES: [Option<(&str, Option<&str>)>; 5] = [
    None,
    None,
    Some(("urn:example:a", Some("a"))),
    Some(("urn:example:b", None)),
    Some(("urn:example:a?x=1&y=2", Some("b"))),
];

fn object(properties: Map<String, Value>, required: Vec<Value>) -> Value {
    json!({"type": "object", "additionalProperties": false, "required": required,
        "properties": properties})
}

fn scalar(dice: &mut Dice) -> Value {
    json!({"type": *dice.pick(&["string", "string", "integer", "number", "boolean"])})
}

/// An object whose members are attributes, elements, lists, or one text.
fn element(dice: &mut Dice, depth: usize) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    let has_text = dice.once_in(5);
    for index in 0..1 + dice.below(5) {
        let name = format!("m{index}");
        let mut shape = if has_text || dice.once_in(4) {
            let mut shape = scalar(dice);
            shape["xml"] = json!({"attribute": true});
            if dice.once_in(3) {
                shape["xml"] =
                    json!({"attribute": true, "namespace": "urn:example:a", "prefix": "q"});
            }
            shape
        } else {
            child(dice, depth)
        };
        if dice.once_in(3) {
            let layout = shape.as_object_mut().unwrap().entry("xml").or_insert(json!({}));
            layout["name"] = json!(format!("名{index}"));
        }
        let bare_list = shape["type"] == "array"
            && shape["xml"]["wrapped"] != true
            && shape["minItems"].is_null();
        if bare_list || dice.once_in(3) {
            required.push(json!(name));
        }
        properties.insert(name, shape);
    }
    if has_text {
        let mut text = scalar(dice);
        text["xml"] = json!({"text": true, "cdata": dice.once_in(3)});
        properties.insert("t".to_owned(), text);
        required.push(json!("t"));
    }
    object(properties, required)
}

fn child(dice: &mut Dice, depth: usize) -> Value {
    let mut layout = Map::new();
    if let Some((namespace, prefix)) = dice.pick(&NAMESPACES) {
        layout.insert("namespace".to_owned(), json!(namespace));
        if let Some(prefix) = prefix {
            layout.insert("prefix".to_owned(), json!(prefix));
        }
    }
    let simple = |dice: &mut Dice| {
        let shape =
            if depth > 0 && dice.once_in(2) { element(dice, depth - 1) } else { scalar(dice) };
        if !dice.once_in(4) {
            return shape;
        }
        let nil = object(
            Map::from_iter([("$nil".to_owned(), json!({"type": "string"}))]),
            vec![json!("$nil")],
        );
        json!({"oneOf": [shape, nil]})
    };
    let mut shape = match dice.below(4) {
        0 => json!({"type": "array", "minItems": 1, "items": simple(dice)}),
        1 if dice.once_in(2) => json!({"type": "array", "items": simple(dice)}),
        1 => {
            layout.insert("wrapped".to_owned(), json!(true));
            let mut items = simple(dice);
            if dice.once_in(2) {
                items["xml"] = json!({"name": "item"});
            }
            json!({"type": "array", "items": items})
        }
        _ => {
            let shape = simple(dice);
            if shape["type"] == "string" && dice.once_in(2) {
                layout.insert("cdata".to_owned(), json!(true));
            }
            shape
        }
    };
    if !layout.is_empty() {
        shape["xml"] = Value::Object(layout);
    }
    shape
}

/// A document that is valid under a schema made here.
fn document(dice: &mut Dice, schema: &Value, characters: &[char]) -> Value {
    if let Some(alternatives) = schema["oneOf"].as_array() {
        let chosen = &alternatives[dice.below(alternatives.len())];
        return document(dice, chosen, characters);
    }
    match schema["type"].as_str().unwrap() {
        "string" => Value::String(dice.text(characters, 0, 6)),
        "integer" => json!(dice.integer()),
        "number" => dice.number(),
        "boolean" => json!(dice.once_in(2)),
        "array" => {
            let least = schema["minItems"].as_u64().unwrap_or(0) as usize;
            let count = least + dice.below(3);
            (0..count).map(|_| document(dice, &schema["items"], characters)).collect()
        }
        _ => {
            let required = schema["required"].as_array().unwrap();
            let mut members = Map::new();
            for (name, shape) in schema["properties"].as_object().unwrap() {
                if required.contains(&json!(name)) || dice.once_in(2) {
                    members.insert(name.clone(), document(dice, shape, characters));
                }
            }
            Value::Object(members)
        }
    }
}

/// Writes and reads, and once more: the same document, and the same bytes.
fn comes_back(codec: &Codec, schema: &Value, document: &Value) -> Result<(), TestCaseError> {
    prop_assert_eq!(super::schema(schema).validate(document), Ok(()), "{} {}", schema, document);
    let bytes = codec.encode(document);
    prop_assert!(bytes.is_ok(), "{:?} {} {}", bytes, schema, document);
    let bytes = bytes.unwrap();
    let read = decode(codec, &bytes);
    let text = String::from_utf8_lossy(&bytes);
    prop_assert!(read.as_ref() == Ok(document), "{:?} {}\n{}\n{}", read, schema, document, text);
    prop_assert_eq!(codec.encode(&read.unwrap()).unwrap(), bytes);
    Ok(())
}

fn columns(dice: &mut Dice, layout: impl Fn(&mut Dice, &mut Value)) -> Value {
    let mut properties = Map::new();
    for index in 0..1 + dice.below(8) {
        let mut shape = scalar(dice);
        layout(dice, &mut shape);
        properties.insert(format!("c{index}"), shape);
    }
    object(properties, Vec::new())
}

const CHARSETS: [&str; 4] = ["utf-8", "cp932", "utf-16le", "utf-16be"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn xml_of_any_layout_comes_back(seed in any::<u64>()) {
        let dice = &mut Dice(seed);
        let mut schema = element(dice, 3);
        schema["x-xml"] = json!({"root": "root", "declaration": dice.once_in(2)});
        if let Some((namespace, prefix)) = dice.pick(&NAMESPACES) {
            schema["x-xml"]["namespace"] = json!(namespace);
            if let Some(prefix) = prefix {
                schema["x-xml"]["prefix"] = json!(prefix);
            }
        }
        let codec = codec(Format::Xml, &schema);
        for _ in 0..4 {
            let document = document(dice, &schema, &WILD);
            comes_back(&codec, &schema, &document)?;
            // White space between elements, and another name for each prefix, change nothing.
            let cut = dice.below(codec.encode(&document).unwrap().len());
            let bytes = codec.encode(&document).unwrap();
            prop_assert!(decode(&codec, &bytes[..cut]).is_err());
        }
    }

    #[test]
    fn soap_of_any_body_comes_back(seed in any::<u64>()) {
        let dice = &mut Dice(seed);
        let version = *dice.pick(&["1.1", "1.2"]);
        let mut body = element(dice, 2);
        body["xml"] = json!({"name": "Body", "namespace": "urn:example:body"});
        let mut block = scalar(dice);
        block["xml"] = json!({"namespace": "urn:example:h", "must-understand": dice.once_in(2)});
        let header = object(Map::from_iter([("block".to_owned(), block)]), Vec::new());
        let properties = Map::from_iter([("header".to_owned(), header), ("body".to_owned(), body)]);
        let mut schema = object(properties, Vec::new());
        schema["x-soap"] = json!({"version": version});
        let codec = codec(Format::Soap, &schema);
        for _ in 0..4 {
            let document = document(dice, &schema, &WILD);
            comes_back(&codec, &schema, &document)?;
        }
    }

    #[test]
    fn csv_of_any_columns_comes_back(seed in any::<u64>()) {
        let dice = &mut Dice(seed);
        let charset = *dice.pick(&CHARSETS);
        let quote = *dice.pick(&["always", "needed", "never"]);
        let items = columns(dice, |dice, shape| {
            if dice.once_in(3) {
                shape["x-csv-name"] = json!(format!("列{}", dice.next()));
            }
            if quote == "never" && shape["type"] == "string" {
                shape["minLength"] = json!(1);
            }
        });
        let mut schema = json!({"type": "array", "items": items});
        schema["x-csv"] = json!({"charset": charset, "quote": quote, "header": dice.once_in(2),
            "newline": *dice.pick(&["crlf", "lf"]), "bom": charset != "cp932" && dice.once_in(2)});
        let codec = codec(Format::Csv, &schema);
        for _ in 0..4 {
            let mut document = document(dice, &schema, &PLAIN);
            if quote == "never" {
                strip(&mut document, |c| matches!(c, ',' | '"'));
            }
            comes_back(&codec, &schema, &document)?;
        }
    }

    #[test]
    fn fixed_width_of_any_columns_comes_back(seed in any::<u64>()) {
        let dice = &mut Dice(seed);
        let charset = *dice.pick(&CHARSETS);
        let separator = *dice.pick(&[None, Some(","), Some("｜")]);
        let items = columns(dice, |dice, shape| {
            // Wide enough for any value in any charset.
            let mut layout = json!({"width": 48, "align": *dice.pick(&["left", "right"])});
            match shape["type"].as_str().unwrap() {
                "string" => {
                    layout["pad"] = json!(*dice.pick(&[" ", "　"]));
                    shape["minLength"] = json!(1);
                }
                "integer" if dice.once_in(2) => {
                    layout = json!({"width": 40, "pad": "0"});
                    shape["minimum"] = json!(0);
                }
                _ => {}
            }
            shape["x-fixed"] = layout;
        });
        let mut schema = json!({"type": "array", "items": items});
        schema["x-fixed"] = json!({"charset": charset, "unit": *dice.pick(&["chars", "bytes"]),
            "newline": *dice.pick(&["crlf", "lf", "none"]),
            "bom": charset != "cp932" && dice.once_in(2)});
        if let Some(separator) = separator {
            schema["x-fixed"]["separator"] = json!(separator);
        }
        let codec = codec(Format::Fixed, &schema);
        for _ in 0..4 {
            let mut document = document(dice, &schema, &PLAIN);
            strip(&mut document, |c| matches!(c, ' ' | '　' | ',' | '｜'));
            positive(&mut document, &schema["items"]);
            if fits_full_width(&schema) {
                comes_back(&codec, &schema, &document)?;
            } else if let Ok(bytes) = codec.encode(&document) {
                // A full-width pad fills only what is left in whole characters.
                prop_assert_eq!(decode(&codec, &bytes), Ok(document));
            }
        }
    }
}

/// Whether every pad fills every rest: it does in characters, not always in bytes.
fn fits_full_width(schema: &Value) -> bool {
    schema["x-fixed"]["unit"] == "chars"
}

/// Removes characters from all texts; what gets empty is left out.
fn strip(document: &mut Value, unwanted: fn(char) -> bool) {
    for row in document.as_array_mut().unwrap() {
        let members = row.as_object_mut().unwrap();
        for value in members.values_mut() {
            if let Value::String(text) = value {
                text.retain(|c| !unwanted(c));
            }
        }
        members.retain(|_, value| value.as_str() != Some(""));
    }
}

fn positive(document: &mut Value, items: &Value) {
    for row in document.as_array_mut().unwrap() {
        for (name, value) in row.as_object_mut().unwrap() {
            if let (false, Some(number)) =
                (items["properties"][name]["minimum"].is_null(), value.as_i64())
            {
                *value = json!(number.unsigned_abs());
            }
        }
    }
}
