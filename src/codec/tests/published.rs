//! The sample documents that the specifications themselves print: RFC 8259 §13, RFC 4180 §2,
//! XML 1.0 §2.8.

use super::*;
use crate::codec::json::decode_strict;
use serde_json::json;

#[test]
fn rfc_8259_section_13() {
    let image = r#"{
        "Image": {
            "Width":  800,
            "Height": 600,
            "Title":  "View from 15th Floor",
            "Thumbnail": {
                "Url":    "http://www.example.com/image/481989943",
                "Height": 125,
                "Width":  100
            },
            "Animated" : false,
            "IDs": [116, 943, 234, 38793]
          }
      }"#;
    let thumbnail =
        json!({"Url": "http://www.example.com/image/481989943", "Height": 125, "Width": 100});
    let expected = json!({"Image": {"Width": 800, "Height": 600, "Title": "View from 15th Floor",
        "Thumbnail": thumbnail, "Animated": false, "IDs": [116, 943, 234, 38793]}});
    assert_eq!(decode_strict(image.as_bytes(), &Limits::default()), Ok(expected));
    let places = r#"[
        {
           "precision": "zip",
           "Latitude":  37.7668,
           "Longitude": -122.3959,
           "Address":   "",
           "City":      "SAN FRANCISCO",
           "State":     "CA",
           "Zip":       "94107",
           "Country":   "US"
        },
        {
           "precision": "zip",
           "Latitude":  37.371991,
           "Longitude": -122.026020,
           "Address":   "",
           "City":      "SUNNYVALE",
           "State":     "CA",
           "Zip":       "94085",
           "Country":   "US"
        }
      ]"#;
    let place = |latitude: f64, longitude: f64, city: &str, zip: &str| {
        json!({"precision": "zip", "Latitude": latitude, "Longitude": longitude, "Address": "",
            "City": city, "State": "CA", "Zip": zip, "Country": "US"})
    };
    let expected = json!([
        place(37.7668, -122.3959, "SAN FRANCISCO", "94107"),
        place(37.371991, -122.02602, "SUNNYVALE", "94085"),
    ]);
    assert_eq!(decode_strict(places.as_bytes(), &Limits::default()), Ok(expected));
    for (text, value) in
        [("\"Hello world!\"", json!("Hello world!")), ("42", json!(42)), ("true", json!(true))]
    {
        assert_eq!(decode_strict(text.as_bytes(), &Limits::default()), Ok(value));
    }
}

#[test]
fn rfc_4180_section_2() {
    let csv = |header: bool| {
        let text = json!({"type": "string"});
        codec(
            Format::Csv,
            &json!({"x-csv": {"header": header}, "type": "array",
                "items": {"type": "object", "additionalProperties": false, "properties":
                    {"field_name1": text, "field_name2": text, "field_name3": text}}}),
        )
    };
    let row =
        |a: &str, b: &str, c: &str| json!({"field_name1": a, "field_name2": b, "field_name3": c});
    let (aaa, zzz) = (row("aaa", "bbb", "ccc"), row("zzz", "yyy", "xxx"));
    let plain = csv(false);
    let samples: [(&str, Value); 4] = [
        ("aaa,bbb,ccc\r\nzzz,yyy,xxx\r\n", json!([aaa, zzz])),
        ("\"aaa\",\"bbb\",\"ccc\"\r\nzzz,yyy,xxx\r\n", json!([aaa, zzz])),
        (
            "\"aaa\",\"b\r\nbb\",\"ccc\"\r\nzzz,yyy,xxx\r\n",
            json!([row("aaa", "b\r\nbb", "ccc"), zzz]),
        ),
        ("\"aaa\",\"b\"\"bb\",\"ccc\"\r\n", json!([row("aaa", "b\"bb", "ccc")])),
    ];
    for (text, expected) in samples {
        assert_eq!(decode(&plain, text), Ok(expected), "{text:?}");
    }
    let headed = "field_name1,field_name2,field_name3\r\naaa,bbb,ccc\r\nzzz,yyy,xxx\r\n";
    assert_eq!(decode(&csv(true), headed), Ok(json!([aaa, zzz])));
    // §2 rule 2 leaves the last line end open; here a file that is cut off is never a whole one.
    assert!(decode(&plain, "aaa,bbb,ccc\r\nzzz,yyy,xxx").is_err());
}

#[test]
fn xml_1_0_section_2_8() {
    let greeting = codec(
        Format::Xml,
        &json!({"x-xml": {"root": "greeting"}, "type": "object", "additionalProperties": false,
            "required": ["text"],
            "properties": {"text": {"type": "string", "xml": {"text": true}}}}),
    );
    let plain = "<greeting>Hello, world!</greeting>";
    let declared = format!("<?xml version=\"1.0\"?>\n{plain}\n");
    let internal = "<?xml version=\"1.0\" encoding=\"UTF-8\" ?>\n<!DOCTYPE greeting [\n  \
        <!ELEMENT greeting (#PCDATA)>\n]>\n<greeting>Hello, world!</greeting>\n";
    let external =
        format!("<?xml version=\"1.0\"?> <!DOCTYPE greeting SYSTEM \"hello.dtd\"> {plain}");
    assert_eq!(decode(&greeting, plain), Ok(json!({"text": "Hello, world!"})));
    assert_eq!(decode(&greeting, &declared), Ok(json!({"text": "Hello, world!"})));
    // Both are well-formed; a document type is refused all the same, because it can do harm.
    assert!(decode(&greeting, internal).is_err());
    assert!(decode(&greeting, &external).is_err());
}
