//! The configuration file by way of the administration: shown without secrets, tried, replaced whole or not at all.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::house::{CONFIGURATION, House, Served};

const CONNECTOR: &str = r#"
[[connector]] # theirs
name = "partner"
address_space = ["partner.test"]
next_hop = "127.0.0.1:9"
tls = "required"
username = "jo"
password = "open sesame"
"#;

/// A server with a connector that has a password, and mail for two places.
fn open() -> (House, Served) {
    let house = House::new();
    house.write(&format!("{CONFIGURATION}{CONNECTOR}"));
    house.people();
    let mut served = house.serve(&["serve"]);
    served.listening("mx");
    for to in ["a@partner.test", "b@partner.test", "c@far.test"] {
        let sent = house.run_with(
            &["sendmail", "-f", "alice@example.test", to],
            "Subject: x\n\nx\n",
        );
        assert!(sent.status.success(), "{sent:?}");
    }
    house.until(&["queue", "list"], |rows| {
        rows.len() == 3 && rows.iter().all(|row| row["next_hop"] != "")
    });
    (house, served)
}

/// Asks at the control socket, as a program of its owner would.
fn ask(house: &House, method: &str, path: &str, body: &Value) -> Value {
    let mut curl = Command::new("curl");
    curl.current_dir(house.folder.path())
        .args(["--silent", "--show-error", "--request", method])
        .args(["--unix-socket", "data/postrider.sock"])
        .args(["--header", "Content-Type: application/json"])
        // Some texts are longer than an argument may be.
        .args(["--data-binary", "@-"])
        .arg(format!("http://postrider/api/v1{path}"));
    let mut child = curl
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(body.to_string().as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn shown(house: &House) -> Value {
    // A question has no body.
    let output = Command::new("curl")
        .current_dir(house.folder.path())
        .args([
            "--silent",
            "--unix-socket",
            "data/postrider.sock",
            "http://postrider/api/v1/settings",
        ])
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

fn file(house: &House) -> String {
    std::fs::read_to_string(house.folder.path().join("postrider.toml")).unwrap()
}

fn attempt(house: &House, text: &str) -> Value {
    ask(house, "POST", "/settings/try", &json!({ "text": text }))
}

fn save(house: &House, text: &str, version: &Value) -> Value {
    let body = json!({ "text": text, "version": version, "reason": "they asked" });
    ask(house, "PUT", "/settings", &body)
}

#[test]
fn a_change_says_whose_mail_goes_another_way_before_it_is_made() {
    let (house, served) = open();
    let text = shown(&house)["text"].as_str().unwrap().to_owned();
    let same = attempt(&house, &text);
    assert_eq!(
        (&same["problems"], &same["differences"], &same["recipients"]),
        (&json!([]), &json!([]), &json!(0))
    );

    let moved = attempt(
        &house,
        &text.replace("127.0.0.1:9\"\ntls", "127.0.0.1:10\"\ntls"),
    );
    assert_eq!(moved["recipients"], 2, "{moved}");
    assert_eq!(moved["rerouted"][0]["next_hop"], "via:partner");
    assert_eq!(moved["rerouted"][0]["lost"], false);
    assert_eq!(
        moved["differences"][0]["setting"],
        "connector.next_hop of partner"
    );

    let (gone, _) = text.split_once("\n[[connector]]").unwrap();
    let gone = attempt(&house, gone);
    assert_eq!(
        (&gone["recipients"], &gone["rerouted"][0]["lost"]),
        (&json!(2), &json!(true)),
        "{gone}"
    );

    let another = format!(
        "{text}\n[[connector]]\nname = \"rest\"\naddress_space = [\"*\"]\nnext_hop = \"127.0.0.1:11\"\n"
    );
    let another = attempt(&house, &another);
    assert_eq!(
        another["rerouted"][0]["next_hop"], "mx:far.test",
        "{another}"
    );
    assert_eq!(another["recipients"], 1);

    let wrong = attempt(&house, &text.replace("mx.example.test", "nobody at home"));
    assert_eq!(wrong["problems"][0]["line"], 1, "{wrong}");
    assert_eq!(wrong["problems"][0]["setting"], "hostname");
    // Nothing of this was done.
    assert_eq!(file(&house), format!("{CONFIGURATION}{CONNECTOR}"));
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn a_new_text_holds_at_once_keeps_secrets_and_stands_in_the_history() {
    let (house, served) = open();
    let path = house.folder.path().join("postrider.toml");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let view = shown(&house);
    let text = view["text"].as_str().unwrap();
    assert!(!view.to_string().contains("sesame"), "{view}");

    let changed = text.replace("tls = \"required\"", "tls = \"verify\"\ncost = 7");
    let done = save(&house, &changed, &view["version"]);
    assert_eq!(done["done"], "the settings were changed", "{done}");
    let expected = format!("{CONFIGURATION}{CONNECTOR}")
        .replace("tls = \"required\"", "tls = \"verify\"\ncost = 7");
    assert_eq!(file(&house), expected);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(house.json(&["connector", "list"])[0]["cost"], 7);

    let events = house.json(&["inspect", "rows", "event"]);
    let told = events
        .iter()
        .find(|event| event["kind"] == "settings_loaded")
        .unwrap();
    assert_eq!(
        told["detail"],
        "by a change of the file (they asked); connector.cost of partner: 10 -> 7; \
         connector.tls of partner: \"required\" -> \"verify\""
    );

    // Who had the page open before that is told, and undoes nothing.
    let late = save(&house, text, &view["version"]);
    assert!(
        late["detail"]
            .as_str()
            .unwrap()
            .contains("was changed since"),
        "{late}"
    );
    assert_eq!(file(&house), expected);
    assert_eq!(served.stop(), Some(0));
    house.ok(&["check"]);
}

#[test]
fn a_text_that_cannot_be_taken_leaves_the_file_as_it_was() {
    let (house, served) = open();
    let before = file(&house);
    let view = shown(&house);
    let text = view["text"].as_str().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for (wrong, why) in [
        ("hostname = ".to_owned(), "line 1"),
        (
            text.replace("verify", "x").replace("required", "sometimes"),
            "connector.tls",
        ),
        (
            text.replace("name = \"partner\"", "name = \"other\""),
            "no password that could be kept",
        ),
        // All of it is right, and somebody else listens there.
        (
            format!(
                "{text}\n[[listener]]\nname = \"more\"\nprotocol = \"smtp\"\naddress = \"{address}\"\n"
            ),
            "more",
        ),
        ("x".repeat(600 << 10), "longer than"),
    ] {
        let refused = save(&house, &wrong, &view["version"]);
        let detail = refused["detail"]
            .as_str()
            .unwrap_or_else(|| panic!("{refused}"));
        assert!(
            detail.contains(why) && detail.contains("nothing was changed"),
            "{detail}"
        );
        assert_eq!(file(&house), before, "{why}");
        let left = std::fs::read_dir(house.folder.path()).unwrap();
        let left = left.filter(|one| one.as_ref().unwrap().file_name() == "postrider.toml.new");
        assert_eq!(left.count(), 0, "{why}");
    }
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn a_file_changed_by_hand_is_tried_before_it_is_read() {
    let (house, served) = open();
    assert_eq!(house.ok(&["reload", "--dry-run"]), "nothing would change\n");
    house.write(&format!("{CONFIGURATION}[queue]\nlifetime = \"2d\"\n"));
    let told = house.ok(&["reload", "--dry-run"]);
    assert!(
        told.contains("queue.lifetime: \"4d\" -> \"2d\"\n"),
        "{told}"
    );
    assert!(told.contains("connector partner is gone: "), "{told}");
    assert!(!told.contains("sesame"), "{told}");
    assert!(
        told.ends_with("2 recipients would go another way\n"),
        "{told}"
    );
    assert_eq!(shown(&house)["unread"].as_array().unwrap().len(), 2);
    house.write("hostname = 7");
    let refused = house.run(&["reload", "--dry-run", "--json"]);
    assert_eq!(
        refused.status.code(),
        Some(2),
        "the command reads the file, too: {refused:?}"
    );
    let view = shown(&house);
    assert_eq!(view["text"], "hostname = 7\n", "{view}");
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn the_way_of_a_domain_is_told_with_its_reason() {
    let (house, served) = open();
    let row = &house.json(&["connector", "list"])[0];
    assert_eq!(
        (&row["name"], &row["waiting"], &row["hops"]),
        (&json!("partner"), &json!(2), &json!(["via:partner"]))
    );
    for (domain, hop, connector) in [
        ("partner.test", "via:partner", json!("partner")),
        ("PARTNER.test", "via:partner", json!("partner")),
        ("far.test", "mx:far.test", Value::Null),
    ] {
        let found = &house.json(&["connector", "route", domain])[0];
        assert_eq!(
            (&found["next_hop"], &found["connector"]),
            (&json!(hop), &connector),
            "{found}"
        );
    }
    let wrong = house.run(&["connector", "route", "no domain"]);
    assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
    assert_eq!(served.stop(), Some(0));
}
