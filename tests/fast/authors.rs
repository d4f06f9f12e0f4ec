//! What authors get: drafts, tables, the formatter, JSON Schemas for editors, pages that are true.

use crate::fixture::Folder;
use crate::pages::{self, blocks, root};
use serde_json::{Value, json};
use std::path::PathBuf;
use watashi::diagnostic::keys::{File, Form, Keys, json_schema, structures};
use watashi::diagnostic::{SourceFile, yaml};

const KINDS: [&str; 9] = [
    "adapter",
    "calendar",
    "case",
    "counts",
    "mapping",
    "permissions",
    "simulator",
    "table",
    "watashi",
];

fn file(name: &str) -> &'static File {
    match name {
        "adapter" => &watashi::adapter::keys::ADAPTER_FILE,
        "calendar" => &watashi::adapter::keys::hours::CALENDAR_FILE,
        "simulator" => &watashi::simulator::keys::SIMULATOR_FILE,
        "permissions" => &watashi::adapter::keys::PERMISSIONS_FILE,
        "case" => &watashi::mapping::keys::CASE_FILE,
        "counts" => &watashi::counts::keys::COUNTS_FILE,
        "mapping" => &watashi::mapping::keys::MAPPING_FILE,
        "table" => &watashi::mapping::keys::TABLE_FILE,
        "watashi" => &watashi::config::keys::CONFIG_FILE,
        other => panic!("no kind {other}"),
    }
}

fn validator(name: &str) -> jsonschema::Validator {
    jsonschema::draft202012::options().build(&json_schema(file(name))).unwrap()
}

fn parsed(path: &std::path::Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap();
    yaml::parse(&SourceFile::new(path.display().to_string(), text)).unwrap().to_json()
}

/// Every YAML definition of the repository with its kind.
fn definitions() -> Vec<(&'static str, PathBuf)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("adapters"), root().join("mappings")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let text = path.strip_prefix(root()).unwrap().display().to_string();
            let kind = match &text {
                _ if path.is_dir() => {
                    folders.push(path);
                    continue;
                }
                text if !text.ends_with(".yaml") => continue,
                text if text.contains("/calendars/") => "calendar",
                text if text.contains("/cases/") => "case",
                text if text.contains("/tables/") => "table",
                text if text.ends_with("/mapping.yaml") => "mapping",
                text if text.ends_with("/adapter.yaml") => "adapter",
                text if text.ends_with("/simulator.yaml") => "simulator",
                _ => "permissions",
            };
            found.push((kind, path));
        }
    }
    assert!(found.len() > 50);
    found
}

#[test]
fn every_definition_follows_its_json_schema() {
    for (kind, path) in definitions() {
        let errors: Vec<String> =
            validator(kind).iter_errors(&parsed(&path)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());
    }
    let example = std::fs::read_to_string(root().join("deploy/watashi.example.toml")).unwrap();
    let example: Value =
        serde_json::to_value(toml::from_str::<toml::Table>(&example).unwrap()).unwrap();
    assert!(validator("watashi").is_valid(&example));
}

/// Every document with one key of a known structure misspelt.
fn misspelt(document: &Value, form: &'static Form, into: &mut Vec<Value>) {
    fn walk(
        here: &Value,
        form: &'static Form,
        whole: &dyn Fn(Value) -> Value,
        into: &mut Vec<Value>,
    ) {
        match here {
            Value::Object(members) => {
                let tree = yaml::parse(&SourceFile::new("x", here.to_string())).unwrap();
                let Some(structure) = form.structure(tree.as_map().unwrap()) else { return };
                for (name, value) in members {
                    if structure.rank(name).is_some_and(|rank| rank < usize::MAX) {
                        let renamed = members.iter().map(|(key, value)| {
                            let key = if key == name { format!("{key}x") } else { key.clone() };
                            (key, value.clone())
                        });
                        into.push(whole(Value::Object(renamed.collect())));
                    }
                    if let Some(inner) = structure.form(name) {
                        walk(
                            value,
                            inner,
                            &|changed| {
                                let mut members = members.clone();
                                members.insert(name.clone(), changed);
                                whole(Value::Object(members))
                            },
                            into,
                        );
                    }
                }
            }
            Value::Array(list) => {
                let Some(inner) = form.element() else { return };
                for (index, value) in list.iter().enumerate() {
                    walk(
                        value,
                        inner,
                        &|changed| {
                            let mut list = list.clone();
                            *list.get_mut(index).unwrap() = changed;
                            whole(Value::Array(list))
                        },
                        into,
                    );
                }
            }
            _ => {}
        }
    }
    walk(document, form, &|document| document, into);
}

#[test]
fn a_misspelt_key_is_refused_wherever_it_stands() {
    let mut count = 0;
    for (kind, path) in definitions() {
        let validator = validator(kind);
        let mut wrong = Vec::new();
        misspelt(&parsed(&path), &file(kind).root, &mut wrong);
        for document in wrong {
            count += 1;
            // `[keys]` and the like may have any name; everything here is closed.
            assert!(!validator.is_valid(&document), "{}: {document}", path.display());
        }
    }
    assert!(count > 1_000, "{count}");
}

/// What an editor refuses, the program refuses too: for each structure of an adapter.
#[test]
fn readers_and_json_schemas_agree_about_adapters() {
    let folder = Folder::definitions();
    let path = "adapters/post/adapter.yaml";
    let good: Value = yaml::parse(&SourceFile::new(path, folder.read(path))).unwrap().to_json();
    let mut wrong = Vec::new();
    misspelt(&good, &file("adapter").root, &mut wrong);
    assert!(wrong.len() > 20);
    for document in wrong {
        folder.write(path, &document.to_string());
        let ran = folder.run(&["lint"]);
        assert_eq!(ran.code, 1, "{document}");
        assert!(ran.err.contains("M003") || ran.err.contains("M005"), "{document} {}", ran.err);
    }
}

#[test]
fn every_key_is_explained_and_every_structure_has_a_name_of_its_own() {
    for kind in KINDS {
        let all: Vec<&Keys> = structures(&file(kind).root);
        let mut names: Vec<&str> = all.iter().map(|keys| keys.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "{kind}");
        for key in all.iter().flat_map(|keys| keys.keys) {
            assert!(key.doc.ends_with(['.', ')']), "{kind} {}: {}", key.name, key.doc);
        }
    }
}

#[test]
fn json_schemas_are_listed_printed_and_written() {
    let folder = Folder::empty();
    let ran = folder.run(&["schema"]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains("\nmapping      A mapping of Watashi"), "{}", ran.out);
    let printed = folder.run(&["schema", "mapping"]).json();
    assert_eq!(printed["$ref"], "#/$defs/mapping");
    let ran = folder.run(&["schema", "maping"]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (2, "error: there is no kind of file `maping`\nhint: did you mean `mapping`?\n")
    );
    let ran = folder.run(&["schema", "--out", "s"]);
    assert_eq!(ran.code, 0);
    for kind in KINDS {
        let kept = root().join(format!("docs/reference/schema/{kind}.schema.json"));
        let kept = std::fs::read_to_string(kept).unwrap();
        assert_eq!(folder.read(&format!("s/{kind}.schema.json")), kept, "run scripts/generate");
    }
}

#[test]
fn the_repository_is_in_form() {
    let folder = pages::checkout();
    let ran = folder.run(&["format", "--check"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}

#[test]
fn format_writes_what_check_names() {
    let folder = Folder::definitions();
    let path = "mappings/order-to-parcel/mapping.yaml";
    folder.write(path, "from:   shop/order@1\nmapping: order-to-parcel   # its name\nto: post/parcel@1\nrules:\n    who: person\n    sum: amount\n");
    let ran = folder.run(&["format", "--check"]);
    assert_eq!((ran.code, ran.out.lines().count()), (1, 1), "{}", ran.out);
    assert!(ran.out.contains(&format!("would change {path}\n")));
    assert!(
        ran.err.ends_with("1 not in form\nhint: `watashi format` writes them\n"),
        "{}",
        ran.err
    );
    assert_eq!(folder.run(&["format"]).code, 0);
    assert_eq!(
        folder.read(path),
        "mapping: order-to-parcel  # its name\nfrom: shop/order@1\nto: post/parcel@1\nrules:\n  who: person\n  sum: amount\n"
    );
    assert_eq!(folder.run(&["format", "--check"]).code, 0);
    assert_eq!(folder.run(&["format", "nowhere"]).code, 2);
    folder.write(path, "mapping: [\n");
    let ran = folder.run(&["format"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("M001"), "{}", ran.err);
    assert_eq!(folder.read(path), "mapping: [\n");
}

#[test]
fn a_mapping_is_a_table() {
    let folder = Folder::definitions();
    let ran = folder.run(&["docs", "mapping", "order-to-parcel", "--lang", "en"]);
    let wanted = "\
item  title  type          length  required  rule                                                                        class  legal item
who          text          ≤ 20    yes       person
sum          whole number          yes       if note is \"forbidden\" then refuse (NOT-ALLOWED), else amount
";
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!((ran.code, squeezed(&ran.out)), (0, squeezed(wanted)), "{}", ran.out);
    let csv = folder.run(&["docs", "mapping", "order-to-parcel", "--csv", "--lang", "ja"]).out;
    assert!(csv.starts_with("\u{feff}\"番号\",\"送付先項目\",\"名称\",\"型\""), "{csv}");
    assert!(csv.ends_with("\r\n") && csv.matches("\r\n").count() == 3);
    assert!(
        csv.contains(
            "\"noteが「forbidden」である場合は拒否する（NOT-ALLOWED）、それ以外はamount\""
        ),
        "{csv}"
    );
    let html = folder.run(&["docs", "mapping", "order-to-parcel", "--html"]).out;
    assert!(html.starts_with("<!doctype html>\n<html lang=\"ja\">"));
    for loads in ["<script", "<link", "src=", "url(", "@import"] {
        assert!(!html.contains(loads), "{loads}");
    }
    assert!(html.contains("<th scope=\"row\""));
    let ran = folder.run(&["docs", "mapping", "order-to-parcle"]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (
            2,
            "error: there is no mapping `order-to-parcle`\nhint: did you mean `order-to-parcel`?\n"
        )
    );
    assert_eq!(folder.run(&["docs"]).code, 2);
    assert_eq!(folder.run(&["docs", "--out", "t"]).code, 0);
    assert!(folder.read("t/index.ja.html").contains("href=\"order-to-parcel.ja.html\""));
    assert!(folder.path("t/order-to-parcel.en.csv").exists());
}

#[test]
fn every_mapping_of_the_repository_is_a_table_without_gaps() {
    let folder = pages::checkout();
    assert_eq!(folder.run(&["docs", "--out", "t", "--csv", "--lang", "ja"]).code, 0);
    for (kind, path) in definitions() {
        if kind != "mapping" {
            continue;
        }
        let name = path.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        let page = folder.run(&["docs", "mapping", &name, "--json"]).json();
        for item in page["items"].as_array().unwrap() {
            let leaf = !item["types"].as_str().unwrap().contains("object");
            let unset = leaf && item["required"] == "always" && item["rule"].is_null();
            // What is required only within a part that no rule makes is not set either.
            let part = item["path"].as_str().unwrap().rsplit_once('.').map(|(part, _)| part);
            let made = |part: &str| {
                page["items"].as_array().unwrap().iter().any(|other| {
                    !other["rule"].is_null() && other["path"].as_str().unwrap().starts_with(part)
                })
            };
            assert!(!unset || part.is_some_and(|part| !made(part)), "{name} {}", item["path"]);
        }
    }
}

#[test]
fn explain_shows_class_and_source_of_each_target() {
    let folder = pages::checkout();
    let example = root().join("schemas/health/subject/examples/valid-registered.json");
    let ran = folder.run(&[
        "try",
        "subject-to-pmh",
        example.to_str().unwrap(),
        "--type",
        "subject.registered",
        "--explain",
        "--json",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let page = ran.json();
    let lines = page["routes"][0]["explain"].as_array().unwrap();
    let of = |target: &str| lines.iter().find(|line| line["target"] == target).unwrap().clone();
    assert_eq!(of("myNumber")["class"], "個人番号");
    assert_eq!(of("myNumber")["sources"], json!(["person.individualNumber"]));
    assert_eq!(of("basicFiveInfo.name")["class"], "個人情報");
    assert_eq!(of("revision")["class"], "plain");
}

const SAMPLE: &str = r#"{"orderId":"A-1","person":{"name":"山田 太郎","birthDate":"1980-02-03","myNumber":"123456789018"},"items":[{"code":"x1","count":2},{"code":"x2","count":1}]}"#;

#[test]
fn new_files_lint_and_nothing_is_written_over() {
    let folder = Folder::empty();
    folder.write("a.json", SAMPLE);
    let ran = folder.run(&["new", "schema", "shop/order", "--sample", "a.json"]);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (0, "wrote schemas/shop/order/1.schema.json\n"),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("person.myNumber: 個人番号 12 digits with a valid check digit"),
        "{}",
        ran.err
    );
    let schema = folder.read("schemas/shop/order/1.schema.json");
    for value in ["山田", "123456789018", "1980", "A-1", "x1"] {
        assert!(!schema.contains(value), "{value}");
    }
    assert_eq!(folder.run(&["new", "schema", "shop/order", "--sample", "a.json"]).code, 2);
    let ran = folder.run(&["new", "adapter", "post"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(folder.read("adapters/post/adapter.yaml").starts_with(
        "# yaml-language-server: $schema=../../docs/reference/schema/adapter.schema.json\n"
    ));
    assert!(folder.path("docs/reference/schema/adapter.schema.json").exists());
    assert!(folder.read("adapters/post/README.md").contains("| confirmed |"));
    let ran = folder.run(&["lint"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(folder.run(&["format", "--check"]).code, 0);
    let before = folder.read("adapters/post/adapter.yaml");
    assert_eq!(folder.run(&["new", "adapter", "post"]).code, 2);
    assert_eq!(folder.read("adapters/post/adapter.yaml"), before);
    assert_eq!(folder.run(&["new", "adapter", "Post"]).code, 2);
    assert_eq!(folder.run(&["new"]).code, 2);
}

#[test]
fn a_mapping_to_itself_is_complete() {
    let folder = Folder::empty();
    folder.write("a.json", SAMPLE);
    folder.run(&["new", "schema", "shop/order", "--sample", "a.json"]);
    folder.run(&["new", "adapter", "post"]);
    let ran =
        folder.run(&["new", "mapping", "same", "--from", "shop/order@1", "--to", "shop/order@1"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ran = folder.run(&["lint"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(folder.run(&["format", "--check"]).code, 0);
    assert!(
        folder
            .read("mappings/same/mapping.yaml")
            .contains("  items:\n    each: items\n    rules:\n      code: code\n")
    );
}

#[test]
fn what_a_first_mapping_lacks_stands_there_as_to_do() {
    let folder = Folder::definitions();
    let ran =
        folder.run(&["new", "mapping", "back", "--from", "shop/order@1", "--to", "post/parcel@1"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let text = folder.read("mappings/back/mapping.yaml");
    assert!(text.contains("# TODO who: required; no source is called like it"), "{text}");
    let page = folder.run(&["lint", "--json"]).json();
    let codes: Vec<&str> = page["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["code"].as_str().unwrap())
        .collect();
    assert!(!codes.is_empty() && codes.iter().all(|code| *code == "M203"), "{codes:?}");
    let ran =
        folder.run(&["new", "mapping", "b", "--from", "shop/ordr@1", "--to", "post/parcel@1"]);
    assert!(ran.err.contains("hint: did you mean `shop/order@1`?"), "{}", ran.err);
}

#[test]
fn schemas_are_drafted_from_xml_and_csv() {
    let folder = Folder::empty();
    folder.write("a.xml", "<o:Order xmlns:o=\"urn:x\" version=\"1\"><o:Id>12</o:Id><o:Line no=\"1\">a</o:Line><o:Line no=\"2\">b</o:Line></o:Order>");
    assert_eq!(folder.run(&["new", "schema", "shop/xml", "--sample", "a.xml"]).code, 0);
    let schema: Value =
        serde_json::from_str(&folder.read("schemas/shop/xml/1.schema.json")).unwrap();
    assert_eq!(
        schema["x-xml"],
        json!({"root": "Order", "declaration": true, "namespace": "urn:x"})
    );
    assert_eq!(schema["properties"]["version"]["xml"], json!({"attribute": true}));
    assert_eq!(schema["properties"]["Line"]["type"], "array");
    folder.write("a.csv", "\u{feff}番号,氏名,空\r\n001,\"山田, 太郎\",\r\n002,佐藤,\r\n");
    let ran = folder.run(&["new", "schema", "shop/csv", "--sample", "a.csv"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let schema: Value =
        serde_json::from_str(&folder.read("schemas/shop/csv/1.schema.json")).unwrap();
    assert_eq!(schema["x-csv"]["bom"], true);
    let row = &schema["items"]["properties"];
    assert_eq!(
        (&row["番号"]["pattern"], &row["氏名"]["x-class"]),
        (&json!("^[0-9]{3}$"), &json!("個人情報"))
    );
    assert!(row["空"].is_object());
    folder.run(&["new", "adapter", "post"]);
    let ran = folder.run(&["lint"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    folder.write("bad.json", "{");
    let ran = folder.run(&["new", "schema", "shop/bad", "--sample", "bad.json"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.starts_with("error: `bad.json` is not readable: "), "{}", ran.err);
}

/// Every example of the guide: its rules make of the page's document what the page says.
#[test]
fn the_guide_of_the_mapping_language_is_true() {
    let page = blocks("docs/mapping-language.md");
    let source = std::fs::read_to_string(root().join("tests/corpus/guide/source.schema.json"));
    let folder = Folder::empty();
    folder.write("schemas/guide/source/1.schema.json", &source.unwrap());
    let open = r#"{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "x-open": true}"#;
    folder.write("schemas/guide/target/1.schema.json", open);
    let input = &page.iter().find(|block| block.kind == "json input").unwrap().text;
    let mut examples = 0;
    for (index, block) in page.iter().enumerate().filter(|(_, block)| block.kind == "yaml rules") {
        let after = &page[index + 1];
        let mapping =
            format!("mapping: example\nfrom: guide/source@1\nto: guide/target@1\n{}", block.text);
        folder.write("mappings/example/mapping.yaml", &mapping);
        let expected = match after.kind.as_str() {
            "json gives" => {
                json!({"case": "c", "input": parse(input), "expected": parse(&after.text)})
            }
            "text rejected" => {
                json!({"case": "c", "input": parse(input), "rejected": after.text.trim()})
            }
            other => panic!("{other:?} stands below rules: {}", block.text),
        };
        folder.write("mappings/example/cases/c.yaml", &expected.to_string());
        let ran = folder.run(&["test", "--generate", "0"]);
        assert_eq!(ran.code, 0, "{}\n{}{}", block.text, ran.out, ran.err);
        let ran = folder.run(&["format", "--check", "mappings/example/mapping.yaml"]);
        assert_eq!(ran.code, 0, "not in form:\n{}", block.text);
        examples += 1;
    }
    assert!(examples >= 8, "{examples}");
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Every other YAML block of the pages can be read.
#[test]
fn yaml_blocks_of_pages_are_yaml() {
    for page in
        ["docs/mapping-language.md", "docs/adapters.md", "mappings/README.md", "adapters/README.md"]
    {
        for block in blocks(page).iter().filter(|block| block.kind == "yaml") {
            let text = block.text.replace('…', "x");
            let parsed = yaml::parse(&SourceFile::new(page, text));
            assert!(parsed.is_ok(), "{page}: {}", block.text);
        }
    }
}

/// The page of the fixed-width file, followed word for word.
#[test]
fn the_fixed_width_tutorial_does_what_it_says() {
    let page = blocks("docs/tutorial-fixed-width.md");
    let folder = pages::checkout();
    let files = pages::files(&page, "File");
    let replaced = pages::files(&page, "Replace");
    assert_eq!(files["columns.csv"].lines().count(), 25);
    let mut checked = 0;
    for block in &page {
        let path = |word: &str| {
            let path = block.before.strip_prefix(word)?.strip_prefix(": `")?.strip_suffix('`')?;
            Some(path.to_owned())
        };
        if let Some(path) = path("File") {
            pages::add(&folder, &path, &block.text);
        } else if let Some(path) = path("Replace") {
            assert!(folder.path(&path).exists(), "{path} is not there to be replaced");
            folder.write(&path, &block.text);
        } else if block.kind == "sh" {
            let command = block.text.trim();
            let ran = pages::run(&folder, command);
            assert_eq!(ran.code, 0, "{command}: {}", ran.err);
            let below = page.iter().skip_while(|one| !std::ptr::eq(*one, block)).nth(1);
            if let Some(below) =
                below.filter(|below| below.kind == "text" && below.before.is_empty())
            {
                let whole = ran.out.clone() + &ran.err;
                let told = if command.contains(" new ") { &ran.out } else { &whole };
                assert_eq!(*told, below.text, "{command}");
                checked += 1;
            }
        }
    }
    assert_eq!((checked, replaced.len()), (6, 1));
    assert_eq!(folder.run(&["format", "--check"]).code, 0);
    let ran = folder.run(&["test"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}

#[test]
fn japanese_pages_have_the_same_blocks() {
    for page in ["mapping-language.md", "tutorial-first-route.md", "tutorial-fixed-width.md"] {
        let (english, japanese) =
            (blocks(&format!("docs/{page}")), blocks(&format!("docs/ja/{page}")));
        assert_eq!(english.len(), japanese.len(), "{page}");
        for (left, right) in english.iter().zip(&japanese) {
            assert_eq!((&left.kind, &left.text), (&right.kind, &right.text), "{page}");
        }
    }
}

#[test]
fn explain_route_tells_what_is_disclosed_to_whom_on_which_basis() {
    let folder = pages::checkout();
    let route = "vaccination-record-to-copy";
    let ran = folder.run(&["explain", "route", route]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let expected = root().join("tests/corpus/adapter/explain-route.txt");
    assert_eq!(ran.out, std::fs::read_to_string(expected).unwrap());
    let page = folder.run(&["--json", "explain", "route", route]).json();
    let disclosed = &page["discloses"];
    assert_eq!(disclosed["classes"], json!(["個人情報", "特定個人情報"]));
    assert_eq!(disclosed["items"].as_array().unwrap().len(), 9);
    assert_eq!(disclosed["items"][3], json!({"code": "TK00008400000040", "title": "ロット番号"}));
    let answered = folder.run(&["--json", "explain", "route", "inquiry-to-intermediate-server"]);
    let reply = answered.json()["reply"].clone();
    assert_eq!(reply["type"], "inquiry.answered");
    assert_eq!(reply["classes"], json!(["個人情報", "特定個人情報"]));
}
