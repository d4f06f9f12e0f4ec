//! The files of the 予約システム, read as that system would: set by set, each whole by its marker,
//! with the counts and digests that its manifest says.

use crate::Trouble;
use crate::counterparts::holdings::{Holdings, Item};
use aws_lc_rs::digest::{SHA256, digest};
use encoding_rs::SHIFT_JIS;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What stands for a character that CP932 lacks.
const MARK: char = '〓';

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    form: String,
    set: u64,
    #[serde(rename = "at")]
    _at: String,
    records: usize,
    files: Vec<File>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    bytes: usize,
    records: usize,
    sha256: String,
}

/// What the files of a folder say, the newest revision of each subject; and what is wrong with them.
pub fn read(folder: &Path) -> Result<(Holdings, Vec<String>), Trouble> {
    let (mut holdings, mut problems) = (Holdings::default(), Vec::new());
    let mut sets: BTreeMap<u64, String> = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let number = name.strip_suffix(".end").and_then(|name| name.rsplit('_').next());
        if let Some(number) = number.and_then(|digits| digits.parse().ok()) {
            sets.insert(number, name.replace(".end", ".json"));
        }
    }
    for (expected, (number, manifest)) in (1..).zip(sets) {
        if number != expected {
            problems.push(format!("set {number} where {expected} is next"));
        }
        let text = fs::read_to_string(folder.join(&manifest))?;
        let manifest: Manifest = serde_json::from_str(&text)?;
        let sum: usize = manifest.files.iter().map(|file| file.records).sum();
        let good = manifest.form == "watashi-manifest-1" && manifest.set == number;
        if !good || sum != manifest.records {
            problems.push(format!("set {number}: its manifest contradicts itself"));
        }
        for file in &manifest.files {
            let bytes = fs::read(folder.join(&file.name))?;
            let sum: String =
                digest(&SHA256, &bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            let rows = rows(&bytes, &mut holdings);
            if bytes.len() != file.bytes || sum != file.sha256 || rows != Some(file.records) {
                problems.push(format!("set {number}: {} is not as its manifest says", file.name));
            }
        }
    }
    Ok((holdings, problems))
}

/// Takes the rows of a file; gives how many there are, nothing when one is not as agreed.
fn rows(bytes: &[u8], holdings: &mut Holdings) -> Option<usize> {
    let text = SHIFT_JIS.decode_without_bom_handling_and_without_replacement(bytes)?;
    let mut lines = text.strip_suffix("\r\n")?.split("\r\n");
    let header: Vec<&str> = lines.next()?.split(',').collect();
    let mut count = 0;
    for line in lines {
        count += 1;
        // No name and no number of this town holds a comma or a quotation mark.
        let values: Vec<&str> = line.split(',').collect();
        if values.len() != header.len() {
            return None;
        }
        let row: BTreeMap<&str, &str> = header.iter().copied().zip(values).collect();
        let fields = [
            ("revision", "revision"),
            ("state", "state"),
            ("name", "name"),
            ("kana", "nameKana"),
            ("birth", "birthDate"),
            ("sex", "sex"),
        ];
        let item: Option<Item> = fields
            .iter()
            .map(|(name, column)| Some(((*name).to_owned(), (*row.get(column)?).to_owned())))
            .collect();
        // Sets are read in their order: a later one holds what is newer.
        holdings.put("subject", row.get("subjectNumber")?, item?);
    }
    Some(count)
}

/// A text as a file in CP932 can hold it: a character it lacks, with the variation selectors and
/// voice marks behind it, is one mark.
pub fn known(text: &str) -> String {
    let mut known = String::new();
    let mut characters = text.chars().peekable();
    while let Some(first) = characters.next() {
        let mut whole = first.to_string();
        while let Some(next) = characters.next_if(|next| is_behind(*next)) {
            whole.push(next);
        }
        let (_, _, lacks) = SHIFT_JIS.encode(&whole);
        // 外字 of the private-use area mean nothing elsewhere, whatever a code page makes of them.
        let private = ('\u{E000}'..='\u{F8FF}').contains(&first);
        match lacks || private {
            true => known.push(MARK),
            false => known.push_str(&whole),
        }
    }
    known
}

fn is_behind(character: char) -> bool {
    matches!(character, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}' | '\u{3099}' | '\u{309A}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cp932_lacks_is_one_mark() {
        assert_eq!(known("髙﨑　花子"), "髙﨑　花子");
        assert_eq!(known("𠮷野"), "〓野");
        assert_eq!(known("カ\u{309A}ア"), "〓ア");
        assert_eq!(known("見本\u{E0F1}"), "見本〓");
    }

    #[test]
    fn a_row_too_short_is_no_row() {
        let header = "subjectNumber,revision,state,name,nameKana,birthDate,sex\r\n";
        let mut holdings = Holdings::default();
        let good = format!("{header}J1,1,1,a,b,2020-01-01,1\r\n");
        assert_eq!(rows(good.as_bytes(), &mut holdings), Some(1));
        assert_eq!(holdings.count(), 1);
        assert_eq!(rows(format!("{header}J1,1\r\n").as_bytes(), &mut holdings), None);
        let cut = good.trim_end();
        assert_eq!(rows(cut.as_bytes(), &mut holdings), None, "a file that was cut off");
    }
}
