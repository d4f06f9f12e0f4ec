//! Files as the delivered adapters make them: splits, pairs, counts, digests.

use crate::pages::root;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use watashi::adapter::bundle::Enabled;
use watashi::adapter::{Bundle, Operation};
use watashi::config::definitions;
use watashi::pipeline::file::make::{Made, make};
use watashi::pipeline::file::parse;

fn operation(adapter: &str, name: &str) -> Arc<Operation> {
    let mut problems = Vec::new();
    let files = definitions::read(root(), &mut problems);
    let bundle = Bundle::build(&files, &Enabled::All, &BTreeMap::new(), &mut problems).unwrap();
    let adapter = bundle.adapters.get(adapter).unwrap();
    Arc::clone(adapter.operations.get(name).unwrap())
}

fn example(schema: &str, name: &str) -> Value {
    let path = root().join(format!("schemas/{schema}/examples/{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn made(operation: &Operation, records: &[Value]) -> Vec<Made> {
    let at = "2026-06-01T09:00:00+09:00".parse().unwrap();
    make(operation.file_out.as_ref().unwrap(), 17, at, records).unwrap()
}

fn text(file: &Made) -> String {
    String::from_utf8(file.content.to_vec()).unwrap()
}

/// F2: 237 characters and CRLF a line, no header, a new file behind 10,000 lines, the marker last.
#[test]
fn f2_inquiries_by_file_are_split_behind_ten_thousand_lines() {
    let operation = operation("intermediate-server-files", "write-inquiries");
    let one = example("intermediate-server/inquiry-file-record", "valid-tax");
    let files = made(&operation, &vec![one.clone(); 10_001]);
    let names: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let expected = [
        "to-server/IF_SKI_10123_20260601_000017_0001.DAT",
        "to-server/IF_SKI_10123_20260601_000017_0002.DAT",
        "to-server/IF_SKI_10123_20260601_000017.end",
    ];
    assert_eq!(names, expected);
    assert_eq!(files[0].content.len(), 10_000 * 239);
    let second = text(&files[1]);
    assert_eq!((second.len(), second.ends_with("\r\n")), (239, true));
    assert_eq!(second.trim_end_matches("\r\n").split(',').count(), 18);
    let content = &operation.file_out.as_ref().unwrap().content;
    let read = parse::records(content, &files[1].content, 10, 0).unwrap();
    assert_eq!(read[0].found.as_ref().unwrap(), &one);
}

/// F3: each attached file has a request with its name, count and digest; the marker comes last.
#[test]
fn f3_copies_by_file_are_pairs_whose_counts_and_digests_agree() {
    let operation = operation("intermediate-server-files", "write-copies");
    let registered = example("intermediate-server/copy-file-record", "valid-registered");
    let withdrawn = example("intermediate-server/copy-file-record", "valid-withdrawn");
    let mut records = vec![registered; 5_000];
    records.extend([withdrawn.clone(), withdrawn]);
    let files = made(&operation, &records);
    assert_eq!(files.len(), 5, "two attachments, two requests, the marker");
    assert!(files[4].path.ends_with("DBM_20113_000017.end") && files[4].content.is_empty());
    for (part, count) in [(0, 5_000), (1, 2)] {
        let (attached, request) = (&files[part], text(&files[part + 2]));
        let name = attached.path.rsplit('/').next().unwrap();
        assert!(
            name.starts_with("DBM_20113_ATTACH_TM00000000000084_CHUKAN_0001_000017_00"),
            "{name}"
        );
        assert_eq!(text(attached).matches("<Record>").count(), count);
        for told in [
            format!("<FileName>{name}</FileName>"),
            format!("<RecordCount>{count}</RecordCount>"),
            format!("<Digest>{}</Digest>", attached.sha256),
        ] {
            assert!(request.contains(&told), "{told}: {request}");
        }
    }
    assert!(text(&files[1]).contains("<PublishUntil>2026-06-01</PublishUntil>"));
    assert!(text(&files[1]).contains("reason=\"Withdrawn\""));
}

/// F3: every line of a result file settles its own record.
#[test]
fn f3_results_of_copies_are_judged_one_by_one() {
    let operation = operation("intermediate-server-files", "read-copy-results");
    let file = operation.file_in.as_ref().unwrap();
    let rows = "Number,RecordKey,Result,ErrorCode,ReceiptNumber\r\n1,VR-1,0,,RN-1\r\n2,VR-2,E,E0301,\r\n3,VR-3,E,E9001,\r\n4,VR-4,7,,\r\n";
    let records = parse::records(&file.content, rows.as_bytes(), 10, 0).unwrap();
    let outcomes = &file.settles.as_ref().unwrap().outcomes;
    let judged: Vec<String> = records
        .iter()
        .map(|record| match &record.found {
            Ok(document) => {
                format!(
                    "{:?}",
                    watashi::pipeline::call::judge_item(outcomes, document, None).0.then
                )
            }
            Err(bad) => bad.detail.split(' ').next().unwrap().to_owned(),
        })
        .collect();
    assert_eq!(judged, ["Applied", "Refused", "Retry", "5:3"]);
}
