//! Characters that a counterpart does not know: refused, replaced or marked, and always told.

use crate::fixture::Folder;

const REQUEST: &str = "schema: post/parcel@1, idempotency-header: Idempotency-Key}";

/// Definitions whose request names what the counterpart knows.
fn with(characters: &str) -> Folder {
    let folder = Folder::definitions();
    let request = format!(
        "schema: post/parcel@1, idempotency-header: Idempotency-Key, characters: {characters}}}"
    );
    folder.change("adapters/post/adapter.yaml", REQUEST, &request);
    folder.write("mappings/tables/old-forms.csv", "from,to\n髙,高\n邉\u{E0101},邊\n");
    folder.write("mappings/repertoires/ours.txt", "# 第1水準の一部\nU+5C71,山\nU+9AD8\n");
    folder
}

const MESSAGE: &str = r#"{"town":"131237","person":"髙邉󠄁𠮷","amount":3}"#;

#[test]
fn a_character_without_substitute_is_refused_with_its_place() {
    let folder = with("{repertoire: jisx0208}");
    let ran = folder.run_with_input(&["try", "placing", "-"], MESSAGE);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("G307"), "{ran:?}");
    assert!(ran.out.contains("/who character 1: U+9AD9;"), "{ran:?}");
    assert!(ran.out.contains("/who character 2: U+9089 U+E0101;"), "{ran:?}");
    assert!(!ran.out.contains('髙'), "{ran:?}");
}

#[test]
fn substitutes_and_marks_are_told_one_by_one() {
    let folder =
        with("{repertoire: jisx0208, on-unmappable: table, table: old-forms, mark: \"〓\"}");
    let ran = folder.run_with_input(&["try", "placing", "-", "--show-values"], MESSAGE);
    assert_eq!(ran.code, 0, "{ran:?}");
    for told in [
        "3 replaced as the route says",
        "/who character 1: U+9AD9 replaced by U+9AD8",
        "/who character 2: U+9089 U+E0101 replaced by U+908A",
        "/who character 3: U+20BB7 marked",
        "高邊〓",
    ] {
        assert!(ran.out.contains(told), "{told}: {ran:?}");
    }
    let page = folder.run_with_input(&["--json", "try", "placing", "-"], MESSAGE).json();
    assert_eq!(page["routes"][0]["characters"]["count"], 3);
}

#[test]
fn a_route_of_its_own_mind_overrides_its_operation() {
    let folder = with("{repertoire: jisx0208}");
    folder.change(
        "adapters/post/adapter.yaml",
        "    ordering-key: person\n",
        "    ordering-key: person\n    characters: {repertoire: unicode, on-unmappable: mark}\n",
    );
    let ran = folder.run_with_input(&["try", "placing", "-", "--show-values"], MESSAGE);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("/who character 2: U+9089 U+E0101 marked"), "{ran:?}");
    assert!(ran.out.contains("髙〓𠮷"), "{ran:?}");
}

#[test]
fn lint_tells_what_cannot_be_a_policy() {
    for (characters, code, told) in [
        ("{repertoire: jisx208}", "A411", "did you mean `jisx0208`?"),
        ("{repertoire: jisx0208, on-unmappable: drop}", "A102", "reject, table, mark"),
        ("{repertoire: jisx0208, on-unmappable: mark, mark: \"髙\"}", "A413", "one character of"),
        ("{repertoire: jisx0208, on-unmappable: table}", "M005", "table"),
        ("{repertoire: ours, on-unmappable: table, table: old-forms}", "A413", "no text of `ours`"),
        ("{repertoire: jisx0208, mark: \"〓\"}", "A203", "`mark` is not used"),
    ] {
        let ran = with(characters).run(&["lint"]);
        let all = format!("{}{}", ran.out, ran.err);
        assert!(ran.code != 0 && all.contains(code) && all.contains(told), "{characters}: {ran:?}");
    }
    let folder = with("{repertoire: ours}");
    folder.write("mappings/repertoires/ours.txt", "U+5C71\n山\n");
    let ran = folder.run(&["lint"]);
    assert!(format!("{}{}", ran.out, ran.err).contains("ours.txt:2:1"), "{ran:?}");
}

#[test]
fn lint_warns_of_a_counterpart_that_knows_less_than_the_source() {
    let folder = with("{repertoire: jisx0208}");
    folder.change(
        "schemas/shop/order/1.schema.json",
        "\"title\"",
        "\"x-repertoire\": \"cp932\", \"title\"",
    );
    let ran = folder.run(&["lint"]);
    let all = format!("{}{}", ran.out, ran.err);
    assert!(all.contains("A414") && all.contains("`jisx0208` lacks"), "{all}");
    let folder = with("{repertoire: jisx0208, on-unmappable: mark}");
    folder.change(
        "schemas/shop/order/1.schema.json",
        "\"title\"",
        "\"x-repertoire\": \"cp932\", \"title\"",
    );
    let ran = folder.run(&["lint"]);
    assert!(!format!("{}{}", ran.out, ran.err).contains("A414"), "{ran:?}");
}

#[test]
fn a_file_is_searched_by_row_and_column() {
    let folder = with("{repertoire: ours}");
    folder.write("people.csv", "1,山\n2,高橋𠮷\n");
    let ran = folder.run(&["characters", "people.csv", "--repertoire", "jisx0208"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, "2:5: U+20BB7\n"), "{ran:?}");
    let ran = folder.run(&["--json", "characters", "people.csv", "--repertoire", "ours"]);
    assert_eq!(ran.json()["count"], 2);
    let ran = folder.run(&["characters", "people.csv", "--repertoire", "unicode"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{ran:?}");
    let ran = folder.run(&["characters", "people.csv", "--charset", "cp932"]);
    assert!(ran.code != 0 && ran.err.contains("row 2, column"), "{ran:?}");
    let ran = folder.run(&["characters", "people.csv", "--repertoire", "jisx2013"]);
    assert!(ran.code == 2 && ran.err.contains("did you mean"), "{ran:?}");
}
