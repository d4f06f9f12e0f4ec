//! Exported segments: one line a row, the entry byte for byte as it was hashed; and searching.

use super::{Kind, RecordRow, hex, unhex};
use jiff::Timestamp;
use serde::Deserialize;

/// One line of an export, without its newline: `{"sequence":n,"leaf":"…","entry":{…}}`. The same
/// row always gives the same bytes, so two exports of one day are equal files.
pub fn export(row: &RecordRow) -> String {
    let RecordRow { sequence, leaf, entry } = row;
    format!("{{\"sequence\":{sequence},\"leaf\":\"{}\",\"entry\":{entry}}}", hex(leaf))
}

/// Reads a line of an export; `None` when it is not exactly what `export` writes. The entry itself
/// is taken as it stands: its leaf hash tells whether it is the one that was written.
pub fn parse_export(line: &str) -> Option<RecordRow> {
    let rest = line.strip_prefix("{\"sequence\":")?;
    let (number, rest) = rest.split_once(",\"leaf\":\"")?;
    let sequence = number.parse::<i64>().ok()?;
    let (leaf, rest) = rest.split_at_checked(64)?;
    let entry = rest.strip_prefix("\",\"entry\":")?.strip_suffix('}')?;
    // `+1` and `01` are numbers as well, but not what was written.
    let written = sequence.to_string() == number;
    let row = RecordRow { sequence, leaf: unhex(leaf.as_bytes())?, entry: entry.to_owned() };
    written.then_some(row)
}

/// What an auditor or a 開示請求 asks for; unset fields match all.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Pseudonym of the person (`Keys::subject`).
    pub subject: Option<String>,
    /// Sender's message id.
    pub message_id: Option<String>,
    /// At or after.
    pub from: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Kind of entry.
    pub kind: Option<Kind>,
    /// Route.
    pub route: Option<String>,
}

impl Query {
    /// Whether an entry (canonical JSON) is asked for. An entry that cannot be read is, so that
    /// damage is shown rather than hidden.
    pub fn matches(&self, entry: &str) -> bool {
        #[derive(Deserialize)]
        struct Seen {
            #[serde(default)]
            subject: String,
            #[serde(default)]
            message_id: String,
            #[serde(default)]
            route: String,
            kind: String,
            time: String,
        }
        let Ok(seen) = serde_json::from_str::<Seen>(entry) else { return true };
        let Ok(time) = seen.time.parse::<Timestamp>() else { return true };
        let same = |wanted: &Option<String>, have: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == have)
        };
        same(&self.subject, &seen.subject)
            && same(&self.message_id, &seen.message_id)
            && same(&self.route, &seen.route)
            && self.kind.is_none_or(|kind| kind.name() == seen.kind)
            && self.from.is_none_or(|from| time >= from)
            && self.until.is_none_or(|until| time < until)
    }
}

/// The rows asked for, in their order.
pub fn find<'a>(
    rows: impl IntoIterator<Item = RecordRow> + 'a,
    query: &'a Query,
) -> impl Iterator<Item = RecordRow> + 'a {
    rows.into_iter().filter(|row| query.matches(&row.entry))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Broken, Draft, Phase, Verifier, tree, verify};

    fn rows(count: i64) -> Vec<RecordRow> {
        let mut rows = Vec::new();
        for sequence in 1..=count {
            let at = Timestamp::from_second(sequence * 60).unwrap();
            let kind = if sequence % 2 == 0 { Kind::Send } else { Kind::Receive };
            let draft = Draft {
                message_id: format!("m{sequence}").into(),
                route: "送り".into(),
                subject: Some(format!("s{}", sequence % 3).into()),
                ..Draft::new(kind, Phase::Noted, at)
            };
            let entry = draft.canonical();
            rows.push(RecordRow { sequence, leaf: tree::leaf(entry.as_bytes()), entry });
        }
        rows
    }

    #[test]
    fn a_line_comes_back_and_nothing_else_does() {
        for row in rows(3) {
            let line = export(&row);
            assert_eq!(parse_export(&line), Some(row));
            assert_eq!(parse_export(&line.replacen(':', ": ", 1)), None);
            assert_eq!(parse_export(&line.replacen("e\":", "e\":0", 1)), None);
            assert_eq!(parse_export(&format!("{line} ")), None);
            assert_eq!(parse_export(&line.replace("\"leaf\"", "\"Leaf\"")), None);
        }
        assert_eq!(parse_export(""), None);
    }

    /// Every single byte of every exported line, changed to another one: never unnoticed.
    #[test]
    fn every_changed_byte_of_an_export_is_found() {
        let lines: Vec<String> = rows(3).iter().map(export).collect();
        for (number, line) in lines.iter().enumerate() {
            for index in 0..line.len() {
                for change in [1u8, 0x20] {
                    let mut bytes = line.clone().into_bytes();
                    bytes[index] ^= change;
                    let Ok(changed) = String::from_utf8(bytes) else { continue };
                    let mut tampered = lines.clone();
                    tampered[number] = changed;
                    let parsed: Option<Vec<_>> =
                        tampered.iter().map(|line| parse_export(line)).collect();
                    let Some(parsed) = parsed else { continue };
                    let (bad, _) = verify(parsed).first_bad.expect("the change is found");
                    assert!(bad <= number as i64 + 1, "line {number} byte {index}: {bad}");
                }
            }
        }
    }

    #[test]
    fn missing_swapped_repeated_and_foreign_rows_are_found() {
        let good = rows(5);
        assert_eq!(verify(good.clone()).first_bad, None);
        assert_eq!(verify(good.clone()).entries, 5);
        let broken = |change: &dyn Fn(&mut Vec<RecordRow>)| {
            let mut rows = good.clone();
            change(&mut rows);
            verify(rows).first_bad
        };
        assert_eq!(broken(&|rows| drop(rows.remove(2))), Some((3, Broken::Sequence)));
        assert_eq!(broken(&|rows| drop(rows.remove(0))), Some((1, Broken::Sequence)));
        assert_eq!(broken(&|rows| rows.swap(1, 2)), Some((2, Broken::Sequence)));
        assert_eq!(broken(&|rows| rows[1] = rows[0].clone()), Some((2, Broken::Sequence)));
        assert_eq!(broken(&|rows| rows[3].entry = rows[2].entry.clone()), Some((4, Broken::Leaf)));
        assert_eq!(broken(&|rows| rows[3].leaf = rows[2].leaf), Some((4, Broken::Leaf)));
        // The end cut off is only seen against a head kept elsewhere.
        let cut = verify(good[..4].to_vec());
        assert_eq!(cut.first_bad, None);
        assert_ne!(cut.head, verify(good.clone()).head);
        // A later segment verifies from the head of the one before.
        let before: crate::record::Frontier = good[..4].iter().map(|row| row.leaf).collect();
        let mut later = Verifier::after(before);
        assert!(later.push(&good[4]));
        assert_eq!(later.finish().head, verify(good).head);
    }

    #[test]
    fn finding_uses_every_filter() {
        let count = |query: Query| find(rows(6), &query).count();
        assert_eq!(count(Query::default()), 6);
        assert_eq!(count(Query { subject: Some("s1".into()), ..Query::default() }), 2);
        assert_eq!(count(Query { message_id: Some("m4".into()), ..Query::default() }), 1);
        assert_eq!(count(Query { kind: Some(Kind::Send), ..Query::default() }), 3);
        assert_eq!(count(Query { route: Some("other".into()), ..Query::default() }), 0);
        let (from, until) = (Timestamp::from_second(120).ok(), Timestamp::from_second(240).ok());
        assert_eq!(count(Query { from, until, ..Query::default() }), 2);
    }
}
