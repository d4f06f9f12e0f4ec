//! The verifier against everything that can be done to segments.

use super::checkpoint::Checkpoint;
use super::note::tests::key;
use super::note::{NoteError, SigningKey, VerifyingKey};
use super::segment::{Header, Name, checkpoint_line};
use super::tree::{Frontier, Head, leaf};
use super::verifier::{Finding, SegmentVerifier, Why};
use super::{Draft, Kind, Phase, RecordRow, export};
use jiff::Timestamp;
use proptest::prelude::*;

const ORIGIN: &str = "log.example/a";

fn rows(count: u64) -> Vec<RecordRow> {
    let entry = |sequence: u64| {
        let at = Timestamp::from_second(sequence.cast_signed() * 60).unwrap();
        let pruned = sequence == 28;
        let draft = Draft {
            message_id: format!("m{sequence}").into(),
            outcome: pruned.then(|| "pruned".to_owned()),
            reference: pruned.then(|| "10".to_owned()),
            ..Draft::new(Kind::Send, Phase::Noted, at)
        };
        let entry = draft.canonical();
        let leaf = leaf(entry.as_bytes());
        RecordRow { sequence: sequence.cast_signed(), leaf, entry }
    };
    (1..=count).map(entry).collect()
}

/// Segments of ten entries with a checkpoint after every fifth.
fn segments(rows: &[RecordRow], signer: &SigningKey) -> Vec<(Name, String)> {
    let mut tree = Frontier::default();
    let mut files = Vec::new();
    for stretch in rows.chunks(10) {
        let first = tree.size() + 1;
        let day = (first == 1).then(|| "1970-01-01".parse().unwrap());
        let header = Header { origin: ORIGIN.to_owned(), day, first, tree: tree.clone() };
        let mut text = format!("{}\n", header.line());
        for row in stretch {
            tree.push(row.leaf);
            text.push_str(&format!("{}\n", export(row)));
            if tree.size().is_multiple_of(5) {
                let head = Head { size: tree.size(), root: tree.root() };
                let signed = Checkpoint::sign(head, &[signer], Timestamp::UNIX_EPOCH);
                text.push_str(&format!("{}\n", checkpoint_line(&signed.note)));
            }
        }
        files.push((Name { first, last: tree.size(), day }, text));
    }
    files
}

fn verify_with(
    files: &[(Name, Vec<u8>)],
    keys: &[VerifyingKey],
    witnesses: Vec<Head>,
) -> Result<(), Finding> {
    let mut verifier = SegmentVerifier::new(keys, witnesses);
    for (name, bytes) in files {
        verifier.begin(*name)?;
        let mut first = true;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            // A line without its newline is no line.
            verifier.push(line.strip_suffix(b"\n").unwrap_or(b""), first)?;
            first = false;
        }
        verifier.end()?;
    }
    verifier.finish(true)
}

fn bytes(files: &[(Name, String)]) -> Vec<(Name, Vec<u8>)> {
    files.iter().map(|(name, text)| (*name, text.clone().into_bytes())).collect()
}

fn good() -> (Vec<(Name, Vec<u8>)>, Vec<VerifyingKey>) {
    let signer = key(ORIGIN, 1);
    (bytes(&segments(&rows(30), &signer)), vec![signer.public().clone()])
}

fn found(files: &[(Name, Vec<u8>)]) -> Finding {
    verify_with(files, &good().1, Vec::new()).unwrap_err()
}

/// The sequence that a byte of a file belongs to: that of its line, or of the next one.
fn sequence_at(file: &[u8], index: usize, first: u64) -> u64 {
    let before = &file[..index];
    let lines = before.split(|byte| *byte == b'\n').rev().skip(1);
    first + lines.filter(|line| line.starts_with(b"{\"sequence\"")).count() as u64
}

#[test]
fn good_segments_verify_also_without_a_pruned_beginning() {
    let (files, keys) = good();
    assert_eq!(verify_with(&files, &keys, Vec::new()), Ok(()));
    assert_eq!(verify_with(&files[1..], &keys, Vec::new()), Ok(()), "entry 28 tells of it");
    let unsaid = verify_with(&files[2..], &keys, Vec::new()).unwrap_err();
    assert_eq!((unsaid.first, unsaid.last, unsaid.why), (1, 20, Why::Beginning));
}

/// Every byte of every file, changed in several ways: found, and the bad entry is among the named.
#[test]
fn every_changed_byte_is_found_and_named() {
    let (files, keys) = good();
    let mut exact = 0;
    let mut changes = 0;
    for (number, (name, text)) in files.iter().enumerate() {
        for index in 0..text.len() {
            let mut tampered = files.clone();
            tampered[number].1[index] ^= [1, 0x20, 0x80][index % 3];
            let finding = verify_with(&tampered, &keys, Vec::new()).unwrap_err();
            let bad = sequence_at(text, index, name.first);
            let near = finding.first <= bad + 1 && bad <= finding.last + 5;
            assert!(near, "file {number} byte {index}: {bad}, {finding:?}");
            assert!(finding.proven < bad + 1, "{finding:?}");
            changes += 1;
            exact += u32::from(finding.first == finding.last);
        }
    }
    assert!(exact * 4 > changes * 3, "{exact} of {changes} exactly");
}

#[test]
fn a_changed_entry_is_named_exactly() {
    let (files, _) = good();
    let change = |from: &str, to: &str| {
        let mut tampered = files.clone();
        let text = String::from_utf8(tampered[1].1.clone()).unwrap();
        assert!(text.contains(from));
        tampered[1].1 = text.replace(from, to).into_bytes();
        found(&tampered)
    };
    let entry = change("\"m13\"", "\"m31\"");
    assert_eq!((entry.first, entry.last, entry.why, entry.proven), (13, 13, Why::Entry, 10));
    let hash = super::hex(&rows(13)[12].leaf);
    let leaf = change(&hash, &"0".repeat(64));
    assert_eq!((leaf.first, leaf.last, leaf.why), (13, 13, Why::Leaf));
}

/// Somebody without the key who computes every hash anew: the stretch between two checkpoints is
/// what can be named.
#[test]
fn hashes_computed_anew_are_found_between_two_checkpoints() {
    let signer = key(ORIGIN, 1);
    let mut forged = rows(30);
    forged[12].entry = forged[12].entry.replace("m13", "m31");
    forged[12].leaf = leaf(forged[12].entry.as_bytes());
    let true_files = segments(&rows(30), &signer);
    // The checkpoints stay, for they cannot be made; all that can be computed is.
    let thief = segments(&forged, &signer);
    let merged: Vec<(Name, String)> = true_files
        .iter()
        .zip(&thief)
        .map(|((name, kept), (_, made))| {
            let line = |(kept, made): (&str, &str)| {
                let line = if kept.starts_with("{\"checkpoint\"") { kept } else { made };
                format!("{line}\n")
            };
            (*name, kept.lines().zip(made.lines()).map(line).collect())
        })
        .collect();
    let finding = found(&bytes(&merged));
    assert_eq!((finding.first, finding.last, finding.why), (11, 15, Why::Root));
    assert_eq!(finding.proven, 10);
    // With a key of the thief's own, the key file tells.
    let other = key(ORIGIN, 2);
    let signed = found(&bytes(&segments(&forged, &other)));
    assert_eq!(signed.why, Why::Checkpoint(NoteError::Unsigned));
    assert_eq!((signed.first, signed.last), (1, 5));
}

#[test]
fn what_is_missing_swapped_repeated_or_cut_is_named() {
    let (files, _) = good();
    let with = |change: &dyn Fn(&mut Vec<&str>)| {
        let text = String::from_utf8(files[1].1.clone()).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        change(&mut lines);
        let mut tampered = files.clone();
        tampered[1].1 =
            lines.iter().map(|line| format!("{line}\n")).collect::<String>().into_bytes();
        let finding = found(&tampered);
        (finding.first, finding.why)
    };
    // Line 0 is the header, 1 to 5 are entries 11 to 15, 6 is a checkpoint.
    assert_eq!(
        with(&|lines| {
            lines.remove(3);
        }),
        (13, Why::Sequence)
    );
    assert_eq!(with(&|lines| lines.swap(3, 4)), (13, Why::Sequence));
    assert_eq!(with(&|lines| lines.insert(3, lines[2])), (13, Why::Sequence));
    assert_eq!(
        with(&|lines| {
            lines.remove(0);
        }),
        (11, Why::Header)
    );
    assert_eq!(with(&|lines| lines.swap(5, 6)), (11, Why::Size));
    assert_eq!(with(&|lines| lines.truncate(4)), (14, Why::Truncated));
    assert_eq!(with(&|lines| lines.truncate(12)), (16, Why::Truncated), "no last checkpoint");
    assert_eq!(with(&|lines| lines.push("")), (21, Why::Line));
    assert_eq!(with(&|lines| lines.truncate(0)), (11, Why::Truncated));
    // A checkpoint left out within a segment: less exact, but all is still proven.
    let mut fewer = files.clone();
    let text = String::from_utf8(files[1].1.clone()).unwrap();
    let kept = text.lines().enumerate().filter(|(index, _)| *index != 6);
    fewer[1].1 = kept.map(|(_, line)| format!("{line}\n")).collect::<String>().into_bytes();
    assert_eq!(verify_with(&fewer, &good().1, Vec::new()), Ok(()));
    let mut gone = files.clone();
    gone.remove(1);
    let finding = found(&gone);
    assert_eq!((finding.first, finding.last, finding.why), (11, 20, Why::Missing));
    let mut twice = files.clone();
    twice.insert(1, files[0].clone());
    assert_eq!(found(&twice).why, Why::Repeated);
    let mut renamed = files.clone();
    renamed[0].0.day = Some("1970-01-02".parse().unwrap());
    assert_eq!(found(&renamed).why, Why::Header);
}

#[test]
fn a_checkpoint_kept_elsewhere_shows_a_cut_end_and_a_fork() {
    let (files, keys) = good();
    let tree: Frontier = rows(30).iter().map(|row| row.leaf).collect();
    let whole = Head { size: 30, root: tree.root() };
    assert_eq!(verify_with(&files, &keys, vec![whole]), Ok(()));
    let cut = verify_with(&files[..2], &keys, vec![whole]).unwrap_err();
    assert_eq!((cut.first, cut.last, cut.why), (21, 30, Why::Shorter));
    let other = Head { size: 17, root: [9; 32] };
    let fork = verify_with(&files, &keys, vec![other, whole]).unwrap_err();
    assert_eq!((fork.first, fork.last, fork.why), (16, 17, Why::Fork));
}

#[test]
fn a_key_that_changed_on_the_way_needs_both_in_the_file() {
    let (old, new) = (key(ORIGIN, 1), key(ORIGIN, 2));
    let all = rows(20);
    let mut files = segments(&all, &old);
    files.truncate(1);
    files.push(segments(&all, &new).remove(1));
    let files = bytes(&files);
    let both = [old.public().clone(), new.public().clone()];
    assert_eq!(verify_with(&files, &both, Vec::new()), Ok(()));
    let finding = verify_with(&files, &both[..1], Vec::new()).unwrap_err();
    assert_eq!((finding.first, finding.why), (11, Why::Checkpoint(NoteError::Unsigned)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Bytes put anywhere, taken from anywhere, or moved: nothing but the same segments verifies.
    #[test]
    fn no_other_bytes_verify(
        file in 0usize..3,
        at in 0usize..2_000,
        take in 0usize..40,
        put in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let (files, keys) = good();
        let mut tampered = files.clone();
        let text = &mut tampered[file].1;
        let at = at % text.len();
        let end = (at + take).min(text.len());
        text.splice(at..end, put);
        prop_assume!(tampered != files);
        prop_assert!(verify_with(&tampered, &keys, Vec::new()).is_err());
    }
}
