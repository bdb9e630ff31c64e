//! What commands print with one word is declared, with its meaning, in `docs/words.md`.

use std::collections::BTreeSet;

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
