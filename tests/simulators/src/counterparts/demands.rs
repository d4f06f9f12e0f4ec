//! What other organisations ask the municipality for through the 中間サーバー (情報提供の求め), and how the
//! content of an answer is told so that two tellings can be compared.

use std::collections::BTreeMap;

/// One demand. Codes as in `mappings/tables/provision-procedures.yaml`: synthetic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// 処理通番.
    pub number: String,
    /// 宛名番号 of whom it is about.
    pub person: String,
    /// 機関コード of who asks, 16 digits.
    pub inquirer: String,
    /// 1 市町村長, 2 都道府県知事, 3 厚生労働大臣.
    pub kind: &'static str,
    /// 事務コード.
    pub affair: &'static str,
    /// 事務手続コード.
    pub procedure: &'static str,
}

/// What is not part of the content: how the 副本 was registered.
const AROUND: [&str; 3] = ["layout", "operation", "publish_from"];

/// Records as one text, the same in whatever order they come.
pub fn told<'a, K>(records: impl Iterator<Item = &'a BTreeMap<K, String>>) -> String
where
    K: AsRef<str> + 'a,
{
    let one = |record: &BTreeMap<K, String>| {
        let items = record.iter().filter(|(name, _)| !AROUND.contains(&name.as_ref()));
        let items: Vec<String> =
            items.map(|(name, value)| format!("{}={value}", name.as_ref())).collect();
        items.join(",")
    };
    let mut all: Vec<String> = records.map(one).collect();
    all.sort_unstable();
    all.join(" ")
}
