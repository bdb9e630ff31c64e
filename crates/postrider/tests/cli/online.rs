//! A running server, asked over its socket.

use super::house::{CONFIGURATION, House, greeting, send, shows};

const TEXT: &str = "Subject: hello\r\n\r\nhi alice";

#[test]
fn a_listing_is_the_same_with_the_server_up_and_down() {
    let house = House::new();
    house.people();
    let sent = house.run_with(&["sendmail", "-f", "bob@far.test", "x@away.test"], TEXT);
    assert!(sent.status.success(), "{sent:?}");
    house.ok(&["hold", "--all", "--reason", "a look"]);
    let mut served = house.serve(&["serve"]);
    served.listening("mx");
    let up = house.json(&["queue", "list"]);
    assert_eq!(served.stop(), Some(0));
    let down = house.json(&["queue", "list"]);
    assert_eq!(up, down);
    assert_eq!(house.json(&["audit"])[0]["difference"], 0);
}

#[test]
fn a_load_balancer_hears_by_the_exit_code_whether_to_send_mail_here() {
    let house = House::new();
    assert_eq!(house.run(&["health"]).status.code(), Some(3));
    let mut served = house.serve(&["serve"]);
    served.listening("mx");
    let health = &house.json(&["health"])[0];
    assert_eq!(health["healthy"], true, "{health}");
    assert_eq!(house.json(&["alarms"]), Vec::<serde_json::Value>::new());
    let metrics = house.ok(&["metrics"]);
    for line in [
        "postrider_alarm{kind=\"stalled\"} 0",
        "postrider_recipients_total{became=\"accepted\"} 0",
        "postrider_waiting{state=\"queued\"} 0",
        "postrider_alive 1",
    ] {
        assert!(metrics.lines().any(|own| own == line), "{line}: {metrics}");
    }
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
    let node = health["node"].as_str().unwrap();
    house.ok(&["node", "drain", node]);
    // It hears of it with its next sign of life, in some seconds; each question takes some milliseconds.
    let mut asked = (0..10_000).map(|_| house.run(&["health"]));
    let drained = asked
        .find(|health| health.status.code() == Some(1))
        .unwrap();
    let said = String::from_utf8_lossy(&drained.stdout).into_owned();
    assert!(said.contains("it is drained"), "{said}");
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn two_servers_never_share_a_folder() {
    let house = House::new();
    let mut served = house.serve(&["serve"]);
    served.listening("mx");
    let second = house.run(&["serve"]);
    assert_eq!(second.status.code(), Some(3), "{second:?}");
    let why = String::from_utf8_lossy(&second.stderr);
    assert!(
        why.contains("another server runs on this data directory"),
        "{why}"
    );
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn a_reload_takes_good_settings_and_keeps_the_old_ones_otherwise() {
    let house = House::new();
    let mut served = house.serve(&["serve"]);
    let (_, address) = served.listening("mx");
    house.write(&CONFIGURATION.replace("mx.example.test", "new.example.test"));
    house.ok(&["reload"]);
    assert!(greeting(address).contains("new.example.test"));
    // The command needs a good file to find the server by; the server's own is broken.
    std::fs::write(house.folder.path().join("good.toml"), CONFIGURATION).unwrap();
    house.write("hostname = 3\n");
    let refused = house.run(&["reload", "--config", "good.toml"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(greeting(address).contains("new.example.test"));
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn a_reload_moves_listeners_and_says_what_waits_for_a_restart() {
    let house = House::new();
    let mut served = house.serve(&["serve"]);
    let (_, old) = served.listening("mx");
    let side = "[[listener]]\nname = \"side\"\nprotocol = \"lmtp\"\naddress = \"unix:side.sock\"\n";
    let moved = CONFIGURATION.replace("127.0.0.1:9", "127.0.0.1:10") + side;
    house.write(&moved);
    let told = &house.json(&["reload"])[0];
    let opened = told["opened"][0].as_str().unwrap();
    assert!(opened.starts_with("side unix:"), "{told}");
    assert_eq!(told["closed"].as_array().unwrap().len(), 0);
    assert_eq!(told["waits_for_restart"][0], "[dns]");
    house.write(&moved.replace("127.0.0.1:0", &format!("0.0.0.0:{}", old.port())));
    let told = house.ok(&["reload"]);
    assert!(
        told.contains(&format!("opened             mx 0.0.0.0:{}\n", old.port())),
        "{told}"
    );
    assert!(
        told.contains(&format!("closed             mx {old}\n")),
        "{told}"
    );
    assert!(greeting(old).starts_with("220 "));
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn the_self_signed_certificate_stays_the_same_from_start_to_start() {
    use std::os::unix::fs::PermissionsExt;
    let house = House::new();
    let path = house.folder.path().join("data/self-signed.pem");
    let kept = || {
        let mut served = house.serve(&["serve"]);
        served.listening("mx");
        assert_eq!(served.stop(), Some(0));
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        (std::fs::read_to_string(&path).unwrap(), mode & 0o777)
    };
    let first = kept();
    assert_eq!(first.1, 0o600);
    assert_eq!(kept(), first);
}

#[test]
fn a_server_that_runs_for_years_renews_its_self_signed_certificate() {
    let house = House::new();
    let mut served = house.serve(&["serve"]);
    served.listening("mx");
    let path = house.folder.path().join("data/self-signed.pem");
    let kept = || std::fs::read_to_string(&path).unwrap_or_default();
    let first = kept();
    house.json(&["clock", "advance", "705d"]);
    // Each question takes the server some time, in which it has looked.
    house.until(&["audit"], |_| kept() != first);
    assert!(kept().contains("PRIVATE KEY"));
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn a_certificate_that_was_renewed_is_shown_after_a_reload() {
    let house = House::new();
    let path = |name: &str| house.folder.path().join(name);
    let make = |name: &str| {
        let mut served = house.serve(&["serve"]);
        served.listening("mx");
        assert_eq!(served.stop(), Some(0));
        std::fs::rename(path("data/self-signed.pem"), path(name)).unwrap();
    };
    make("one.pem");
    make("two.pem");
    std::fs::copy(path("one.pem"), path("own.pem")).unwrap();
    let secure = "[[listener]]\nname = \"secure\"\nprotocol = \"submission\"\ntls = \"implicit\"\naddress = \"127.0.0.1:0\"\n";
    let own = "[tls]\ncertificate = \"own.pem\"\nkey = \"own.pem\"\n";
    house.write(&format!("{CONFIGURATION}{own}{secure}"));
    let mut served = house.serve(&["serve"]);
    let (_, address) = served.listening("secure");
    assert!(shows(address, &path("one.pem")));
    std::fs::copy(path("two.pem"), path("own.pem")).unwrap();
    house.ok(&["reload"]);
    assert!(shows(address, &path("two.pem")));
    std::fs::write(path("own.pem"), "half a file").unwrap();
    let refused = house.run(&["reload"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("own.pem"),
        "{refused:?}"
    );
    assert!(shows(address, &path("two.pem")));
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn a_reload_that_cannot_listen_says_where_and_why_and_changes_nothing() {
    let house = House::new();
    let mut served = house.serve(&["serve"]);
    let (_, address) = served.listening("mx");
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().to_string();
    let wanted = CONFIGURATION
        .replace("127.0.0.1:0", &taken)
        .replace("mx.example.test", "new.example.test");
    house.write(&wanted);
    let refused = house.run(&["reload"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(
        why.contains(&format!("the listener mx cannot listen on {taken}: ")),
        "{why}"
    );
    assert!(why.contains("nothing was changed"), "{why}");
    assert!(greeting(address).starts_with("220 mx.example.test "));
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn the_clock_of_a_server_under_test_can_be_moved() {
    let house = House::new();
    let mut served = house.serve(&["serve"]);
    served.listening("mx");
    let now = |row: &serde_json::Value| row["now"].as_str().unwrap().to_owned();
    let first = now(&house.json(&["clock", "advance", "1ms"])[0]);
    let later = now(&house.json(&["clock", "advance", "48h"])[0]);
    assert_ne!(first.get(..10), later.get(..10));
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn the_clock_of_any_other_server_cannot() {
    let house = House::empty();
    house.write(&CONFIGURATION.replace("clock_control = true", ""));
    let mut served = house.serve(&["serve"]);
    served.listening("mx");
    assert_eq!(
        house.run(&["clock", "advance", "1h"]).status.code(),
        Some(1)
    );
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn a_message_arrives_is_read_and_tells_its_story() {
    let house = House::new();
    house.people();
    let mut served = house.serve(&["serve"]);
    let (_, address) = served.listening("mx");
    let reply = send(address, "bob@far.test", "alice@example.test", TEXT);
    let mails = house.until(&["mail", "list", "alice@example.test"], |mails| {
        !mails.is_empty()
    });
    let id = mails[0]["id"].as_str().unwrap();
    assert!(reply.contains(id), "{reply} names {id}");
    let shown = house.ok(&["mail", "show", "alice@example.test", id]);
    assert!(shown.contains("Return-Path: <bob@far.test>\r\n"), "{shown}");
    assert!(shown.ends_with("hi alice\r\n"), "{shown}");
    let story = &house.json(&["trace", id])[0];
    assert_eq!(story["recipients"][0]["state"], "delivered");
    assert_eq!(
        story["recipients"][0]["attempts"][0]["outcome"],
        "delivered"
    );
    assert!(house.json(&["queue", "list"]).is_empty());
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn mail_that_cannot_leave_is_listed_with_its_reason_and_next_try() {
    let house = House::new();
    let mut served = house.serve(&["serve"]);
    served.listening("mx");
    let sent = house.run_with(&["sendmail", "-f", "bob@far.test", "x@away.test"], TEXT);
    assert!(sent.status.success(), "{sent:?}");
    let tried =
        |rows: &[serde_json::Value]| rows.first().is_some_and(|row| row["last_reply"] != "");
    let rows = house.until(&["queue", "list"], tried);
    assert_eq!(rows[0]["state"], "queued");
    assert!(
        rows[0]["next_try"].as_str() > rows[0]["received_at"].as_str(),
        "{rows:?}"
    );
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn a_quickstart_makes_a_demo_once_and_serves_it() {
    let house = House::empty();
    house.write(CONFIGURATION);
    let mut served = house.serve(&["quickstart"]);
    let (said, address) = served.listening("mx");
    assert!(said.contains("alice@example.test  password "), "{said}");
    send(address, "you@elsewhere.test", "alice@example.test", TEXT);
    house.until(&["mail", "list", "alice@example.test"], |mails| {
        !mails.is_empty()
    });
    assert_eq!(served.stop(), Some(0));
    let mut again = house.serve(&["quickstart"]);
    let (said, _) = again.listening("mx");
    assert!(said.contains("(as printed when it was made)"), "{said}");
    assert_eq!(again.stop(), Some(0));
}
