//! A file is changed as its owner would: one section, the rest as it stands.

use super::*;
use crate::Settings;

const FILE: &str = r#"# Ours since 2019.
hostname = "mx.example.test" # as in the DNS
store = "postgres://jo:secret-one@db/mail"

[[listener]]
name = "mx"
protocol = "smtp"
address = "127.0.0.1:2525"

[[connector]] # the partner
name = "partner"
address_space = ["partner.test"]
next_hop = "127.0.0.1:2526"   # moves in May
tls = "required"
username = "jo"
password = "secret-two"

[[connector]]
name = "rest"
address_space = ["*"]
next_hop = "mx"

[queue]
lifetime = "4d"
"#;

fn values(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

fn set(pairs: &[(&str, &str)]) -> Change {
    Change::Set(values(pairs))
}

/// The lines that are otherwise: `-` before, `+` after.
fn changed(after: &str) -> Vec<String> {
    let gone = FILE
        .lines()
        .filter(|line| !after.lines().any(|new| new == *line));
    let new = after
        .lines()
        .filter(|line| !FILE.lines().any(|old| old == *line));
    let gone = gone.map(|line| format!("-{line}"));
    gone.chain(new.map(|line| format!("+{line}"))).collect()
}

#[test]
fn one_section_is_changed_and_the_rest_stands_with_its_comments() {
    for (section, title, change, expected) in [
        (
            "queue",
            "",
            set(&[("lifetime", "2d"), ("retry", "1m, 5m")]),
            vec![
                "-lifetime = \"4d\"",
                "+lifetime = \"2d\"",
                "+retry = [\"1m\", \"5m\"]",
            ],
        ),
        (
            "queue",
            "",
            set(&[("lifetime", "")]),
            vec!["-lifetime = \"4d\""],
        ),
        (
            "",
            "",
            set(&[("hostname", "mail.example.test")]),
            vec![
                "-hostname = \"mx.example.test\" # as in the DNS",
                "+hostname = \"mail.example.test\" # as in the DNS",
            ],
        ),
        (
            "connector",
            "partner",
            set(&[
                ("next_hop", "127.0.0.1:9"),
                ("cost", "7"),
                ("implicit_tls", "true"),
            ]),
            vec![
                "-next_hop = \"127.0.0.1:2526\"   # moves in May",
                "+next_hop = \"127.0.0.1:9\"   # moves in May",
                "+cost = 7",
                "+implicit_tls = true",
            ],
        ),
        (
            "connector",
            "",
            Change::Add(values(&[
                ("name", "new"),
                ("address_space", "a.test, *.b.test"),
                ("next_hop", "mx"),
            ])),
            vec![
                "+name = \"new\"",
                "+address_space = [\"a.test\", \"*.b.test\"]",
            ],
        ),
        (
            "connector",
            "rest",
            Change::Remove,
            vec![
                "-[[connector]]",
                "-name = \"rest\"",
                "-address_space = [\"*\"]",
                "-next_hop = \"mx\"",
            ],
        ),
        (
            "dns",
            "",
            set(&[("servers", "127.0.0.1:53")]),
            vec!["+[dns]", "+servers = [\"127.0.0.1:53\"]"],
        ),
        // What is no number stays as it was written, and is refused when it is read.
        (
            "connector",
            "rest",
            set(&[("cost", "cheap")]),
            vec!["+cost = \"cheap\""],
        ),
    ] {
        let after = edit(FILE, section, title, &change).unwrap();
        assert_eq!(
            changed(&after),
            expected,
            "{section} {title} {change:?}\n{after}"
        );
    }
}

#[test]
fn what_is_not_there_is_not_changed() {
    for (text, section, title, change) in [
        (FILE, "connector", "nobody", set(&[("cost", "1")])),
        (FILE, "connector", "nobody", Change::Remove),
        (FILE, "mailman", "", set(&[("cost", "1")])),
        (FILE, "queue", "", Change::Add(Vec::new())),
        ("queue = ", "queue", "", set(&[("lifetime", "1d")])),
        ("queue = 7", "queue", "", set(&[("lifetime", "1d")])),
        ("connector = 7", "connector", "", Change::Add(Vec::new())),
    ] {
        assert!(
            edit(text, section, title, &change).is_err(),
            "{section} {title} {change:?}"
        );
    }
}

#[test]
fn secrets_do_not_show_and_stay_where_they_are_kept() {
    let shown = conceal(FILE).unwrap();
    assert!(!shown.contains("secret"), "{shown}");
    assert_eq!(shown.matches(KEPT).count(), 2, "{shown}");
    assert_eq!(reveal(&shown, FILE).unwrap(), FILE);
    // A new one is not looked at, and a moved one is found by its section's name.
    let moved = shown.replacen("[[connector]] # the partner", "[[connector]]\nname = \"first\"\naddress_space = [\"f.test\"]\nnext_hop = \"mx\"\n[[connector]] # the partner", 1);
    assert!(reveal(&moved, FILE).unwrap().contains("secret-two"));
    let changed = shown.replacen(&format!("password = \"{KEPT}\""), "password = \"three\"", 1);
    let whole = reveal(&changed, FILE).unwrap();
    assert!(
        whole.contains("three") && !whole.contains("secret-two") && whole.contains("secret-one")
    );
    let renamed = shown.replacen("name = \"partner\"", "name = \"other\"", 1);
    let refused = reveal(&renamed, FILE).unwrap_err();
    assert!(
        refused.what.contains("[connector] other has no password"),
        "{refused:?}"
    );
}

#[test]
fn a_secret_hides_however_it_is_written() {
    for text in [
        "connector = [{ name = \"a\", password = \"secret\" }]",
        "[[connector]]\n\"password\" = '''secret'''",
        "store = 'postgresql://jo:secret@db/x'",
        "connector.password = \"secret\"",
        "[alarms]\nwebhook = \"https://hooks.test/secret\"",
    ] {
        let shown = conceal(text).unwrap();
        assert!(!shown.contains("secret"), "{shown}");
    }
    let told = format!("{FILE}[alarms]\nwebhook = \"https://hooks.test/secret-four\"\n");
    let held = Settings::parse(FILE).unwrap();
    let found = held.differences(&Settings::parse(&told).unwrap());
    assert_eq!(
        found[0].after.as_deref(),
        Some("\"https://hooks.test/...\""),
        "{found:?}"
    );
    // What is no TOML is not shown at all.
    assert!(conceal("password = \"secret").is_err());
    assert!(
        conceal("store = \"sqlite:book.db\"")
            .unwrap()
            .contains("book.db")
    );
}

#[test]
fn what_a_form_shows_is_what_it_would_write() {
    let settings = Settings::parse(FILE).unwrap();
    let mut text = conceal(FILE).unwrap();
    for facts in settings.facts() {
        let written = facts.facts.iter().filter(|fact| !fact.is_default());
        let written = written.map(|fact| (fact.name.to_owned(), fact.plain()));
        let change = Change::Set(written.collect());
        text = edit(&text, facts.name, &facts.title, &change).unwrap();
    }
    let again = Settings::parse(&reveal(&text, FILE).unwrap()).unwrap();
    assert_eq!(again, settings);
    assert_eq!(settings.differences(&again), []);
}

#[test]
fn differences_say_what_was_and_what_is() {
    let held = Settings::parse(FILE).unwrap();
    let text = FILE
        .replace("\"4d\"", "\"2d\"")
        .replace("secret-two", "secret-three")
        .replace("name = \"rest\"", "name = \"others\"");
    let found = held.differences(&Settings::parse(&text).unwrap());
    let told: Vec<_> = found
        .iter()
        .map(|one| {
            (
                one.setting.as_str(),
                one.before.as_deref(),
                one.after.as_deref(),
            )
        })
        .collect();
    let rest = "address_space = [\"*\"], next_hop = \"mx\"";
    assert_eq!(
        told,
        [
            (
                "connector.password of partner",
                Some("(secret)"),
                Some("(secret)")
            ),
            (
                "connector rest",
                Some(format!("name = \"rest\", {rest}").as_str()),
                None
            ),
            (
                "connector others",
                None,
                Some(format!("name = \"others\", {rest}").as_str())
            ),
            ("queue.lifetime", Some("\"4d\""), Some("\"2d\"")),
        ]
    );
}
