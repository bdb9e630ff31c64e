//! What commands print with one word is declared, with its meaning, in `docs/words.md` and, of alarms, in `docs/alarms.md`.

use std::collections::{BTreeMap, BTreeSet};

use path_watch::AlarmKind;
use serde_json::Value;

use super::house::{CONFIGURATION, House};

/// The words of the sections of the manual whose headings begin so.
fn words(headings: &[&str]) -> BTreeSet<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/words.md");
    let manual = std::fs::read_to_string(path).unwrap();
    let mut found = BTreeSet::new();
    for section in manual.split("\n## ").skip(1) {
        let heading = section.lines().next().unwrap();
        if headings.contains(&heading) {
            let word = |line: &str| Some(line.strip_prefix("- `")?.split_once('`')?.0.to_owned());
            found.extend(section.lines().filter_map(word));
        }
    }
    assert!(!found.is_empty(), "{headings:?}");
    found
}

/// Fields that hold a word, and where it is declared.
const FIELDS: &[(&str, &[&str])] = &[
    ("state", &["States", "Next hops", "Nodes"]),
    ("hop", &["Next hops"]),
    ("stage", &["Stages"]),
    ("origin", &["Ways in"]),
    ("outcome", &["Outcomes of attempts"]),
    ("kind", &["Events", "Findings of the audit"]),
    ("act", &["Operators' verbs"]),
    ("what", &["Explanations: what comes next"]),
    ("rule", &["Explanations: rules"]),
    (
        "step",
        &["Explanations: steps", "Outcomes of attempts", "Events"],
    ),
];

/// Looks at every field of what was printed, however deep; says which words there were.
fn check(value: &Value, seen: &mut BTreeSet<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| check(one, seen)),
        Value::Object(fields) => {
            for (name, value) in fields {
                if let Some((_, of)) = FIELDS.iter().find(|(field, _)| field == name) {
                    let word = value.as_str().unwrap_or_else(|| panic!("{name}: {value}"));
                    assert!(words(of).contains(word), "{name}: {word} is not declared");
                    seen.insert(word.to_owned());
                }
                check(value, seen);
            }
            if fields.contains_key("steps") {
                let reason = fields["reason"].as_str().unwrap();
                assert!(words(&["Explanations: reasons"]).contains(reason));
                let known = words(&["Explanations: facts"]);
                for fact in fields["facts"].as_object().unwrap().keys() {
                    assert!(known.contains(fact), "{fact} is not declared");
                }
                seen.insert(reason.to_owned());
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_word_that_a_command_prints_is_declared() {
    let house = House::new();
    house.write(&format!("{CONFIGURATION}[timeouts]\nconnect = \"1s\"\n"));
    house.people();
    let send = |to: &str| {
        let sent = house.run_with(
            &["sendmail", "-f", "bob@far.test", to],
            "Subject: a\r\n\r\nb",
        );
        assert!(sent.status.success(), "{sent:?}");
    };
    for to in ["x@away.test", "y@away.test", "alice@example.test"] {
        send(to);
    }
    let act = house.json(&["hold", "--recipient", "y@away.test", "--reason", "a look"]);
    let mut served = house.serve(&["serve"]);
    served.listening("mx");
    house.until(&["trace", "bob@far.test"], |rows| {
        rows.iter()
            .any(|row| row["recipients"][0]["state"] == "delivered")
            && rows.iter().any(|row| {
                !row["recipients"][0]["attempts"]
                    .as_array()
                    .unwrap()
                    .is_empty()
            })
    });
    let mut seen = BTreeSet::new();
    act.iter().for_each(|row| check(row, &mut seen));
    for arguments in [
        &["queue"][..],
        &["queue", "list"],
        &["queue", "list", "--state", "delivered"],
        &["trace", "bob@far.test"],
        &["explain", "bob@far.test"],
        &["node", "list"],
        &["audit"],
        &["inspect", "rows", "event"],
        &["inspect", "rows", "recipient"],
    ] {
        let rows = house.json(arguments);
        rows.iter().for_each(|row| check(row, &mut seen));
    }
    for word in [
        "held",
        "delivered",
        "hold",
        "sendmail",
        "accepted",
        "history_end",
        "up",
    ] {
        assert!(seen.contains(word), "{word} was not printed: {seen:?}");
    }
    assert_eq!(served.stop(), Some(0));
}

/// What `docs/alarms.md` says of each kind: its meaning and its remedy.
fn catalogue() -> BTreeMap<String, (String, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/alarms.md");
    let manual = std::fs::read_to_string(path).unwrap();
    let sections = manual.split("\n## ").skip(1);
    let entry = |section: &str| {
        let mut parts = section.split("\n\n").map(|part| part.trim().to_owned());
        let mut part = || parts.next().unwrap();
        (part(), (part(), part()))
    };
    sections.map(entry).collect()
}

/// A folder in which mail is held for too long, mail has failed whose sender nobody can tell, and mail waits for a
/// connector that is gone; its looks are frequent, and its log is JSON.
fn house_of_alarms() -> House {
    const CONNECTOR: &str = r#"[[connector]]
name = "partner"
address_space = ["partner.test"]
next_hop = "127.0.0.1:9"
"#;
    let settings = format!(
        r#"{CONFIGURATION}[queue]
hold_alarm = "1h"
[watch]
reconcile_interval = "50ms"
sweep_interval = "100ms"
slack = "1s"
[log]
format = "json"
"#
    );
    let house = House::new();
    house.write(&format!("{settings}{CONNECTOR}"));
    house.people();
    for (from, to) in [
        ("bob@far.test", "x@partner.test"),
        ("bob@far.test", "y@away.test"),
        ("bob@far.test", "w@away.test"),
        ("<>", "z@away.test"),
    ] {
        let sent = house.run_with(&["sendmail", "-f", from, to], "Subject: a\r\n\r\nb");
        assert!(sent.status.success(), "{sent:?}");
    }
    for to in ["w@away.test", "y@away.test"] {
        house.json(&["hold", "--recipient", to, "--reason", "a look"]);
    }
    house.json(&["return", "--recipient", "z@away.test", "--reason", "late"]);
    house.write(&settings);
    house
}

/// Raises alarms of five kinds at the server of such a house; what `alarms` prints.
fn raise_alarms(house: &House) -> Vec<Value> {
    house.ok(&["clock", "advance", "2h"]);
    house.ok(&["clock", "step", "60000ms"]);
    house.ok(&["node", "drain", "mx.example.test"]);
    house.json(&["release", "--recipient", "w@away.test"]);
    let alarms = house.until(&["alarms"], |alarms| {
        let stands = |kind: &&str| alarms.iter().any(|alarm| alarm["kind"] == **kind);
        RAISED.iter().all(stands)
    });
    let raised = |alarm: &Value| RAISED.contains(&alarm["kind"].as_str().unwrap());
    alarms.into_iter().filter(raised).collect()
}

/// Kinds that stand until somebody does something.
const RAISED: &[&str] = &[
    "held_forgotten",
    "dead_letters",
    "no_such_connector",
    "clock_stepped",
    "stalled",
];

#[test]
fn every_alarm_is_told_in_the_words_of_the_catalogue_by_commands_and_by_the_log() {
    let declared = catalogue();
    let kinds = AlarmKind::ALL.iter().map(|kind| kind.word());
    let kinds: BTreeSet<&str> = kinds.collect();
    assert!(kinds.into_iter().eq(declared.keys().map(String::as_str)));
    let house = house_of_alarms();
    let mut served = house.serve(&["serve"]);
    served.listening("mx");
    let alarms = raise_alarms(&house);
    let table = house.ok(&["alarms"]);
    let log = house.log();
    let log = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let log: Vec<Value> = log.map(|line| line["fields"].clone()).collect();
    for alarm in &alarms {
        let kind = alarm["kind"].as_str().unwrap();
        let (meaning, remedy) = &declared[kind];
        let begun = |line: &&Value| line["alarm"] == kind && line["subject"] == alarm["subject"];
        for told in [alarm, log.iter().find(begun).unwrap()] {
            assert_eq!(told["meaning"], **meaning);
            assert_eq!(told["remedy"], **remedy);
        }
        let row = table
            .lines()
            .find(|line| line.trim_start().starts_with(kind));
        let row = row.unwrap_or_else(|| panic!("{kind}: {table}"));
        assert!(
            row.contains(&**meaning) && row.ends_with(&**remedy),
            "{row}"
        );
    }
    let metrics = house.ok(&["metrics"]);
    let counted = metrics.lines().filter_map(|line| {
        let line = line.strip_prefix("postrider_alarm{kind=\"")?;
        Some(line.split_once('"')?.0)
    });
    let counted: BTreeSet<&str> = counted.collect();
    assert!(counted.into_iter().eq(declared.keys().map(String::as_str)));
    let health = house.run(&["health", "--json"]);
    assert_eq!(health.status.code(), Some(1), "mail is stalled: {health:?}");
    let health: Value = serde_json::from_slice(&health.stdout).unwrap();
    let reasons = health["reasons"].as_array().unwrap().iter();
    let heads = reasons.filter_map(|reason| Some(reason.as_str()?.split_once(':')?.0));
    let words: Vec<&str> = heads.filter(|head| !head.contains(' ')).collect();
    assert!(words.contains(&"stalled"), "{health}");
    assert!(
        words.iter().all(|word| declared.contains_key(*word)),
        "{health}"
    );
    assert_eq!(served.stop(), Some(0));
}
