//! Functions over the numbers of people, bodies and places. Their results never show a digit of a
//! number that is refused.

use crate::mapping::facts::{Gives, transfer};
use crate::mapping::functions::{
    Accepts, Arguments, Function, Outcome, Returns, not_convertible, parameter, plain, text, value,
};
use crate::model::check_digit;

const ONE: &[crate::mapping::functions::Parameter] = &[parameter("text", Accepts::Text)];

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "valid-my-number",
        gives: Gives::By(transfer::boolean),
        doc: "Whether the text is a 個人番号 with a right check digit; all zeros is none.",
        examples: &[
            ("valid-my-number(\"123456789018\")", "true"),
            ("valid-my-number(\"123456789019\")", "false"),
            ("valid-my-number(\"000000000000\")", "false"),
        ],
        ..predicate(|a| value(check_digit::my_number(a.text(0))))
    },
    Function {
        name: "valid-corporate-number",
        gives: Gives::By(transfer::boolean),
        doc: "Whether the text is a 法人番号 with a right check digit.",
        examples: &[
            ("valid-corporate-number(\"7123456789012\")", "true"),
            ("valid-corporate-number(\"6123456789012\")", "false"),
        ],
        ..predicate(|a| value(check_digit::corporate_number(a.text(0))))
    },
    Function {
        name: "valid-municipality-code",
        gives: Gives::By(transfer::boolean),
        doc: "Whether the text is a 団体コード of six digits with a right check digit.",
        examples: &[
            ("valid-municipality-code(\"131237\")", "true"),
            ("valid-municipality-code(\"13123\")", "false"),
        ],
        ..predicate(|a| value(check_digit::municipality_code(a.text(0))))
    },
    Function {
        name: "valid-atena-number",
        gives: Gives::By(transfer::boolean),
        doc: "Whether the text is a 宛名番号 whose check digit follows the rule; older ones may not.",
        examples: &[
            ("valid-atena-number(\"000000000000019\")", "true"),
            ("valid-atena-number(\"123456789123456\")", "false"),
        ],
        ..predicate(|a| value(check_digit::atena_number_by_rule(a.text(0))))
    },
    Function {
        name: "with-check-digit",
        gives: Gives::By(transfer::texts::with_check_digit),
        parameters: &[
            parameter("body", Accepts::Text),
            parameter("kind", Accepts::OneOf(check_digit::KINDS)),
            parameter("ten", Accepts::OneOf(&["refuse", "zero"])),
        ],
        optional: 1,
        doc: "A number from its body; `ten` tells what a 宛名番号 does where the rule gives 10.",
        examples: &[
            ("with-check-digit(\"12345678901\", \"my-number\")", "\"123456789018\""),
            ("with-check-digit(\"123456789012\", \"corporate-number\")", "\"7123456789012\""),
            ("with-check-digit(\"00000000000001\", \"atena-number\")", "\"000000000000019\""),
            ("with-check-digit(\"00000000000006\", \"atena-number\")", "M304"),
            (
                "with-check-digit(\"00000000000006\", \"atena-number\", \"zero\")",
                "\"000000000000060\"",
            ),
            ("with-check-digit(\"1234\", \"my-number\")", "M304"),
        ],
        ..plain(with_check_digit)
    },
    Function {
        name: "municipality-5",
        gives: Gives::By(transfer::municipality_5),
        parameters: &[parameter("code", Accepts::Text)],
        doc: "The first five digits of a 団体コード of six, whose check digit must be right.",
        examples: &[
            ("municipality-5(\"131237\")", "\"13123\""),
            ("municipality-5(\"131230\")", "M304"),
        ],
        ..plain(municipality_5)
    },
    Function {
        name: "municipality-6",
        gives: Gives::By(transfer::texts::municipality_6),
        parameters: &[parameter("code", Accepts::Text)],
        doc: "A 団体コード of five digits with its check digit.",
        examples: &[
            ("municipality-6(\"13123\")", "\"131237\""),
            ("municipality-6(\"131237\")", "M304"),
        ],
        ..plain(|a| completed("municipality-code", a.text(0), false))
    },
    Function {
        name: "postal-code",
        gives: Gives::By(transfer::texts::postal_code),
        parameters: ONE,
        doc: "A 郵便番号 as seven digits, from that or from three and four with a hyphen.",
        examples: &[
            ("postal-code(\"163-8001\")", "\"1638001\""),
            ("postal-code(\"1638001\")", "\"1638001\""),
            ("postal-code(\"16-38001\")", "M304"),
        ],
        ..plain(postal_code)
    },
    Function {
        name: "mask",
        gives: Gives::By(transfer::texts::mask),
        parameters: &[parameter("text", Accepts::Text), parameter("shown", Accepts::Count)],
        doc: "The text with `*` for all characters but the last ones; its data class stays.",
        examples: &[
            ("mask(\"123456789018\", 4)", "\"********9018\""),
            ("mask(\"ab\", 4)", "\"ab\""),
        ],
        ..plain(mask)
    },
];

/// Whether a number is right: says nothing of the number itself.
const fn predicate(call: for<'v> fn(Arguments<'v, '_>) -> Outcome<'v>) -> Function {
    Function { parameters: ONE, returns: Returns::Boolean, carries: false, ..plain(call) }
}

fn with_check_digit<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    completed(arguments.text(1), arguments.text(0), arguments.text(2) == "zero")
}

fn completed<'v>(kind: &str, body: &str, zero_for_ten: bool) -> Outcome<'v> {
    match check_digit::complete(kind, body, zero_for_ten) {
        Some(number) => text(number),
        None => Err(not_convertible(format!("not a body of digits that gives a {kind}"))),
    }
}

fn municipality_5<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let code = arguments.text(0);
    match code.get(..5).filter(|_| check_digit::municipality_code(code)) {
        Some(five) => text(five),
        None => {
            Err(not_convertible("municipality-5: not a code of 6 digits whose last one checks"))
        }
    }
}

fn postal_code<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let source = arguments.text(0);
    let bare = match source.split_once('-') {
        Some((area, rest)) if area.len() == 3 => format!("{area}{rest}"),
        _ => source.to_owned(),
    };
    if bare.len() == 7 && bare.bytes().all(|byte| byte.is_ascii_digit()) {
        return text(bare);
    }
    Err(not_convertible("postal-code: not seven digits, nor three and four with a hyphen"))
}

fn mask<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let source = arguments.text(0);
    let hidden = source.chars().count().saturating_sub(arguments.count(1));
    let shown = source.chars().skip(hidden);
    text("*".repeat(hidden) + &shown.collect::<String>())
}
