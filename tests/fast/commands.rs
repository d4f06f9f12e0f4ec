//! The command line as an author meets it: the built binary in a temporary folder.

use crate::fixture::{Folder, MESSAGE};
use serde_json::json;

#[test]
fn help_names_every_command_and_the_exit_codes() {
    let folder = Folder::empty();
    let ran = folder.run(&["--help"]);
    assert_eq!(ran.code, 0);
    for command in ["run", "lint", "test", "try", "check", "explain", "list", "status", "trace"] {
        assert!(ran.out.contains(&format!("\n  {command} ")), "{command} is missing: {}", ran.out);
    }
    assert!(ran.out.contains("Exit codes: 0 ok, 1 findings, 2 usage, 3 integrity"));
    assert_eq!(folder.run(&["lnit"]).code, 2);
    assert!(folder.run(&["lnit"]).err.contains("lint"));
    assert_eq!(
        folder.run(&["--version"]).out,
        concat!("watashi ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn lint_is_quiet_about_what_is_right() {
    let ran = Folder::definitions().run(&["lint"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    assert_eq!(ran.err, "checked 1 adapter, 3 schemas, 1 mapping: no problems\n");
    let ran = Folder::whole().run(&["lint"]);
    let line = "checked 1 adapter, 3 schemas, 1 mapping, the configuration: no problems\n";
    assert_eq!((ran.code, ran.err.as_str()), (0, line));
}

#[test]
fn lint_tells_several_problems_at_once_with_place_and_nearest_name() {
    let folder = Folder::definitions();
    folder.change("mappings/order-to-parcel/mapping.yaml", "who: person", "who: persn");
    folder.change("adapters/post/adapter.yaml", "interaction:", "interacton:");
    let ran = folder.run(&["lint"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{}", ran.err);
    assert!(ran.err.contains("--> mappings/order-to-parcel/mapping.yaml:5:8\n"), "{}", ran.err);
    assert!(ran.err.contains("5 |   who: persn\n"), "{}", ran.err);
    assert!(ran.err.contains("hint: did you mean `person`?"), "{}", ran.err);
    assert!(ran.err.contains("hint: did you mean `interaction`?"), "{}", ran.err);
    let page = folder.run(&["lint", "--json"]).json();
    let errors = page["errors"].as_u64().unwrap();
    assert!(errors >= 2);
    assert_eq!(page["diagnostics"].as_array().unwrap().len() as u64, errors);
    assert!(ran.err.ends_with(&format!("1 mapping: {errors} errors\n")), "{}", ran.err);
}

#[test]
fn lint_tells_of_two_routes_of_one_name() {
    let folder = Folder::definitions();
    let other = folder.read("adapters/post/adapter.yaml").replace("adapter: post", "adapter: ship");
    folder.write("adapters/ship/adapter.yaml", &other);
    let ran = folder.run(&["lint"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("route `placing` is also declared by adapter `post`"), "{}", ran.err);
    assert!(ran.err.contains("--> adapters/ship/adapter.yaml:13:3\n"), "{}", ran.err);
}

#[test]
fn an_unknown_configuration_key_is_an_error_with_the_nearest_one() {
    let folder = Folder::whole();
    folder.change("watashi.toml", "municipalities = ", "municipalitys = ");
    let ran = folder.run(&["lint"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("[gateway] has no key `municipalitys`"), "{}", ran.err);
    assert!(ran.err.contains("hint: did you mean `municipalities`?"), "{}", ran.err);
    // Every other command stops at the same words, with the exit code for configuration.
    let ran = folder.run(&["status"]);
    assert_eq!(ran.code, 78);
    assert!(ran.err.contains("hint: did you mean `municipalities`?"), "{}", ran.err);
    assert!(ran.err.ends_with("error: `watashi.toml` must be mended first\n"), "{}", ran.err);
}

#[test]
fn counterparts_and_routes_must_agree_with_the_definitions() {
    let folder = Folder::whole();
    folder.change("watashi.toml", "[counterpart.post]", "[counterpart.pots]");
    let ran = folder.run(&["lint"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("error[C108]: there is no adapter `pots`"), "{}", ran.err);
    assert!(ran.err.contains("hint: did you mean `post`?"), "{}", ran.err);
    assert!(ran.err.contains("error[C109]: an enabled route needs `[counterpart.post]`"));
    let folder = Folder::whole();
    folder.change("watashi.toml", "\"placing\"", "\"placin\"");
    let ran = folder.run(&["lint"]);
    assert!(ran.err.contains("no adapter has a route `placin`"), "{}", ran.err);
    assert!(ran.err.contains("hint: did you mean `placing`?"), "{}", ran.err);
}

#[test]
fn lint_without_definitions_says_where_it_looked() {
    let ran = Folder::empty().run(&["lint"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("error[C104]: no `adapters/<name>/adapter.yaml`"), "{}", ran.err);
}

#[test]
fn try_shows_every_station_and_no_value() {
    let folder = Folder::whole();
    let ran = folder.run_with_input(&["try", "placing", "--explain"], MESSAGE);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for part in [
        "accept    ok      order.placed",
        "validate  ok      shop/order@1",
        "map       ok      order-to-parcel -> post/parcel@1",
        "deliver   would send POST https://127.0.0.1:1/place",
        "Idempotency-Key: (the exchange's idempotency key)",
        "  line  target  result     class  reads         rule\n",
        "  5     who     string(2)         person        person\n",
    ] {
        assert!(ran.out.contains(part), "{part:?} is missing in {}", ran.out);
    }
    assert!(!ran.out.contains("山田"), "{}", ran.out);
    let shown = folder.run_with_input(&["try", "placing", "--show-values"], MESSAGE);
    assert!(shown.out.contains("山田"), "{}", shown.out);
    assert!(!folder.path("watashi.db").exists());
}

#[test]
fn try_stops_where_the_gateway_would() {
    let folder = Folder::whole();
    let tried = |body: &str| folder.run_with_input(&["try", "placing", "-"], body);
    for (body, part) in [
        ("{", "accept    FAILED  G107"),
        (r#"{"town":"131237","person":"a","person":"b","amount":3}"#, "accept    FAILED  G107"),
        (r#"{"town":"999999","person":"a","amount":3}"#, "accept    FAILED  G109"),
        (r#"{"town":"131237","person":"a"}"#, "validate  FAILED  G201"),
        (
            r#"{"town":"131237","person":"a","amount":3,"note":"forbidden"}"#,
            "map       FAILED  G301",
        ),
    ] {
        let ran = tried(body);
        assert_eq!(ran.code, 1, "{body}");
        assert!(ran.out.contains(part), "{part:?} is missing in {}", ran.out);
        assert!(ran.out.contains("hint: "), "{}", ran.out);
    }
    let ran = folder.run(&["try", "placin", "message.json"]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (2, "error: there is no route `placin`\nhint: did you mean `placing`?\n")
    );
    let ran = folder.run(&["try", "placing", "missing.json"]);
    assert_eq!((ran.code, ran.err.as_str()), (69, "error: `missing.json`: entity not found\n"));
    assert_eq!(folder.run(&["try"]).code, 2);
}

#[test]
fn codes_are_explained_offline() {
    let folder = Folder::empty();
    let ran = folder.run(&["explain", "c204"]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.starts_with("C204 key missing\n"), "{}", ran.out);
    assert!(ran.out.contains("who acts:    configuration\n"), "{}", ran.out);
    let ran = folder.run(&["explain", "C2O4"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.starts_with("error: there is no code `C2O4`\nhint: did you mean `C2"));
    let all = folder.run(&["explain", "--json"]).json();
    assert_eq!(all.as_array().unwrap().len(), watashi::model::codes::all().count());
    assert_eq!(folder.run(&["explain", "route"]).code, 2);
}

#[test]
fn a_route_tells_what_it_discloses() {
    let folder = Folder::whole();
    let page = folder.run(&["explain", "route", "placing", "--json"]).json();
    assert_eq!(page["types"], json!(["order.placed"]));
    assert_eq!(page["record"], "送付");
    assert_eq!(page["basis"]["law"], "例規第1条");
    assert_eq!(page["counterpart"]["ja"], "郵便");
    let text = folder.run(&["explain", "route", "placing"]).out;
    assert!(text.contains("basis        law: 例規第1条\n"), "{text}");
}

#[test]
fn lists_show_what_is_defined() {
    let folder = Folder::whole();
    let routes = folder.run(&["list", "routes"]).out;
    assert_eq!(
        routes,
        "route    enabled  counterpart  operation  mapping          types\n\
         placing  yes      post         place      order-to-parcel  order.placed\n"
    );
    let schemas = folder.run(&["list", "schemas", "--json"]).json();
    assert_eq!(schemas[1], json!({"schema": "post/parcel@1", "title": "parcel"}));
    assert_eq!(folder.run(&["list", "mappings"]).code, 0);
    assert_eq!(folder.run(&["list", "adapters"]).code, 0);
    assert_eq!(folder.run(&["list"]).code, 2);
    assert_eq!(folder.run(&["list", "routes", "--state", "dead"]).code, 2);
    let ran = folder.run(&["list", "exchanges", "--state", "daed"]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (2, "error: there is no state `daed`\nhint: did you mean `dead`?\n")
    );
}

#[test]
fn check_has_a_line_for_everything_and_the_worst_exit_code() {
    let folder = Folder::whole();
    folder.write("ca.pem", "not a certificate");
    let ran = folder.run(&["check"]);
    assert_eq!(ran.code, 78, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("ok      keys and store: "), "{}", ran.out);
    assert!(ran.out.contains("FAILED  post: https://127.0.0.1:1/: N231 "), "{}", ran.out);
    assert!(ran.out.contains("\n        hint: "), "{}", ran.out);
    assert_eq!(ran.err, "4 checks, 1 failed\n");
}
