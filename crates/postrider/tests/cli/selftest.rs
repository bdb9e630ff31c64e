//! The selftest of a running server.

use serde_json::Value;

use super::house::{CONFIGURATION, House};

fn verdicts(rows: &[Value]) -> Vec<(&str, &str)> {
    let word =
        |row: &'static str| move |of: &Value| of[row].as_str().unwrap().to_owned().leak() as &str;
    rows.iter()
        .map(|row| (word("stage")(row), word("verdict")(row)))
        .collect()
}

#[test]
fn a_server_proves_end_to_end_that_it_works_and_leaves_no_trace_but_its_history() {
    let house = House::new();
    let more = "[[listener]]\nname = \"lmtp\"\nprotocol = \"lmtp\"\naddress = \"unix:lmtp.sock\"\n\
        [[listener]]\nname = \"tls\"\nprotocol = \"submission\"\ntls = \"implicit\"\naddress = \"127.0.0.1:0\"\n";
    let (head, test) = CONFIGURATION.split_once("[limits]").unwrap();
    house.write(&format!("{head}{more}[limits]{test}"));
    house.people();
    let mut served = house.serve(&["serve"]);
    served.listening("tls");
    let rows = house.json(&["selftest"]);
    let doors = [("door", "passed"); 3];
    let stages = [
        "account",
        "accepted",
        "routed",
        "claimed",
        "delivered",
        "readable",
        "cleaned",
    ];
    let stages = stages.map(|stage| (stage, "passed"));
    assert_eq!(verdicts(&rows), [&doors[..], &stages].concat(), "{rows:#?}");
    let starttls = rows
        .iter()
        .any(|row| row["detail"].as_str().unwrap().ends_with("STARTTLS"));
    assert!(starttls, "{rows:#?}");
    assert!(rows.iter().all(|row| row["ms"].is_u64()));

    assert!(
        house
            .json(&["mail", "list", "alice@example.test"])
            .is_empty()
    );
    assert_eq!(house.json(&["account", "list"]).len(), 1);
    let id = rows[4]["detail"].as_str().unwrap();
    let story = house.json(&["trace", id]);
    assert_eq!(story[0]["recipients"][0]["state"], "delivered");
    let audit = house.json(&["audit"]);
    assert_eq!(
        (
            audit[0]["accepted"].as_u64(),
            audit[0]["delivered"].as_u64()
        ),
        (Some(1), Some(1))
    );
    assert_eq!(audit[0]["findings"], serde_json::json!([]));
    assert!(house.ok(&["selftest"]).contains("readable"), "and again");
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn a_selftest_that_fails_says_at_which_stage_why_and_whose_move_it_is() {
    let house = House::new();
    let nobody = house.run(&["selftest"]);
    assert_eq!(nobody.status.code(), Some(1), "{nobody:?}");
    house.people();
    house.ok(&[
        "account",
        "add",
        "postrider-selftest@example.test",
        "--password",
        "correct horse",
    ]);
    let mut served = house.serve(&["serve"]);
    served.listening("mx");
    let failed = house.run(&["selftest", "--json"]);
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    let text = String::from_utf8(failed.stdout).unwrap();
    let rows: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(verdicts(&rows), [("door", "passed"), ("account", "failed")]);
    assert_eq!(rows[1]["whose"], "operator");
    // Somebody's account is left alone.
    assert_eq!(house.json(&["account", "list"]).len(), 2);
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn a_server_without_domains_is_tested_at_its_listeners() {
    let house = House::new();
    let mut served = house.serve(&["serve"]);
    served.listening("mx");
    let rows = house.json(&["selftest"]);
    assert_eq!(
        verdicts(&rows),
        [("door", "passed"), ("account", "skipped")]
    );
    assert_eq!(served.stop(), Some(0));
}
