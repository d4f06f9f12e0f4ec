//! Which fields look personal: by their names, and a 個人番号 by its check digit.

use crate::schema::Class;

/// Parts of names, compared without case, hyphens and underscores, and what they suggest.
const NAMES: &[(Class, &[&str])] = &[
    (Class::MyNumber, &["mynumber", "individualnumber", "kojinbango", "個人番号", "マイナンバー"]),
    (
        Class::Sensitive,
        &[
            "vaccin",
            "dose",
            "lotnumber",
            "diagnos",
            "disease",
            "illness",
            "medical",
            "disab",
            "allerg",
            "health",
            "接種",
            "病",
            "疾",
            "診断",
            "障害",
            "障がい",
            "既往",
            "医療",
            "健診",
            "検診",
            "妊娠",
            "要介護",
        ],
    ),
    (
        Class::Personal,
        &[
            "kana",
            "birth",
            "address",
            "phone",
            "telephone",
            "mobile",
            "email",
            "mailaddr",
            "postal",
            "building",
            "zip",
            "sex",
            "gender",
            "atena",
            "person",
            "resident",
            "household",
            "account",
            "氏名",
            "名前",
            "カナ",
            "かな",
            "生年月日",
            "住所",
            "方書",
            "電話",
            "郵便番号",
            "性別",
            "宛名",
            "世帯",
            "続柄",
            "口座",
            "本人",
            "メール",
            "続き柄",
        ],
    ),
];

/// What may stand before `name` where it is a person's.
const WHOSE: &[&str] = &[
    "",
    "full",
    "family",
    "given",
    "first",
    "middle",
    "last",
    "sur",
    "nick",
    "maiden",
    "kanji",
    "kana",
    "person",
    "resident",
    "applicant",
    "owner",
    "holder",
    "child",
    "parent",
    "guardian",
];

/// The class that the name of a field suggests.
pub(super) fn class_of(name: &str) -> Option<Class> {
    let plain = super::by_name::plain(name);
    if plain.strip_suffix("name").is_some_and(|whose| WHOSE.contains(&whose)) {
        return Some(Class::Personal);
    }
    let found = NAMES.iter().find(|(_, parts)| parts.iter().any(|part| plain.contains(part)));
    found.map(|(class, _)| *class)
}

#[cfg(test)]
mod tests {
    use super::class_of;
    use crate::schema::Class;

    #[test]
    fn names_suggest_classes() {
        assert_eq!(class_of("myNumber"), Some(Class::MyNumber));
        assert_eq!(class_of("birth-date"), Some(Class::Personal));
        assert_eq!(class_of("接種日"), Some(Class::Sensitive));
        assert_eq!(class_of("氏名カナ"), Some(Class::Personal));
        assert_eq!(class_of("family-name"), Some(Class::Personal));
        assert_eq!(class_of("fileName"), None);
        assert_eq!(class_of("benefitName"), None);
        assert_eq!(class_of("amount"), None);
    }
}
