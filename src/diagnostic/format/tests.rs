//! What the formatter does, and that it changes nothing else.

use super::format;
use crate::diagnostic::SourceFile;
use crate::diagnostic::format::source::Source;
use crate::diagnostic::keys::{Form, Key, Keys};
use crate::diagnostic::yaml;
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};

static PART: Keys = Keys::new(
    "part",
    "a part",
    "",
    &[
        Key::new("id", Form::Text, ""),
        Key::new("sum", Form::Any, ""),
        Key::new("note", Form::Any, ""),
    ],
);
static ROOT: Keys = Keys::new(
    "root",
    "a root",
    "",
    &[
        Key::new("name", Form::Text, ""),
        Key::new("part", Form::Map(&PART), ""),
        Key::new("parts", Form::List(&Form::Map(&PART)), ""),
        Key::new("free", Form::Names(&Form::Any), ""),
    ],
);
static FORM: Form = Form::Map(&ROOT);

fn formatted(text: &str) -> String {
    let once = format(&SourceFile::new("a.yaml", text), Some(&FORM))
        .unwrap_or_else(|problem| panic!("{} for {text:?}", problem.message));
    let twice = format(&SourceFile::new("a.yaml", once.as_str()), Some(&FORM)).unwrap();
    assert_eq!(once, twice, "not the same again");
    once
}

#[test]
fn keys_take_their_usual_order_with_what_stands_above_them() {
    let text = "\
# the file
part:   {note: 1,id: a}   # in brackets too

# about the name
# in two lines
name:    x
free:
        z: 1
        # about a
        a:   'it''s'
        # at the end of free
parts:
-   sum: [ 1,2 ]
    id: b # the id
    # below

- id: c
";
    let wanted = "\
# the file
# about the name
# in two lines
name: x
part: {id: a, note: 1}  # in brackets too
parts:
  - id: b  # the id
    # below
    sum: [1, 2]

  - id: c
free:
  z: 1
  # about a
  a: 'it''s'
  # at the end of free
";
    assert_eq!(formatted(text), wanted);
}

#[test]
fn texts_over_several_lines_keep_their_breaks() {
    let text = "\
name: >-   # folded
      one
        two

      three
free:
   a: |
    keep

     this


   b: plain
    goes on
   c: \"in
       quotes\"
   d: [1,
     2]
   e: {
      a: 1 }
   f: |+
    kept


   g:
   h: |1
     spaced
   i:
   - |
    in a list
   -  - 1
      - 2
   -
     # inside
     k: 1
";
    let wanted = "\
name: >-  # folded
  one
    two

  three
free:
  a: |
    keep

     this

  b: plain
    goes on
  c: \"in
    quotes\"
  d: [1, 2]
  e: {a: 1}
  f: |+
    kept


  g:
  h: |2
     spaced
  i:
    - |
      in a list
    - - 1
      - 2
    # inside
    - k: 1
";
    // Blank lines that belong to a text are no blank lines between entries.
    assert_eq!(formatted(text), wanted);
}

#[test]
fn line_ends_and_marks_of_other_systems_go() {
    assert_eq!(
        formatted("\u{feff}name: x\r\nfree:\r\n    a: 1  \r\n\r\n\r\n"),
        "name: x\nfree:\n  a: 1\n"
    );
    assert_eq!(formatted("name: x"), "name: x\n");
    assert_eq!(
        formatted("# only\n\n\n\nname: x\n\n\n\nfree: {}\n# end\n"),
        "# only\n\nname: x\n\nfree: {}\n# end\n"
    );
}

#[test]
fn what_cannot_be_formatted_is_left_alone() {
    let refused =
        |text: &str| format(&SourceFile::new("a.yaml", text), None).unwrap_err().code.code;
    assert_eq!(refused("a: [1\n"), "M001");
    // Anchors and aliases in block style are kept.
    assert_eq!(formatted("name: &x a\nfree: {}\npart: *x\n"), "name: &x a\npart: *x\nfree: {}\n");
}

#[test]
fn comments_inside_brackets_stay_where_they_are() {
    let text = "free:\n    a: [\n      1,   # one\n      2\n    ]\n";
    assert_eq!(formatted(text), "free:\n  a: [\n      1,   # one\n      2\n    ]\n");
}

/// A document written in some style: indentation, comments, blank lines, quotes.
fn written() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("plain text".to_owned()),
        Just("'quoted # text'".to_owned()),
        Just("\"a: b\"".to_owned()),
        Just("12".to_owned()),
        Just("012".to_owned()),
        Just("".to_owned()),
        Just("{b: [1,2], a: x}".to_owned()),
        Just("[ a,b , {c: d} ]".to_owned()),
        Just(">-\n@@folded\n@@text".to_owned()),
        Just("|\n@@one\n@@ two\n".to_owned()),
        Just("goes\n@@on".to_owned()),
    ];
    let leaf = (scalar, any::<u8>()).prop_map(|(text, style)| Piece::Leaf(text, style));
    let tree = leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            (prop::collection::vec(inner.clone(), 1..5), any::<u8>())
                .prop_map(|(parts, style)| Piece::Map(parts, style)),
            (prop::collection::vec(inner, 1..5), any::<u8>())
                .prop_map(|(parts, style)| Piece::List(parts, style)),
        ]
    });
    (prop::collection::vec(tree, 1..5), any::<u8>()).prop_map(|(parts, style)| {
        let mut text = String::new();
        Piece::Map(parts, style).write(0, &mut text);
        text
    })
}

#[derive(Clone, Debug)]
enum Piece {
    Leaf(String, u8),
    Map(Vec<Piece>, u8),
    List(Vec<Piece>, u8),
}

impl Piece {
    fn write(&self, indent: usize, into: &mut String) {
        let (parts, style, list) = match self {
            Piece::Leaf(..) => return,
            Piece::Map(parts, style) => (parts, *style, false),
            Piece::List(parts, style) => (parts, *style, true),
        };
        const NAMES: [&str; 5] = ["parts", "free", "z", "name", "id"];
        for (index, part) in parts.iter().enumerate() {
            let pad = " ".repeat(indent);
            if style & 1 == 1 {
                into.push_str(&format!("{pad}# comment {index} {style}\n"));
            }
            if style & 2 == 2 {
                into.push_str("\n\n");
            }
            let opening = if list { "-".to_owned() } else { format!("{}:", NAMES[index]) };
            into.push_str(&format!("{pad}{opening}"));
            let step = 1 + usize::from(style >> 5 & 3);
            match part {
                Piece::Leaf(text, style) => {
                    let body = " ".repeat(indent + step);
                    let text = text.replace("@@", &body);
                    into.push_str(&" ".repeat(1 + usize::from(style & 3)));
                    into.push_str(&text);
                    if style & 4 == 4 && !text.contains('\n') {
                        into.push_str("   # behind");
                    }
                    if !text.ends_with('\n') {
                        into.push('\n');
                    }
                }
                block => {
                    into.push_str(if style & 8 == 8 { "  # opening\n" } else { "\n" });
                    block.write(indent + step, into);
                }
            }
        }
        if style & 16 == 16 {
            into.push_str(&format!("{}# foot {style}\n", " ".repeat(indent)));
        }
    }
}

proptest! {
    #[test]
    fn meaning_and_comments_survive_any_style(text in written()) {
        let file = SourceFile::new("a.yaml", text.as_str());
        let before = yaml::parse(&file).unwrap().to_json();
        let once = formatted(&text);
        let after = yaml::parse(&SourceFile::new("a.yaml", once.as_str())).unwrap().to_json();
        assert_eq!(before, after);
        assert_eq!(Source::new(&text).comment_texts(), Source::new(&once).comment_texts());
        assert!(once.ends_with('\n') && !once.contains("\n\n\n") && !once.contains(" \n"));
    }

    #[test]
    fn never_panics(text in "[a-c:#'\"\\[\\]{}|>&* \n-]{0,60}") {
        let _ = format(&SourceFile::new("a.yaml", text), Some(&FORM));
    }
}
