//! The record both benchmarks carry, and the definitions they carry it with.

#[path = "../../tests/support/copy.rs"]
mod copy;

#[allow(unused_imports, reason = "one of the two benchmarks uses it")]
pub use copy::copy;
use serde_json::json;
use std::path::{Path, PathBuf};
use watashi::model::check_digit;

/// Type of the messages.
pub const MESSAGE_TYPE: &str = "vaccination.record.registered";
/// 団体コード of the sender.
pub const MUNICIPALITY: &str = "131237";

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A vaccination record of about 1.2 KB, another person for every number.
pub fn record(number: usize) -> Vec<u8> {
    serde_json::to_vec(&document(number)).unwrap()
}

/// The same record as a line of CSV with 25 columns, for the schema `sink/row@1`.
#[allow(dead_code, reason = "one of the two benchmarks uses it")]
pub fn row(number: usize) -> Vec<u8> {
    let document = document(number);
    let parts = [&document, &document["person"], &document["person"]["address"]];
    let parts: Vec<_> = parts.into_iter().chain([&document["vaccination"]]).collect();
    let cells = COLUMNS.map(|name| {
        let value = parts.iter().find_map(|part| part.get(name)).unwrap();
        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
    });
    format!("{}\r\n", cells.join(",")).into_bytes()
}

/// The columns of `sink/row@1`.
const COLUMNS: [&str; 25] = [
    "municipalityCode",
    "event",
    "recordId",
    "revision",
    "atenaNumber",
    "individualNumber",
    "name",
    "nameKana",
    "birthDate",
    "sex",
    "postalCode",
    "prefecture",
    "city",
    "town",
    "lot",
    "building",
    "isNotDisclosed",
    "vaccineCode",
    "vaccineName",
    "doseNumber",
    "date",
    "lotNumber",
    "amountMl",
    "institutionName",
    "doctorName",
];

fn document(number: usize) -> serde_json::Value {
    json!({
        "municipalityCode": MUNICIPALITY,
        "event": "registered",
        "recordId": format!("BENCH-{number:010}"),
        "revision": 1,
        "person": {
            "atenaNumber": format!("{number:015}"),
            "individualNumber": individual_number(number),
            "name": "髙﨑　𠮷左衛門",
            "nameKana": "タカサキ　ヨシザエモン",
            "birthDate": "2024-04-01",
            "sex": "female",
            "address": {
                "postalCode": "1320000",
                "prefecture": "東京都",
                "city": "江戸川区",
                "town": "見本町一丁目大字試験字計測",
                "lot": "１２３４番地の５６号",
                "building": "グランドメゾン見本町ガーデンスクエア弐番館南棟第１２３４号室"
            },
            "isNotDisclosed": false
        },
        "vaccination": {
            "vaccineCode": "010",
            "vaccineName": "乾燥弱毒生麻しん風しん混合ワクチン",
            "doseNumber": 1,
            "period": "第1期",
            "date": "2026-05-20",
            "lotNumber": "ａｂ１２３-7",
            "amountMl": "0.5",
            "manufacturer": "見本生物化学製薬株式会社",
            "institutionCode": "1310000001",
            "institutionName": "医療法人社団見本会　見本小児科内科クリニック",
            "doctorName": "医師　一郎",
            "siteOfInjection": "左上腕",
            "specialCircumstances": "長期療養特例による接種（主治医の意見書あり）",
            "gtin": "04900000000001",
            "expiry": "2027-03-31",
            "paper": false
        },
        "publishFrom": "2026-06-01"
    })
}

/// A synthetic 個人番号 with a valid check digit.
fn individual_number(number: usize) -> String {
    let stem = 10_000_000_000 + number;
    let candidates = (0..10).map(|check| format!("{stem}{check}"));
    candidates.into_iter().find(|text| check_digit::my_number(text)).unwrap()
}

/// Puts the definitions of the benchmarks together in `folder`: the repository's source schemas
/// and the counterpart of `benches/definitions`.
pub fn lay_out(folder: &Path) -> PathBuf {
    let folder = folder.join("definitions");
    copy(&root().join("benches/definitions"), &folder);
    copy(
        &root().join("schemas/health/vaccination-record"),
        &folder.join("schemas/health/vaccination-record"),
    );
    folder
}

/// The middle of the values.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => (sorted[count / 2 - 1] + sorted[count / 2]) / 2.0,
    }
}
