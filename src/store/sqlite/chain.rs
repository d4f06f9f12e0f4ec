//! The hash chain that the record was before version 3: verified once, when a store of that time is
//! brought forward, for the tree takes over what it finds.

use crate::model::codes::store as codes;
use crate::record::{hex, tree};
use crate::store::StoreError;
use aws_lc_rs::digest::{SHA256, digest};
use rusqlite::Connection;

/// Walks the chain from its beginning; `T401` names the first row that does not follow.
pub(super) fn verify(connection: &Connection) -> Result<(), StoreError> {
    let sql = "SELECT sequence, entry, leaf, link FROM records ORDER BY sequence";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut link = [0u8; 32];
    let mut expected = 1;
    while let Some(row) = rows.next()? {
        let (sequence, entry): (i64, String) = (row.get(0)?, row.get(1)?);
        let (leaf, stored): (String, String) = (row.get(2)?, row.get(3)?);
        let own = tree::leaf(entry.as_bytes());
        let joined = digest(&SHA256, &[link, own].concat());
        let whole = sequence == expected && leaf == hex(&own) && stored == hex(joined.as_ref());
        if !whole {
            let detail = format!("sequence {expected}: found when the chain became a tree");
            return Err(StoreError::new(&codes::RECORD_BROKEN, detail));
        }
        link.copy_from_slice(joined.as_ref());
        expected += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Draft, Kind, Phase, verify as verify_tree};
    use crate::store::Store as _;
    use crate::store::conformance::at;
    use crate::store::sqlite::tests::Folder;

    /// A store as version 2 wrote it, with a chain of `count` entries.
    fn write_version_2(folder: &Folder, count: i64) -> Connection {
        let file = Connection::open(folder.file()).unwrap();
        file.execute_batch(include_str!("schema-1.sql")).unwrap();
        file.execute_batch(include_str!("schema-2.sql")).unwrap();
        file.pragma_update(None, "user_version", 2).unwrap();
        let mut link = [0u8; 32];
        for sequence in 1..=count {
            let draft = Draft::new(Kind::System, Phase::Noted, at(sequence));
            let entry = draft.canonical();
            let leaf = tree::leaf(entry.as_bytes());
            let joined = digest(&SHA256, &[link, leaf].concat());
            link.copy_from_slice(joined.as_ref());
            let sql = "INSERT INTO records VALUES (?1, ?2, ?3, ?4)";
            file.execute(sql, (sequence, entry, hex(&leaf), hex(&link))).unwrap();
        }
        file
    }

    #[tokio::test]
    async fn a_chain_becomes_a_tree_and_its_end_an_entry() {
        let folder = Folder::new();
        let file = write_version_2(&folder, 7);
        let link: String = file
            .query_row("SELECT link FROM records WHERE sequence = 7", [], |row| row.get(0))
            .unwrap();
        drop(file);
        for _ in 0..2 {
            let store = folder.open();
            let rows = store.record(0, 100).await.unwrap();
            assert_eq!(rows.len(), 8, "written once, not at every start");
            let ended = format!("the hash chain ended at sequence 7, link {link}");
            assert!(rows[7].entry.contains(&ended), "{}", rows[7].entry);
            let verdict = verify_tree(rows);
            assert_eq!((verdict.entries, verdict.first_bad), (8, None));
            assert_eq!(store.tree().await.unwrap().root(), verdict.head.root);
        }
    }

    #[tokio::test]
    async fn a_broken_chain_becomes_no_tree() {
        let folder = Folder::new();
        let file = write_version_2(&folder, 7);
        file.execute_batch(
            "DROP TRIGGER records_are_not_changed;
             UPDATE records SET entry = replace(entry, '系', '送付') WHERE sequence = 4;",
        )
        .unwrap();
        drop(file);
        let refused = folder.try_open().err().unwrap();
        assert_eq!(refused.code, &codes::RECORD_BROKEN);
        assert!(refused.detail.contains("sequence 4"), "{}", refused.detail);
        let file = Connection::open(folder.file()).unwrap();
        let kept: i64 = file
            .query_row("SELECT count(*) FROM records WHERE link <> ''", [], |row| row.get(0))
            .unwrap();
        assert_eq!(kept, 7, "nothing of the evidence is touched");
    }
}
