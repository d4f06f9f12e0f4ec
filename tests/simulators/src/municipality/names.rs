//! Names and addresses with the characters that hurt. All invented.

use crate::random::Random;

/// Surnames with their kana: 髙 﨑 𠮷 (outside the BMP), compatibility 神, 邉 and 邊.
const SURNAMES: [(&str, &str); 20] = [
    ("髙橋", "タカハシ"),
    ("山﨑", "ヤマザキ"),
    ("𠮷田", "ヨシダ"),
    ("渡邉", "ワタナベ"),
    ("渡邊", "ワタナベ"),
    ("齋藤", "サイトウ"),
    ("神\u{FA19}谷", "カミヤ"),
    ("德永", "トクナガ"),
    ("濵口", "ハマグチ"),
    ("𣘺本", "ハシモト"),
    ("五十嵐", "イガラシ"),
    ("勅使河原", "テシガワラ"),
    ("試験", "シケン"),
    ("葛󠄀城", "カツラギ"),
    ("栁沢", "ヤナギサワ"),
    ("桒原", "クワバラ"),
    ("鷗", "カモメ"),
    ("草彅", "クサナギ"),
    ("籔内", "ヤブウチ"),
    ("冨岡", "トミオカ"),
];

const FEMALE: [(&str, &str); 10] = [
    ("花子", "ハナコ"),
    ("凜", "リン"),
    ("陽葵", "ヒマリ"),
    ("瑠璃", "ルリ"),
    ("葉月", "ハヅキ"),
    ("美穂", "ミホ"),
    ("ゔぃおら", "ヴィオラ"),
    ("琴音", "コトネ"),
    ("〻子", "ジコ"),
    ("奈々", "ナナ"),
];

const MALE: [(&str, &str); 10] = [
    ("太郎", "タロウ"),
    ("蓮", "レン"),
    ("大翔", "ヒロト"),
    ("健吾", "ケンゴ"),
    ("德次郎", "トクジロウ"),
    ("譲二", "ジョウジ"),
    ("翼", "ツバサ"),
    ("権兵衞", "ゴンベエ"),
    ("一", "ハジメ"),
    ("𠮟", "シカル"),
];

/// Foreigners' names in full-width letters, with their kana.
const FOREIGN: [(&str, &str); 4] = [
    ("ＴＥＳＴＥＲ　ＪＯＨＮ", "テスター　ジョン"),
    ("ＳＡＭＰＬＥ　ＭＡＲＩＡ　ＬＵＩＳＡ", "サンプル　マリア　ルイサ"),
    ("ＮＧＵＹＥＮ　ＴＨＵ", "グエン　トゥー"),
    ("Ｏ’ＥＸＡＭＰＬＥ　ＡＮＮ", "オエグザンプル　アン"),
];

const TOWNS: [&str; 8] = [
    "試験町一丁目",
    "例示丘二丁目",
    "見本ヶ原三丁目",
    "仮想台四丁目",
    "﨑浜五丁目",
    "𠮷野見本町六丁目",
    "架空新田七丁目",
    "ニツ池見本八丁目",
];

const BUILDINGS: [&str; 6] = [
    "コーポ・ラ・メール見本",
    "メゾン・ド・仮想　別館",
    "カ\u{309A}ーデンハイツ例示",
    "グランドメゾン・ザ・シーサイド見本台ガーデンズ＆レジデンス　ウエストウイングタワー",
    "第２見本ビル（㈱例示商事社員寮）",
    "ヴィラ①仮想",
];

/// A name as the municipality writes it.
#[derive(Clone, Debug)]
pub struct Name {
    /// Surname; for foreigners the whole name.
    pub surname: String,
    /// Kana of the surname.
    pub surname_kana: String,
}

/// A family's name.
pub fn surname(random: &mut Random) -> Name {
    let (name, kana) = SURNAMES.get(random.below(SURNAMES.len())).copied().unwrap_or_default();
    Name { surname: name.to_owned(), surname_kana: kana.to_owned() }
}

/// A person's whole name and kana within a family; a few carry a 外字 of the private-use area.
pub fn given(random: &mut Random, family: &Name, male: bool) -> (String, String) {
    let list = if male { &MALE } else { &FEMALE };
    let (given, kana) = list.get(random.below(list.len())).copied().unwrap_or_default();
    let gaiji = if random.chance(0.01) { "\u{E0F1}" } else { "" };
    let name = format!("{}　{given}{gaiji}", family.surname);
    (name, format!("{}　{kana}", family.surname_kana))
}

/// A foreigner's name and kana.
pub fn foreign(random: &mut Random) -> (String, String) {
    let (name, kana) = FOREIGN.get(random.below(FOREIGN.len())).copied().unwrap_or_default();
    (name.to_owned(), kana.to_owned())
}

/// An address.
#[derive(Clone, Debug)]
pub struct Address {
    /// 7 digits.
    pub postal_code: String,
    /// 町字.
    pub town: String,
    /// 番地号.
    pub lot: String,
    /// 方書, sometimes long, sometimes absent.
    pub building: Option<String>,
}

impl Address {
    /// 都道府県 and 市区町村 of the synthetic municipality.
    pub const PLACE: (&'static str, &'static str) = ("東京都", "江戸川区");

    /// A new address.
    pub fn new(random: &mut Random) -> Self {
        let town = TOWNS.get(random.below(TOWNS.len())).copied().unwrap_or_default().to_owned();
        let number = |random: &mut Random, high| wide(&random.between(1, high).to_string());
        let lot = format!("{}番{}号", number(random, 60), number(random, 40));
        let building = random.chance(0.6).then(|| {
            let name = BUILDINGS.get(random.below(BUILDINGS.len())).copied().unwrap_or_default();
            let room = wide(&random.between(101, 2_909).to_string());
            let care = if random.chance(0.1) { "（見本　太郎様方）" } else { "" };
            format!("{name}　{room}号室{care}")
        });
        let postal_code = format!("132{}", random.digits(4));
        Address { postal_code, town, lot, building }
    }

    /// The whole address without any space.
    pub fn joined(&self) -> String {
        let (prefecture, city) = Address::PLACE;
        let building = self.building.as_deref().unwrap_or_default();
        let text = format!("{prefecture}{city}{}{}{building}", self.town, self.lot);
        text.split_whitespace().collect()
    }

    /// As the health system writes it.
    pub fn json(&self) -> serde_json::Value {
        let (prefecture, city) = Address::PLACE;
        let mut address = serde_json::json!({"postalCode": self.postal_code,
            "prefecture": prefecture, "city": city, "town": self.town, "lot": self.lot});
        if let (Some(building), Some(address)) = (&self.building, address.as_object_mut()) {
            address.insert("building".to_owned(), building.as_str().into());
        }
        address
    }
}

/// Half-width ASCII in full width.
pub fn wide(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '!'..='~' => char::from_u32(c as u32 + 0xFEE0).unwrap_or(c),
            other => other,
        })
        .collect()
}
