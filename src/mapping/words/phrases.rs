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
    phrase("digits", "数字だけであることを確かめる", "refused unless digits"),
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
        "日本時間の17桁（YYYYMMDDhhmmssミリ秒）にする",
        "time in Japan as 17 digits",
    ),
    // arrays
    phrase("first", "最初の要素をとる", "take the first element"),
    phrase("last", "最後の要素をとる", "take the last element"),
    phrase("count", "件数を数える", "count the elements"),
    phrase("sort-by", "{2}の順に並べる", "sort by {2}"),
    phrase("flatten", "入れ子の配列を一列にする", "flatten nested arrays"),
    // others
    phrase("municipality-5", "団体コードの先頭5桁にする", "municipality code without check digit"),
    phrase("to-json", "JSONの文字列にする", "as JSON text"),
    phrase("has-code", "{1}がコード表 {2} にある", "{1} is in code table {2}"),
    phrase(
        "code-at",
        "コード表 {2}（{3}時点）で変換[（表に無ければ{4}）]",
        "convert by code table {2} as of {3}[ (if it has none: {4})]",
    ),
    phrase(
        "code-of",
        "コード表 {2} を逆に引く[（表に無ければ{3}）]",
        "convert by code table {2} read backwards[ (if it has none: {3})]",
    ),
    phrase("otherwise", "{1}（変換できなければ{2}）", "{1} (where it cannot be converted, {2})"),
    phrase("matching", "形式{2}であることを確かめる", "refused unless it matches {2}"),
    phrase("try", "{1}（変換できなければ無し）", "{1} (absent where it cannot be converted)"),
    // text
    phrase("trim-start", "先頭の空白を除く", "trim white space at the beginning"),
    phrase("trim-end", "末尾の空白を除く", "trim white space at the end"),
    phrase("collapse-spaces", "連続する空白を{2}1つにする", "collapse white space into {2}"),
    phrase("non-blank", "空白だけなら無しとする", "absent when blank"),
    phrase("absent-if", "{2}なら無しとする", "absent when it is {2}"),
    phrase("replace-table", "コード表 {2} で文字列を置き換える", "replace parts by code table {2}"),
    phrase("ends-with", "{1}が{2}で終わる", "{1} ends with {2}"),
    phrase("keep-digits", "数字だけを残す", "keep the digits only"),
    phrase("fullwidth-kana", "半角カナを全角にする", "kana to full width"),
    phrase("halfwidth-kana", "カタカナを半角にする", "kana to half width"),
    phrase(
        "fullwidth-ascii",
        "英数字・記号を全角にする",
        "letters, digits and signs to full width",
    ),
    phrase(
        "halfwidth-ascii",
        "英数字・記号を半角にする",
        "letters, digits and signs to half width",
    ),
    phrase("compose-kana", "濁点・半濁点を1文字にまとめる", "compose voice marks"),
    phrase("large-kana", "小書きのかなを大きくする", "small kana to large ones"),
    phrase("tail", "末尾{2}文字をとる", "the last {2} characters"),
    phrase("skip", "先頭{2}文字を除く", "without the first {2} characters"),
    phrase("at-most", "{2}文字以内であることを確かめる", "refused beyond {2} characters"),
    phrase("byte-length", "{2}でのバイト数を数える", "count the bytes in {2}"),
    phrase("cut-bytes", "{3}で{2}バイトまでにする", "cut to {2} bytes in {3}"),
    phrase(
        "pad-left-bytes",
        "左を{3}で埋めて{2}バイトにする",
        "pad with {3} on the left to {2} bytes",
    ),
    phrase(
        "pad-right-bytes",
        "右を{3}で埋めて{2}バイトにする",
        "pad with {3} on the right to {2} bytes",
    ),
    phrase("mask", "末尾{2}文字以外を*にする", "mask all but the last {2} characters"),
    // numbers
    phrase("multiply", "{1}に{2}を掛ける", "{1} times {2}"),
    phrase("quotient", "{1}を{2}で割った商", "how many whole times {2} goes into {1}"),
    phrase("remainder", "{1}を{2}で割った余り", "what is left of {1} after division by {2}"),
    phrase("decimal-add", "{1}に{2}を足す（小数）", "{1} plus {2} (decimals)"),
    phrase("decimal-subtract", "{1}から{2}を引く（小数）", "{1} minus {2} (decimals)"),
    phrase("decimal-multiply", "{1}に{2}を掛ける（小数）", "{1} times {2} (decimals)"),
    phrase(
        "decimal-divide",
        "{1}を{2}で割り、小数{3}桁にする（{4}）",
        "{1} divided by {2}, with {3} decimal places ({4})",
    ),
    phrase("decimal-compare", "{1}と{2}の大小を比べる", "compare {1} with {2}"),
    phrase("decimal-sum", "小数を合計する", "the sum of the decimals"),
    phrase("round", "小数{2}桁に丸める（{3}）", "round to {2} decimal places ({3})"),
    phrase("between", "{1}が{2}以上{3}以下である", "{1} is from {2} to {3}"),
    phrase("within", "{2}以上{3}以下であることを確かめる", "refused outside of {2} to {3}"),
    phrase("thousands", "3桁ごとにカンマを入れる", "with commas between thousands"),
    phrase("from-thousands", "カンマを除いて数にする", "without commas between thousands"),
    phrase("zero-pad", "ゼロで埋めて{2}桁にする", "fill with zeros to {2} digits"),
    phrase("from-implied", "下{2}桁を小数とみなす", "the last {2} digits as decimal places"),
    phrase("to-implied", "小数点を省いて小数{2}桁にする", "with {2} decimal places and no point"),
    phrase("sum", "合計する", "the sum"),
    // identifiers
    phrase("valid-my-number", "{1}の検査用数字が正しい", "{1} has the check digit of a 個人番号"),
    phrase(
        "valid-corporate-number",
        "{1}の検査用数字が正しい",
        "{1} has the check digit of a 法人番号",
    ),
    phrase(
        "valid-municipality-code",
        "{1}の検査数字が正しい",
        "{1} has the check digit of a 団体コード",
    ),
    phrase("valid-atena-number", "{1}の検査数字が正しい", "{1} has the check digit of a 宛名番号"),
    phrase("with-check-digit", "検査数字を付ける（{2}）", "add the check digit ({2})"),
    phrase(
        "municipality-6",
        "団体コードに検査数字を付けて6桁にする",
        "municipality code with check digit",
    ),
    phrase("postal-code", "郵便番号を7桁にする", "postal code as seven digits"),
    // dates
    phrase("legal-age", "{2}における法律上の年齢にする", "legal age at {2}"),
    phrase("months-between", "{1}から{2}までの満月数", "full months from {1} to {2}"),
    phrase("days-between", "{1}から{2}までの日数", "days from {1} to {2}"),
    phrase("date-add-months", "{2}か月を加えた日付にする", "{2} months later"),
    phrase("date-add-years", "{2}年を加えた日付にする", "{2} years later"),
    phrase("month-start", "その月の初日にする", "first day of the month"),
    phrase("month-end", "その月の末日にする", "last day of the month"),
    phrase("year", "西暦年をとる", "the year"),
    phrase("month", "月をとる", "the month"),
    phrase("day", "日をとる", "the day"),
    phrase("weekday", "曜日（1 月曜〜7 日曜）にする", "the day of the week, 1 Monday to 7 Sunday"),
    phrase("fiscal-year", "年度をとる", "the 年度"),
    phrase("fiscal-year-start", "年度の初日にする", "first day of the 年度"),
    phrase("fiscal-year-end", "年度の末日にする", "last day of the 年度"),
    phrase("era", "元号をとる", "the era"),
    phrase("era-code", "元号コード（1 明治〜5 令和）をとる", "the code of the era"),
    phrase("era-year", "元号での年をとる", "the year in the era"),
    phrase(
        "from-wareki-year",
        "和暦の年から西暦年にする",
        "from a year of an era to a western year",
    ),
    phrase(
        "partial-date",
        "不詳を含む日付（YYYY-MM-DD）にする",
        "as a date that may be unknown in part",
    ),
    phrase("partial-date-precision", "日付がどこまで分かるかをとる", "how far the date is known"),
    phrase("partial-date-flag", "不詳フラグにする", "the 不詳フラグ"),
    phrase("partial-date-text", "不詳表記にする（{2}・{3}）", "the 不詳表記 ({2}, {3})"),
    phrase("partial-date-first", "ありうる最初の日にする", "the earliest day it can be"),
    phrase("partial-date-last", "ありうる最後の日にする", "the latest day it can be"),
    phrase("format-date", "日付を{2}の形式にする", "date as {2}"),
    phrase("parse-date", "{2}の形式から日付にする", "date from {2}"),
    phrase("time", "時刻（HH:MM:SS）として確かめる", "as a time of day"),
    phrase("jst-time", "日本時間の時刻にする", "time of day in Japan"),
    phrase("jst-datetime", "日本時間の日時にする", "time in Japan"),
    phrase("at-jst", "日本時間の{1} {2}の日時にする", "{1} at {2} in Japan"),
    phrase(
        "from-jst-compact-datetime",
        "日本時間のYYYYMMDDhhmmssから日時にする",
        "YYYYMMDDhhmmss in Japan to a time",
    ),
    // arrays
    phrase("filter", "{2}要素だけを残す", "keep the elements where {2}"),
    phrase("find", "{2}最初の要素をとる", "the first element where {2}"),
    phrase("any", "{1}のどれかについて{2}", "{2} for some element of {1}"),
    phrase("all", "{1}のすべてについて{2}", "{2} for every element of {1}"),
    phrase("pick", "{2}番目（0から）の要素をとる", "the element at {2}, from 0"),
    phrase("take", "先頭{2}件をとる", "the first {2} elements"),
    phrase("drop", "先頭{2}件を除く", "without the first {2} elements"),
    phrase("values-of", "各要素の{2}を集める", "the {2} of each element"),
    phrase("append", "{*}を一列につなげる", "{*} one after another"),
    phrase("list", "{*}を配列にする", "a list of {*}"),
    phrase("sort", "並べる", "sort"),
    phrase("reverse", "逆順にする", "reverse"),
    phrase("distinct", "重複を除く", "without repetitions"),
    phrase("distinct-by", "{2}の重複を除く", "one element for each {2}"),
    phrase("group-by", "{2}ごとにまとめる", "group by {2}"),
    phrase("zip-by", "{1}と{2}を{3}で突き合わせる", "{1} and {2} paired by {3}"),
    phrase("min", "最小をとる", "the least"),
    phrase("max", "最大をとる", "the greatest"),
    // others
    phrase("parse-json", "JSONとして読む", "read as JSON"),
    phrase("in-repertoire", "{1}のすべての文字が{2}にある", "all characters of {1} are in {2}"),
];

/// Every phrase.
pub(super) fn all() -> impl Iterator<Item = &'static Phrase> {
    PHRASES.iter()
}

/// The phrase of a function; one without is named as it is.
pub(super) fn of(name: &str, language: Language) -> Option<&'static str> {
    let phrase = all().find(|phrase| phrase.name == name)?;
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
