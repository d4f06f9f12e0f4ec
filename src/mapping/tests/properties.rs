//! What must hold for any input.

use super::{compile, file, mapping, meta, unproved};
use crate::mapping::Mapping;
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use serde_json::{Value, json};
use std::sync::LazyLock;

/// A mapping that uses every sort of rule.
static EVERYTHING: LazyLock<Mapping> = LazyLock::new(|| {
    mapping(
        r#"
tables: {kinds: {registered: "1", corrected: "2"}}
let:
  who: person
  last: doses | sort-by("date") | last
rules:
  kind: code(event, kinds, "3")
  subject: $who.atenaNumber ?? $meta.messageId | cut(15)
  count: count(doses)
  flag: present($last.lot) and not (revision > 3) or event in ["registered"]
  amount: amount | decimal(2) ?? "0.50"
  note: note | fullwidth | katakana | upper
  any: if(withdrawn, free, doses)
  "=value": concat(event, "-", revision) | cut(10)
  detail:
    when: present(person.sex)
    rules:
      sex: code(person.sex, sex)
      born: person.birthDate | date
  records:
    each: doses
    when: status == "done"
    let: {day: date}
    rules:
      date: $day
      lot: lot | halfwidth | upper
      parts: {each: parts, value: _}
  lots: {each: doses, value: lot}
"#,
    )
});

fn json_value() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just("event"),
        Just("person"),
        Just("doses"),
        Just("atenaNumber"),
        Just("lot"),
        Just("date"),
        Just("status"),
        Just("parts"),
        Just("amount"),
        Just("note"),
        Just("revision"),
        Just("$nil"),
        Just("withdrawn"),
        Just("sex"),
        Just("birthDate"),
        Just("free"),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop_oneof![
            Just("done"),
            Just("registered"),
            Just("2026-05-01"),
            Just("0.5"),
            Just("male")
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 80, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..10).prop_map(|members| {
                let named = members.into_iter().map(|(name, value)| (name.to_owned(), value));
                Value::Object(named.collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn any_document_is_mapped_or_rejected_and_twice_the_same(document in json_value()) {
        let first = EVERYTHING.run(&document, &meta());
        assert_eq!(first, EVERYTHING.run(&document, &meta()));
        let (lines, explained) = EVERYTHING.explain(&document, &meta());
        assert_eq!(first, explained);
        assert!(!lines.is_empty());
    }

    #[test]
    fn a_rejection_shows_no_value(secret in "[0-9]{12}|[ぁ-ん]{6,12}") {
        let document = json!({
            "event": secret, "amount": secret, "note": secret, "revision": secret,
            "person": {"atenaNumber": secret, "birthDate": secret, "sex": secret},
            "doses": [{"date": secret, "lot": secret, "status": secret}]
        });
        for rules in ["rules: {kind: 'event | from-wareki', subject: amount}",
                      "rules: {kind: '\"1\"', subject: 'note | from-compact-date'}",
                      "tables: {t: {a: '1'}}\nrules: {kind: 'code(amount, t)', subject: amount}",
                      "rules: {kind: '\"1\"', subject: 'person.birthDate | jst-date'}"] {
            let mapping = unproved(&file(rules)).0.unwrap();
            if let Err(rejection) = mapping.run(&document, &meta()) {
                assert!(!format!("{rejection:?}").contains(&secret));
            }
            let (lines, _) = mapping.explain(&document, &meta());
            assert!(!format!("{lines:?}").contains(&secret));
        }
    }

    #[test]
    fn any_file_is_compiled_or_reported(text in "[a-z:{}\\[\\]\" \n'|$.]{0,200}") {
        let (mapping, diagnostics) = compile(&file(&text));
        assert!(mapping.is_some() || !diagnostics.is_empty());
    }

    #[test]
    fn any_expression_is_compiled_or_reported(text in "[a-e$_.|()\\[\\],?=<> \"0-9-]{0,40}") {
        let escaped = text.replace('\'', "''");
        let (mapping, diagnostics) = compile(&file(&format!("rules: {{kind: '{escaped}', subject: x}}")));
        assert!(mapping.is_some() || !diagnostics.is_empty());
        let _ = crate::diagnostic::render::text(&diagnostics);
    }
}
