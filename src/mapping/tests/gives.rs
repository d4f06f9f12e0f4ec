//! What functions say of themselves before any message came, attacked: random arguments, facts that
//! hold of them, and the function run. A failure that was not told, or a value that the facts do
//! not admit, is a hole in the proof. `PROPTEST_CASES=40000` makes a long run of it.

use crate::mapping::facts::{Arrays, Facts, Gives, Numbers, Objects, Rest, Texts};
use crate::mapping::functions::{self, Accepts, Call, Function};
use crate::model::codes::mapping as codes;
use crate::schema::generate::Chance;
use crate::schema::has_form;
use proptest::prelude::{any, proptest};
use serde_json::{Value, json};
use std::sync::Arc;

const TEXTS: [&str; 64] = [
    "",
    " ",
    "　",
    "0",
    "7",
    "-7",
    "12",
    "007",
    "0.50",
    "-0.125",
    "1,234,567.50",
    "999",
    "1.0",
    "-0",
    "-0.0",
    "12345678901234567890",
    "00050",
    "123",
    "abc",
    " a b ",
    "ＡＢ　１",
    "ｶﾞｯｺｳ 1-2",
    "ガッコウ",
    "わたし",
    "は\u{3099}",
    "\u{3099}",
    "渡邉\u{E0101}x",
    "渡し船",
    "髙﨑㈱",
    "𠮷",
    "ß",
    "ΑΣ",
    "ﾞﾟ",
    "2026-06-01",
    "2024-02-29",
    "9999-12-31",
    "0000-01-01",
    "1872-12-31",
    "1989-01-07",
    "2019-05-01",
    "2019-04-30",
    "0100-01-01",
    "20260601",
    "19350400",
    "1935-04-00",
    "1935-00-00",
    "0000-00-00",
    "09:30",
    "23:59:59",
    "24:00",
    "2026-05-31T15:00:00Z",
    "2026-06-01T09:00:00.1239+09:00",
    "0001-01-01T00:00:00Z",
    "20260601090000",
    "昭和10年",
    "令和元",
    "令和8-06-01",
    "平成32年",
    "5080601",
    "12345678901",
    "123456789012",
    "00000000000",
    "13123",
    "163-8001",
];

const PATTERNS: [&str; 24] = [
    "^[0-9]+$",
    "^[0-9]*$",
    "^[0-9]{1,6}$",
    "^[0-9]{5}$",
    "^[0-9]{11}$",
    "^[0-9]{12}$",
    "^[0-9]{14}$",
    "^-?[0-9]{1,9}(\\.[0-9]{1,3})?$",
    "^-?[0-9]+$",
    "^[0-9]{0,8}$",
    "[1-9]",
    "\\S",
    "^[ァ-ヴー]*$",
    "^[ｦ-ﾟ]*$",
    "^[ｦ-ﾟ -~]*$",
    "^[ -~]*$",
    "^[^-]*$",
    "^(19|20)[0-9]{2}-",
    "^[0-9]{2}:[0-9]{2}",
    "^([01][0-9]|2[0-3]):[0-5][0-9]$",
    "^\\p{Han}*$",
    "^[a-z ]*$",
    "^[ぁ-ん\\x{3099}]*$",
    "^[0-9]{3}-[0-9]{4}$",
];

const FORMS: [&str; 6] =
    ["date", "date-time", "my-number", "corporate-number", "municipality-code", "atena-number"];

fn text(chance: &mut Chance) -> String {
    match chance.below(8) {
        0 => {
            let number = chance.below(20_000);
            let places = chance.below(100);
            let sign = if chance.below(3) == 0 { "-" } else { "" };
            format!("{sign}{number}.{places}")
        }
        1 | 2 => {
            let year = [1, 99, 1873, 1935, 1989, 2019, 2026, 9898][chance.below(8)];
            format!("{year:04}-{:02}-{:02}", chance.between(1, 12), chance.between(1, 28))
        }
        3 => (0..chance.below(16)).map(|_| char::from(b'0' + chance.below(10) as u8)).collect(),
        4 => {
            let letters: Vec<char> = TEXTS.concat().chars().collect();
            (0..chance.below(6)).map(|_| letters[chance.below(letters.len())]).collect()
        }
        _ => TEXTS[chance.below(TEXTS.len())].to_owned(),
    }
}

fn number(chance: &mut Chance) -> Value {
    match chance.below(8) {
        0 => json!(chance.below(20_000)),
        1 => json!(-(chance.below(200) as i64)),
        2 => json!(0.5),
        3 => json!(2.0),
        4 => json!(-1e-7),
        5 => json!([i64::MAX, i64::MIN, 9_007_199_254_740_991, 10_000][chance.below(4)]),
        _ => json!(chance.below(12)),
    }
}

fn value(chance: &mut Chance, depth: usize) -> Value {
    match chance.below(if depth == 0 { 9 } else { 13 }) {
        0..=3 => json!(text(chance)),
        4..=6 => number(chance),
        7 => json!(chance.below(2) == 0),
        8 if depth < 2 => Value::Null,
        9 | 10 => array(chance, depth - 1),
        _ => {
            let mut members = serde_json::Map::new();
            for name in ["n", "m"] {
                if chance.below(4) > 0 {
                    members.insert(name.into(), value(chance, depth.saturating_sub(1)));
                }
            }
            Value::Object(members)
        }
    }
}

/// Elements that are mostly of one kind, as in documents.
fn array(chance: &mut Chance, depth: usize) -> Value {
    let kind = chance.below(5);
    let one = |chance: &mut Chance| match kind {
        0 => json!(text(chance)),
        1 => json!(chance.below(50)),
        2 => json!({"n": chance.below(3), "m": text(chance)}),
        3 => number(chance),
        _ => value(chance, depth),
    };
    (0..chance.below(5)).map(|_| one(chance)).collect()
}

fn argument(kind: Accepts, chance: &mut Chance) -> Value {
    let found = match kind {
        Accepts::OneOf(allowed) => json!(allowed[chance.below(allowed.len())]),
        Accepts::Field => json!(["n", "m", "n.m"][chance.below(3)]),
        Accepts::DatePattern => {
            let all = [
                "yyyy-MM-dd",
                "yyyyMMdd",
                "yyyy/M/d",
                "GGGGE年M月d日",
                "GG e/M/d",
                "GeeMMdd",
                "NeeMMdd",
                "yyyy(e).",
            ];
            json!(all[chance.below(all.len())])
        }
        Accepts::Count => {
            let most = if chance.below(4) == 0 { 60 } else { 8 };
            json!(chance.below(most))
        }
        Accepts::Character => json!(["0", " ", "　", "x", "é"][chance.below(5)]),
        Accepts::Integer => number(chance),
        Accepts::Array => array(chance, 2),
        Accepts::Table => json!({"髙": "高", "a": 1, "7": null, "": true}),
        Accepts::Text | Accepts::NonEmpty => json!(text(chance)),
        Accepts::TextOrNumber if chance.below(2) == 0 => json!(text(chance)),
        Accepts::TextOrNumber => number(chance),
        _ => value(chance, 2),
    };
    if kind.admits(&found) { found } else { argument(kind, chance) }
}

/// Facts that hold of a text, and of others.
fn wider_text(text: &str, chance: &mut Chance) -> Texts {
    let length = text.chars().count();
    let mut texts = match chance.below(4) {
        0 => Texts::any(),
        1 => Texts::listed([text.to_owned(), "7".to_owned(), "2020-02-02".to_owned()]),
        _ => {
            let least = length.saturating_sub(chance.below(3));
            Texts::of_length(least, Some(length + chance.below(3)))
        }
    };
    if texts.only.is_some() {
        return texts;
    }
    for pattern in PATTERNS {
        if chance.below(2) == 0 && Texts::matching(pattern).may_be(text) {
            texts = texts.with_pattern(Arc::from(pattern));
        }
    }
    for form in FORMS.into_iter().filter(|form| has_form(form, text)) {
        texts = texts.with_form(form);
        if let Some(pattern) = crate::mapping::facts::pattern_of(form) {
            texts = texts.with_pattern(Arc::from(pattern));
        }
    }
    texts
}

/// Facts that hold of a value, and of others like it.
fn wider(value: &Value, chance: &mut Chance) -> Facts {
    match value {
        Value::String(text) if chance.below(5) > 0 => wider_text(text, chance).into(),
        Value::Number(number) if chance.below(3) > 0 => {
            let value = number.as_f64().unwrap();
            let whole = crate::mapping::facts::is_whole(number);
            let by = [0.0, 1.0, 30.0][chance.below(3)];
            Numbers { least: value - by, most: value + by, whole, ..Numbers::any() }.into()
        }
        Value::Array(elements) if chance.below(5) > 0 => {
            let element = elements.iter().map(|one| wider(one, chance));
            let element = element.fold(Facts::never(), Facts::or);
            let least = elements.len().saturating_sub(chance.below(2));
            let most = (chance.below(3) > 0).then(|| elements.len() + chance.below(2));
            Arrays { least, most, element: Some(element) }.into()
        }
        Value::Object(members) => {
            let members = members.iter().map(|(name, one)| {
                let facts = wider(one, chance);
                let may_lack = chance.below(2) == 0;
                let facts = if may_lack { facts.or(Facts::absent()) } else { facts };
                (Arc::from(name.as_str()), facts)
            });
            Facts::object(Objects { members: members.collect(), rest: Rest::None })
        }
        other => Facts::of(other),
    }
}

/// Whether facts admit a value, down to what is inside of it and to the forms of texts.
fn describes(facts: &Facts, value: &Value) -> bool {
    match value {
        Value::String(text) => facts.texts.iter().any(|texts| {
            let forms = texts.forms.iter().filter(|form| FORMS.contains(&form.as_ref()));
            texts.may_be(text) && forms.into_iter().all(|form| has_form(form, text))
        }),
        Value::Array(elements) => facts.arrays.iter().any(|array| {
            array.least <= elements.len()
                && array.most.is_none_or(|most| elements.len() <= most)
                && array
                    .element
                    .as_ref()
                    .is_none_or(|element| elements.iter().all(|one| describes(element, one)))
        }),
        Value::Object(members) => facts.objects.iter().chain(&facts.nils).any(|object| {
            let named =
                object.members.iter().all(|(name, facts)| match members.get(name.as_ref()) {
                    Some(member) => describes(facts, member),
                    None => facts.absent,
                });
            let mut names = members.keys();
            named
                && names.all(|name| {
                    let facts = object.member(name);
                    describes(&facts, &members[name])
                })
        }),
        scalar => facts.may_be(scalar),
    }
}

/// Runs a function once.
fn attack(function: &Function, tell: fn(&[Facts]) -> crate::mapping::facts::Given, seed: u64) {
    let mut chance = Chance::new(seed);
    let least = function.parameters.len() - function.optional;
    let most = function.parameters.len() + if function.variadic { 2 } else { 0 };
    let many = chance.between(least, most);
    let kinds: Vec<Accepts> =
        (0..many).map(|index| function.parameter(index).unwrap().kind).collect();
    let values: Vec<Value> = kinds.iter().map(|kind| argument(*kind, &mut chance)).collect();
    // What stands for nothing never comes to a function.
    if values.iter().any(|one| one.is_null() || functions::is_nil(one)) {
        return;
    }
    let facts: Vec<Facts> = kinds
        .iter()
        .zip(&values)
        .map(|(kind, value)| {
            let exact = kind.is_literal() || *kind == Accepts::Table || chance.below(4) == 0;
            let facts = if exact { Facts::of(value) } else { wider(value, &mut chance) };
            kind.part_of(&facts)
        })
        .collect();
    // A part of the facts that its parameter does not admit is told of elsewhere.
    if !facts.iter().zip(&values).all(|(facts, value)| describes(facts, value)) {
        return;
    }
    let given = tell(&facts);
    let told = || format!("{} of {values:?}\nknown: {facts:?}\ntold: {given:?}", function.name);
    match functions::apply(function.name, &values).expect("arguments of the right kinds") {
        Err(fail) if fail.code == &codes::LIMIT => {}
        Err(fail) => assert!(given.fails.is_some(), "{fail:?}: {}", told()),
        Ok(None) => assert!(given.facts.absent, "absent: {}", told()),
        Ok(Some(value)) => assert!(describes(&given.facts, &value), "{value}: {}", told()),
    }
}

fn tellers()
-> impl Iterator<Item = (&'static Function, fn(&[Facts]) -> crate::mapping::facts::Given)> {
    functions::all().filter_map(|function| match (function.gives, function.call) {
        (Gives::By(tell), Call::Plain(_)) => Some((function, tell)),
        _ => None,
    })
}

proptest! {
    // The same documents in every run: what a longer run (PROPTEST_CASES) finds is found again.
    #![proptest_config(proptest::test_runner::Config {
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        ..proptest::test_runner::Config::default()
    })]

    #[test]
    fn what_a_function_says_of_itself_is_true(seed in any::<u64>()) {
        for (function, tell) in tellers() {
            attack(function, tell, seed);
        }
    }
}

/// Every function over values says what it gives.
#[test]
fn no_function_is_unknown() {
    let unknown = functions::all().filter(|function| {
        matches!((function.gives, function.call), (Gives::Unknown, Call::Plain(_)))
    });
    let names: Vec<&str> = unknown.map(|function| function.name).collect();
    assert!(names.is_empty(), "{names:?}");
}
