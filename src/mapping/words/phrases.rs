//! A phrase per function, in Japanese and English.
//!
//! `{1}`, `{2}` … stand for arguments, `{*}` for all of them; a part in brackets is left out where
//! its argument is. A phrase that names neither `{1}` nor `{*}` is a step: it stands behind an
//! arrow after its first argument.

use super::Language;

/// One function in words.
pub(crate) struct Phrase {
    /// Name of the function.
    pub name: &'static str,
    /// Japanese.
    pub ja: &'static str,
    /// English.
    pub en: &'static str,
}

const fn phrase(name: &'static str, ja: &'static str, en: &'static str) -> Phrase {
    Phrase { name, ja, en }
}

/// Every function that has a phrase, by topic.
pub(crate) static PHRASES: &[Phrase] = &[
    // choice
    phrase("if", "{1}場合は{2}、それ以外は{3}", "if {1} then {2}, else {3}"),
    phrase("present", "{1}に値がある", "{1} has a value"),
    phrase("reject", "拒否する（{1}）", "refuse ({1})"),
    phrase("nil", "値なし（理由: {1}）", "nil (reason: {1})"),
    phrase(
        "code",
        "コード表 {2} で変換[（表に無ければ{3}）]",
        "convert by code table {2}[ (if it has none: {3})]",
    ),
    // text
    phrase("string", "文字列にする", "as text"),
    phrase("trim", "前後の空白を除く", "trim white space"),
    phrase("upper", "大文字にする", "to capital letters"),
    phrase("lower", "小文字にする", "to small letters"),
    phrase("fullwidth", "全角にする", "to full width"),
    phrase("halfwidth", "半角にする", "to half width"),
    phrase("katakana", "カタカナにする", "to katakana"),
    phrase("hiragana", "ひらがなにする", "to hiragana"),
    phrase("replace", "{2}を{3}に置き換える", "replace {2} by {3}"),
    phrase("cut", "先頭{2}文字までにする", "cut to {2} characters"),
    phrase(
        "pad-left",
        "左を{3}で埋めて{2}文字にする",
        "pad with {3} on the left to {2} characters",
    ),
    phrase(
        "pad-right",
        "右を{3}で埋めて{2}文字にする",
        "pad with {3} on the right to {2} characters",
    ),
    phrase("concat", "{*}をつなげる", "{*} joined"),
    phrase("join", "間に{2}を入れてつなげる", "join with {2} in between"),
    phrase("split", "{2}で区切って分ける", "split at {2}"),
    phrase("length", "文字数を数える", "count the characters"),
    phrase("contains", "{1}が{2}を含む", "{1} contains {2}"),
    phrase("starts-with", "{1}が{2}で始まる", "{1} starts with {2}"),
    phrase("digits", "数字だけを残す", "keep the digits only"),
    // numbers
    phrase("decimal", "小数{2}桁の文字列にする", "with {2} decimal places"),
    phrase("integer", "整数にする", "as a whole number"),
    phrase("number", "数値にする", "as a number"),
    phrase("add", "{1}に{2}を足す", "{1} plus {2}"),
    phrase("subtract", "{1}から{2}を引く", "{1} minus {2}"),
    // dates
    phrase("date", "日付（YYYY-MM-DD）として確かめる", "as a date (YYYY-MM-DD)"),
    phrase("compact-date", "YYYYMMDDにする", "as YYYYMMDD"),
    phrase("from-compact-date", "YYYYMMDDから日付にする", "YYYYMMDD to a date"),
    phrase("wareki", "和暦にする", "to the Japanese era"),
    phrase("from-wareki", "和暦から西暦の日付にする", "from the Japanese era to a date"),
    phrase("date-add-days", "{2}日を加えた日付にする", "{2} days later"),
    phrase("age", "{2}における年齢にする", "age at {2}"),
    phrase("jst-date", "日本時間の日付にする", "date in Japan"),
    phrase(
        "jst-compact-datetime",
        "日本時間のYYYYMMDDhhmmssにする",
        "time in Japan as YYYYMMDDhhmmss",
    ),
    // arrays
    phrase("first", "最初の要素をとる", "take the first element"),
    phrase("last", "最後の要素をとる", "take the last element"),
    phrase("count", "件数を数える", "count the elements"),
    phrase("sort-by", "{2}の順に並べる", "sort by {2}"),
    phrase("flatten", "入れ子の配列を一列にする", "flatten nested arrays"),
    // others
    phrase("my-number-valid", "{1}の検査用数字が正しい", "{1} has a valid check digit"),
    phrase("municipality-5", "団体コードの先頭5桁にする", "municipality code without check digit"),
    phrase("json", "JSONとして読む", "read as JSON"),
    phrase("to-json", "JSONの文字列にする", "as JSON text"),
];

/// The phrase of a function; one without is named as it is.
pub(super) fn of(name: &str, language: Language) -> Option<&'static str> {
    let phrase = PHRASES.iter().find(|phrase| phrase.name == name)?;
    Some(match language {
        Language::Ja => phrase.ja,
        Language::En => phrase.en,
    })
}

/// The fields of `$meta`.
pub(super) fn meta(field: &str, language: Language) -> Option<&'static str> {
    let (ja, en) = match field {
        "messageId" => ("メッセージID", "the message id"),
        "messageType" => ("メッセージ種別", "the message type"),
        "source" => ("送信元", "the sender"),
        "municipality" => ("団体コード", "the municipality"),
        "operator" => ("操作者", "the operator"),
        "acceptedAt" => ("受付日時", "the time of acceptance"),
        "acceptedDate" => ("受付日", "the date of acceptance"),
        "idempotencyKey" => ("冪等キー", "the idempotency key"),
        "correlationId" => ("相関ID", "the correlation id"),
        "ticket" => ("受付票番号", "the counterpart's ticket"),
        _ => return None,
    };
    Some(match language {
        Language::Ja => ja,
        Language::En => en,
    })
}
