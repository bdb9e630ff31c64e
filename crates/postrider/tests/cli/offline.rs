//! Commands without a server: they open the store themselves.

use super::house::{CONFIGURATION, House};

fn stderr(output: &std::process::Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_bad_configuration_is_explained_by_place_name_and_remedy() {
    let house = House::empty();
    house.write("hostname = \"mx.example.test\"\n[queue]\nlifetme = \"4d\"\nlease = \"soon\"\n");
    let output = house.run(&["check"]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(
        said.contains("postrider.toml:3:1 queue.lifetme: "),
        "{said}"
    );
    assert!(said.contains("did you mean lifetime?"), "{said}");
    assert!(said.contains("postrider.toml:4:"), "{said}");
}

#[test]
fn a_missing_configuration_says_how_to_get_one() {
    let output = House::empty().run(&["queue"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("postrider quickstart"));
}

#[test]
fn a_good_configuration_passes() {
    assert!(House::new().ok(&["check"]).contains("1 listener"));
}

#[test]
fn domains_accounts_and_aliases_are_added_shown_and_removed() {
    let house = House::new();
    house.people();
    house.ok(&[
        "alias",
        "add",
        "info@example.test",
        "alice@example.test",
        "x@far.test",
    ]);
    let account = house.json(&["account", "show", "alice@example.test"]);
    assert_eq!(account[0]["may_log_in"], true);
    let alias = house.json(&["alias", "list"]);
    assert_eq!(alias[0]["targets"].as_array().unwrap().len(), 2);
    let refused = house.run(&["domain", "remove", "example.test"]);
    assert_eq!(refused.status.code(), Some(1));
    let gone = house.json(&["alias", "remove", "info@example.test"]);
    assert_eq!(
        gone[0]["mail"],
        "new mail is refused: nobody here by that name"
    );
    house.ok(&["account", "remove", "alice@example.test"]);
    house.ok(&["domain", "remove", "example.test"]);
    assert!(house.json(&["domain", "list"]).is_empty());
    let events = house.json(&["inspect", "rows", "event"]);
    let recorded = |event: &&serde_json::Value| {
        event["kind"] == "directory_changed" && event["actor"] == "tester"
    };
    assert_eq!(events.iter().filter(recorded).count(), 6);
}

/// Two thousand and more of each, which the command line would take minutes to add.
fn a_full_directory(house: &House) {
    house.ok(&["domain", "add", "a.test"]);
    let numbers =
        "WITH RECURSIVE n (i) AS (SELECT 10001 UNION ALL SELECT i + 1 FROM n WHERE i < 12100) ";
    let rows = [
        "INSERT INTO domain (name, catch_all, created_at) NUMBERS SELECT 'd' || i || '.test', NULL, 0 FROM n",
        "INSERT INTO account (address, password, created_at) NUMBERS SELECT 'u' || i || '@a.test', '', 0 FROM n",
        "INSERT INTO alias (address, target, created_at) NUMBERS SELECT 'x' || i || '@a.test', 'u10001@a.test', 0 FROM n",
        "INSERT INTO operator (name, password, totp, totp_offered, totp_step, rights, created_at)
           NUMBERS SELECT 'o' || i, '', '', '', 0, 'view', 0 FROM n",
        "INSERT INTO api_token (name, token_hash, rights, created_by, created_at)
           NUMBERS SELECT 't' || i, CAST(substr('00000000000000000000000000000000' || i, -32) AS BLOB), 'view', '', 0 FROM n",
    ];
    let mut unit = ground_store::Unit::new();
    for text in rows {
        let text = text.replace("NUMBERS ", numbers);
        unit.write(ground_store::Sql::new(text.leak()), Vec::new());
    }
    let file = house.folder.path().join("data/postrider.db");
    let options = ground_world::WorldOptions::default();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let world = ground_world::World::real(&options).unwrap();
        let url = format!("sqlite:{}", file.display());
        let options = ground_store::Options::default();
        let store = ground_store::Store::open(&url, options, &world)
            .await
            .unwrap();
        store.write(unit).await.unwrap();
    });
}

#[test]
fn a_list_of_the_directory_shows_all_there_is() {
    let house = House::new();
    a_full_directory(&house);
    for (what, key, last) in [
        ("domain", "name", "d12100.test"),
        ("account", "address", "u12100@a.test"),
        ("alias", "address", "x12100@a.test"),
        ("operator", "name", "o12100"),
        ("token", "name", "t12100"),
    ] {
        let listed = house.json(&[what, "list"]);
        let names: std::collections::BTreeSet<_> = listed
            .iter()
            .map(|row| row[key].as_str().unwrap())
            .collect();
        assert_eq!(listed.len(), 2100 + usize::from(what == "domain"), "{what}");
        assert_eq!(names.len(), listed.len(), "{what}: each once");
        assert_eq!(listed.last().unwrap()[key], last);
        let table = house.ok(&[what, "list"]);
        assert!(table.contains(last), "{what}");
    }
}

#[test]
fn a_password_is_read_from_standard_input_and_never_shown() {
    let house = House::new();
    house.ok(&["domain", "add", "example.test"]);
    let output = house.run_with(
        &["account", "add", "bob@example.test", "--password-stdin"],
        "tr0ub4dor&3\n",
    );
    assert!(output.status.success(), "{output:?}");
    let shown = house.ok(&["account", "show", "bob@example.test"])
        + &house.ok(&["inspect", "rows", "event"]);
    assert!(!shown.contains("tr0ub4dor"));
}

#[test]
fn an_empty_book_adds_up() {
    let house = House::new();
    let audit = house.json(&["audit"]);
    assert_eq!(audit.len(), 1);
    for name in ["accepted", "in_transit", "difference", "orphans"] {
        assert_eq!(audit[0][name], 0, "{name}");
    }
}

#[test]
fn a_program_sends_and_its_message_is_listed_with_everything_scripts_rely_on() {
    let house = House::new();
    house.people();
    let sent = house.run_with(
        &["sendmail", "-f", "bob@far.test", "-oi", "-t"],
        "To: Alice <alice@example.test>\nBcc: x@far.test\nSubject: hi\n\nhello\n",
    );
    assert!(sent.status.success(), "{sent:?}");
    let rows = house.json(&["queue", "list"]);
    assert_eq!(rows.len(), 2);
    for name in [
        "id",
        "recipient",
        "sender",
        "state",
        "stage",
        "next_hop",
        "attempts",
        "received_at",
        "deadline_at",
        "expires_at",
        "notify_at",
        "last_reply",
        "reason",
        "size",
        "node",
    ] {
        assert!(rows[0].get(name).is_some(), "{name}");
    }
    let id = rows[0]["id"].as_str().unwrap();
    let story = house.json(&["trace", id]);
    assert_eq!(story[0]["subject"], "hi");
    let why = house.ok(&["explain", id]);
    assert!(
        why.contains("why   no_node: ") && why.contains("next_hop: mailbox"),
        "{why}"
    );
    let body = house.ok(&["inspect", "body", id]);
    assert!(
        body.contains("hello\r\n") && !body.contains("Bcc"),
        "{body}"
    );
}

#[test]
fn who_removes_an_address_hears_what_becomes_of_its_mail() {
    let house = House::new();
    house.people();
    let add = |address: &str| house.ok(&["account", "add", address, "--no-login"]);
    add("bob@example.test");
    house.ok(&[
        "alias",
        "add",
        "info@example.test",
        "alice@example.test",
        "bob@example.test",
    ]);
    let mail = |arguments: &[&str]| {
        house.json(arguments)[0]["mail"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let left = mail(&["alias", "remove", "info@example.test", "bob@example.test"]);
    assert_eq!(left, "new mail goes to alice@example.test");
    house.ok(&["domain", "catch-all", "example.test", "alice@example.test"]);
    let caught = mail(&["alias", "remove", "info@example.test"]);
    assert_eq!(caught, "new mail goes to the catch-all alice@example.test");
    let gone = mail(&["account", "remove", "bob@example.test"]);
    assert!(
        gone.starts_with("0 messages removed; new mail goes to the catch-all "),
        "{gone}"
    );
}

#[test]
fn sendmail_understands_what_programs_say_to_other_servers() {
    let house = House::new();
    house.people();
    let text = "Subject: x\n\nhi\n.\nmore\n";
    for (arguments, recipients, last) in [
        (
            &["-i", "alice@example.test"][..],
            &["alice@example.test"][..],
            "more",
        ),
        (
            &["-oi", "-oem", "-odb", "--", "alice@example.test"],
            &["alice@example.test"],
            "more",
        ),
        (
            &[
                "-bm",
                "-v",
                "-FA Name",
                "-fbob@far.test",
                "alice@example.test",
            ],
            &["alice@example.test"],
            "hi",
        ),
        (
            &[
                "-GUnm",
                "-B8BITMIME",
                "-h",
                "3",
                "-OA=b",
                "-Ltag",
                "alice@example.test",
            ],
            &["alice@example.test"],
            "hi",
        ),
        (
            &["-f", "Bob <bob@far.test>", "Alice <alice@example.test>"],
            &["alice@example.test"],
            "hi",
        ),
        (
            &[
                "-r<bob@far.test>",
                "\"L, A\" <alice@example.test>, x@far.test",
            ],
            &["alice@example.test", "x@far.test"],
            "hi",
        ),
    ] {
        let sent = house.run_with(&[&["sendmail"], arguments].concat(), text);
        assert!(sent.status.success(), "{arguments:?}: {sent:?}");
        let rows = house.json(&["queue", "list"]);
        let to: Vec<&str> = rows
            .iter()
            .map(|row| row["recipient"].as_str().unwrap())
            .collect();
        assert_eq!(to, recipients, "{arguments:?}");
        let id = rows[0]["id"].as_str().unwrap();
        let body = house.ok(&["inspect", "body", id]);
        assert!(body.trim_end().ends_with(last), "{arguments:?}: {body}");
        house.ok(&["discard", "--all", "--reason", "seen"]);
    }
}

#[test]
fn the_modes_of_sendmail_that_send_nothing() {
    let house = House::new();
    let sent = house.run_with(&["sendmail", "-f", "bob@far.test", "x@far.test"], "\nhi\n");
    assert!(sent.status.success(), "{sent:?}");
    assert!(house.ok(&["sendmail", "-bp"]).contains("x@far.test"));
    for mode in ["-bi", "-q", "-q30m"] {
        assert_eq!(house.ok(&["sendmail", mode]), "", "{mode}");
    }
    for wrong in ["-bd", "-bx", "-Z"] {
        let told = house.run(&["sendmail", wrong]);
        assert_eq!(told.status.code(), Some(64), "{wrong}: {told:?}");
    }
    assert_eq!(house.run(&["queue", "-Z"]).status.code(), Some(2));
    assert_eq!(house.run(&["--help"]).status.code(), Some(0));
}

#[test]
fn sendmail_tells_programs_whose_move_it_is() {
    let house = House::new();
    house.people();
    assert_eq!(house.run(&["sendmail"]).status.code(), Some(64));
    let nobody = house.run_with(&["sendmail", "nobody@example.test"], "\nhi\n");
    assert_eq!(nobody.status.code(), Some(65), "{nobody:?}");
    house.write("hostname = 3\n");
    assert_eq!(house.run(&["sendmail", "a@b.test"]).status.code(), Some(78));
}

#[test]
fn acts_reach_exactly_what_the_filter_means_and_a_dry_run_nothing() {
    let house = House::new();
    house.people();
    let sent = house.run_with(
        &[
            "sendmail",
            "-f",
            "bob@far.test",
            "alice@example.test",
            "x@far.test",
        ],
        "\nhi\n",
    );
    assert!(sent.status.success(), "{sent:?}");
    let shown = house.json(&["hold", "--domain", "far.test", "--dry-run"]);
    assert_eq!(shown.len(), 1);
    assert!(house.json(&["queue", "list", "--state", "held"]).is_empty());
    let held = house.json(&["hold", "--domain", "far.test", "--reason", "a look"]);
    assert_eq!(held[0]["done"], 1);
    let rows = house.json(&["queue", "list", "--state", "held"]);
    assert_eq!(rows[0]["recipient"], "x@far.test");
    let returned = house.json(&["return", "--state", "held", "--reason", "not today"]);
    assert_eq!(returned[0]["done"], 1);
    let audit = &house.json(&["audit"])[0];
    assert_eq!(
        (&audit["returned"], &audit["accepted"], &audit["difference"]),
        (&1.into(), &3.into(), &0.into())
    );
}

#[test]
fn an_act_without_a_filter_is_refused() {
    let house = House::new();
    assert_eq!(house.run(&["discard"]).status.code(), Some(2));
    assert_eq!(house.run(&["discard", "--all"]).status.code(), Some(1));
}

#[test]
fn an_export_writes_the_message_as_it_was_accepted() {
    let (house, id) = with_one_message();
    house.ok(&["export", &id]);
    let file = std::fs::read_to_string(house.folder.path().join(format!("{id}.eml"))).unwrap();
    assert!(file.contains("Subject: out\r\n"), "{file}");
}

/// A house with one message that waits, and its id.
fn with_one_message() -> (House, String) {
    let house = House::new();
    let sent = house.run_with(
        &["sendmail", "-f", "bob@far.test", "x@far.test"],
        "Subject: out\n\nhi\n",
    );
    assert!(sent.status.success(), "{sent:?}");
    let id = house.json(&["queue", "list"])[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    (house, id)
}

#[test]
fn a_damaged_message_is_traced_explained_and_exported_all_the_same() {
    for damage in [
        "UPDATE recipient SET address = 'no address'",
        "UPDATE message SET sender = 'no address'",
    ] {
        let (house, id) = with_one_message();
        house.sql(damage);
        let told = house.ok(&["trace", &id]);
        assert!(
            told.contains("  damaged: ") && told.contains("no address"),
            "{told}"
        );
        let why = house.ok(&["explain", &id]);
        assert!(
            why.contains("why   damaged: ") && why.contains("damage: "),
            "{why}"
        );
        house.ok(&["export", &id]);
        let file = std::fs::read_to_string(house.folder.path().join(format!("{id}.eml")));
        assert!(file.unwrap().contains("Subject: out\r\n"), "{damage}");
    }
}

#[test]
fn an_export_says_which_body_it_could_not_write_and_writes_the_others() {
    let (house, broken) = with_one_message();
    house.sql("UPDATE body SET content = x'00'");
    let letter = "Subject: second\n\nhi\n";
    house.run_with(&["sendmail", "-f", "bob@far.test", "x@far.test"], letter);
    let output = house.run(&["export", "--all"]);
    assert_eq!(output.status.code(), Some(3));
    let said = stderr(&output);
    assert!(
        said.contains(&format!("{broken} is not written out")),
        "{said}"
    );
    let files = std::fs::read_dir(house.folder.path()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let written: Vec<String> = names.filter(|name| name.ends_with(".eml")).collect();
    assert!(
        matches!(&written[..], [one] if !one.starts_with(&broken)),
        "{written:?}"
    );
}

#[test]
fn nobody_moves_a_clock_without_a_server_under_test() {
    assert_eq!(
        House::new().run(&["clock", "advance", "1h"]).status.code(),
        Some(1)
    );
}

#[test]
fn mail_is_rerouted_only_to_ways_that_are_there() {
    let house = House::new();
    let sent = house.run_with(&["sendmail", "-f", "bob@far.test", "x@far.test"], "\nhi\n");
    assert!(sent.status.success(), "{sent:?}");
    let refused = house.run(&["reroute", "--all", "--to", "via:nowhere"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let done = house.json(&["reroute", "--all", "--to", "mx:near.test"]);
    assert_eq!(done[0]["done"], 1);
    assert_eq!(
        house.json(&["queue", "list"])[0]["next_hop"],
        "mx:near.test"
    );
}

#[test]
fn a_certificate_that_cannot_be_used_is_no_good_configuration() {
    let house = House::new();
    let own = "[tls]\ncertificate = \"own.pem\"\nkey = \"own.pem\"\n";
    house.write(&format!("{CONFIGURATION}{own}"));
    let refused = house.run(&["check"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(why.contains("own.pem: No such file"), "{why}");
}

#[test]
fn somebody_elses_data_directory_is_left_alone_and_named() {
    let house = House::new();
    house.people();
    for arguments in [&["serve"][..], &["queue"], &["account", "list"]] {
        let refused = house.run_as_somebody_else(arguments);
        assert_eq!(refused.status.code(), Some(3), "{refused:?}");
        let why = String::from_utf8_lossy(&refused.stderr);
        assert!(
            why.contains("/data may not be written by this user"),
            "{why}"
        );
    }
}

#[test]
fn a_next_hop_is_stopped_for_a_while_for_a_reason_and_let_go_on() {
    let house = House::new();
    let pause = |hop, until, reason| {
        house.run(&["hop", "pause", hop, "--until", until, "--reason", reason])
    };
    for (hop, until, reason, why) in [
        ("far.test", "2h", "they move", "is no next hop"),
        ("via:nowhere", "2h", "they move", "there is no connector"),
        ("mx:far.test", "2h", "", "a pause needs a reason"),
        ("mx:far.test", "soon", "they move", "neither a moment"),
        (
            "mx:far.test",
            "2020-01-01T00:00:00Z",
            "they move",
            "has passed",
        ),
        ("mx:far.test", "8d", "they move", "a pause may last 7d"),
    ] {
        let refused = pause(hop, until, reason);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert!(stderr(&refused).contains(why), "{refused:?}");
    }
    assert!(house.json(&["hop", "list"]).is_empty());
    assert!(pause("mx:Far.Test", "2h", "they move").status.success());
    let line = house.json(&["hop", "list"]).remove(0);
    assert_eq!(line, house.json(&["queue"])[0]);
    let shown = ["next_hop", "state", "paused_by", "pause_reason"].map(|name| &line[name]);
    assert_eq!(shown, ["mx:far.test", "paused", "tester", "they move"]);
    let until = line["paused_until"].as_str().unwrap();
    let told = format!("paused by tester until {until}: they move");
    assert!(house.ok(&["queue"]).contains(&told), "{told}");
    let resumed = house.json(&["hop", "resume", "mx:far.test"]);
    assert_eq!(resumed[0]["state"], "up");
    let again = house.run(&["hop", "resume", "mx:far.test"]);
    assert!(stderr(&again).contains("is not paused"), "{again:?}");
}
