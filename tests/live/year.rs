//! A whole municipality's year in a short form: 40 residents, one day of work a week. The clocks of
//! the gateway and of its counterparts are stepped from event to event.

use super::crossing::simulators;
use super::setup;
use serde_json::Value;
use std::process::Command;

#[test]
fn a_short_year_ends_with_equal_books() {
    setup();
    let folder = std::env::temp_dir().join(format!("watashi-year-{}", std::process::id()));
    let output = Command::new(simulators())
        .args(["demo", "--scenario", "year", "--json", "--seed", "31", "--residents", "40"])
        .args(["--days-a-week", "1", "--definitions", env!("CARGO_MANIFEST_DIR"), "--folder"])
        .arg(&folder)
        .args(["--watashi", env!("CARGO_BIN_EXE_watashi")])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let verdict: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("no verdict ({error}); the year said:\n{told}"));
    assert_eq!(verdict["differences"], serde_json::json!([]), "{told}");
    assert_eq!(verdict["late"], serde_json::json!([]), "{told}");
    for count in ["lost", "doubled", "unrecorded", "out_of_order"] {
        assert_eq!(verdict[count], 0, "{count}: {told}");
    }
    assert_eq!(verdict["record"]["verified"], true, "{told}");
    assert_eq!(verdict["equal"], true, "{told}");
    assert!(output.status.success(), "{told}");
    let items = verdict["items"].as_array().unwrap();
    assert!(
        items.iter().all(|owner| owner[1].as_u64() > Some(0)),
        "everybody holds something: {items:?}"
    );
    let _removed = std::fs::remove_dir_all(folder);
}
