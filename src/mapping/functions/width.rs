//! Functions over width and kana (半角・全角, ひらがな・カタカナ).

use crate::mapping::facts::{Gives, transfer};
use crate::mapping::functions::{Accepts, Arguments, Function, Outcome, kana, parameter, plain};
use std::borrow::Cow;

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "fullwidth",
        gives: Gives::By(transfer::fullwidth),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "ASCII and half-width kana in their full-width forms (半角→全角); kanji untouched.",
        examples: &[
            ("fullwidth(\"ｶﾞｯｺｳ 1-2\")", "\"ガッコウ　１－２\""),
            ("fullwidth(\"渡邉\")", "\"渡邉\""),
        ],
        ..plain(|a| a.map(|text| Ok(kana::fullwidth(text))))
    },
    Function {
        name: "halfwidth",
        gives: Gives::By(transfer::halfwidth),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "Full-width ASCII and katakana in their half-width forms (全角→半角).",
        examples: &[("halfwidth(\"ガッコウ　１\")", "\"ｶﾞｯｺｳ 1\"")],
        ..plain(|a| a.map(|text| Ok(kana::halfwidth(text))))
    },
    Function {
        name: "katakana",
        gives: Gives::By(transfer::katakana),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "Hiragana and half-width kana as full-width katakana; the rest untouched.",
        examples: &[("katakana(\"わたしｶﾞ渡\")", "\"ワタシガ渡\"")],
        ..plain(|a| a.map(|text| Ok(kana::katakana(text))))
    },
    Function {
        name: "hiragana",
        gives: Gives::By(transfer::hiragana),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "Katakana as hiragana; the rest untouched.",
        examples: &[("hiragana(\"ワタシー\")", "\"わたしー\"")],
        ..plain(|a| a.map(|text| Ok(kana::hiragana(text))))
    },
    Function {
        name: "fullwidth-kana",
        gives: Gives::By(transfer::texts::fullwidth_kana),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "Half-width kana as full-width katakana, with their voice marks; the rest untouched.",
        examples: &[("fullwidth-kana(\"ﾊﾟﾝ 1\")", "\"パン 1\"")],
        ..plain(|a| change(a, kana::fullwidth_kana))
    },
    Function {
        name: "halfwidth-kana",
        gives: Gives::By(transfer::texts::halfwidth_kana),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "Katakana and their punctuation in half width; hiragana and the rest untouched.",
        examples: &[("halfwidth-kana(\"パン１\")", "\"ﾊﾟﾝ１\"")],
        ..plain(|a| change(a, kana::halfwidth_kana))
    },
    Function {
        name: "fullwidth-ascii",
        gives: Gives::By(transfer::texts::fullwidth_ascii),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "ASCII in full width; kana and the rest untouched.",
        examples: &[("fullwidth-ascii(\"1-A ﾊﾟ\")", "\"１－Ａ　ﾊﾟ\"")],
        ..plain(|a| change(a, kana::fullwidth_ascii))
    },
    Function {
        name: "halfwidth-ascii",
        gives: Gives::By(transfer::texts::halfwidth_ascii),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "Full-width letters, digits, signs and spaces as ASCII; kana and the rest untouched.",
        examples: &[("halfwidth-ascii(\"１－Ａ　パ\")", "\"1-A パ\"")],
        ..plain(|a| change(a, kana::halfwidth_ascii))
    },
    Function {
        name: "compose-kana",
        gives: Gives::By(transfer::texts::compose_kana),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "Kana followed by a combining voice mark (U+3099, U+309A) as one character.",
        examples: &[
            ("compose-kana(\"か\u{3099}ハ\u{309A}\")", "\"がパ\""),
            ("compose-kana(\"あ\u{3099}\")", "\"あ\u{3099}\""),
        ],
        ..plain(|a| change(a, kana::compose_kana))
    },
    Function {
        name: "large-kana",
        gives: Gives::By(transfer::texts::large_kana),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "Small kana (拗音・促音) as large ones, as older systems write フリガナ.",
        examples: &[("large-kana(\"キョウコ ｯ\")", "\"キヨウコ ﾂ\"")],
        ..plain(|a| change(a, kana::large_kana))
    },
];

fn change<'v>(
    arguments: Arguments<'v, '_>,
    change: for<'t> fn(&'t str) -> Cow<'t, str>,
) -> Outcome<'v> {
    arguments.map(|text| Ok(change(text)))
}
