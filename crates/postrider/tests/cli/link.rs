//! Status links, from the command line to the page.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::house::{CONFIGURATION, House, PATIENCE};

const TEXT: &str = "Subject: hello\r\n\r\nhi";

/// With a listener for HTTP, which is reached from outside under another name.
fn configuration() -> String {
    let top = "web_address = \"https://mail.example.test\"\n";
    let web = "[[listener]]\nname = \"web\"\nprotocol = \"http\"\naddress = \"127.0.0.1:0\"\n";
    let rest = CONFIGURATION.replace("[limits]", &format!("{web}[limits]"));
    format!("{top}{rest}")
}

/// The status and the whole answer of a page.
fn get(server: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: mail.example.test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer)
}

/// A message of alice's to a place that cannot be reached: its id.
fn sent(house: &House) -> String {
    let sent = house.run_with(
        &["sendmail", "-f", "alice@example.test", "x@away.test"],
        TEXT,
    );
    assert!(sent.status.success(), "{sent:?}");
    let listed = house.json(&["queue", "list", "--recipient", "x@away.test"]);
    listed[0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_link_is_the_same_server_up_or_down_and_leads_to_the_state() {
    let house = House::new();
    house.write(&configuration());
    house.people();
    let id = sent(&house);
    let down = house.ok(&["link", &id]);
    let path = down
        .trim()
        .strip_prefix("https://mail.example.test")
        .unwrap();
    assert!(path.starts_with("/status/"), "{down}");
    for _ in 0..2 {
        let mut served = house.serve(&["serve"]);
        let (_, web) = served.listening("web");
        assert_eq!(house.ok(&["link", &id]), down);
        let fact = &house.json(&["link", &id.to_lowercase()])[0];
        assert_eq!(
            (&fact["id"], &fact["path"]),
            (&id.as_str().into(), &path.into())
        );
        assert_eq!(fact["address"], down.trim());
        let recipient = house.json(&["queue", "list"])[0]["recipient_id"].clone();
        assert_eq!(house.ok(&["link", recipient.as_str().unwrap()]), down);
        let (status, page) = get(web, path);
        assert_eq!(status, 200, "{page}");
        assert!(page.contains("x@away.test") && page.contains(&id), "{page}");
        let (status, page) = get(web, &format!("{path}A"));
        assert_eq!(status, 404, "{page}");
        assert_eq!(served.stop(), Some(0));
    }
    house.write(&configuration().replace("web_address", "# web_address"));
    let bare = house.run(&["link", &id]);
    assert_eq!(bare.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&bare.stdout).trim(), path);
    assert!(
        String::from_utf8_lossy(&bare.stderr).contains("set web_address"),
        "{bare:?}"
    );
    for (query, code) in [("0CP59ZDEA0800", 1), ("x@away.test", 2)] {
        let none = house.run(&["link", query]);
        assert_eq!(none.status.code(), Some(code), "{none:?}");
        assert!(none.stdout.is_empty(), "{none:?}");
    }
}

#[test]
fn a_delay_notice_to_a_sender_of_ours_leads_to_the_state() {
    let house = House::new();
    house.write(&configuration());
    house.people();
    let mut served = house.serve(&["serve"]);
    let (_, web) = served.listening("web");
    let id = sent(&house);
    house.ok(&["clock", "advance", "2h"]);
    let mails = house.until(&["mail", "list", "alice@example.test"], |mails| {
        !mails.is_empty()
    });
    let uid = mails[0]["uid"].to_string();
    // Soft ends of lines are none of the text's (RFC 2045 s6.7).
    let notice = house
        .ok(&["mail", "show", "alice@example.test", &uid])
        .replace("=\r\n", "");
    let (_, rest) = notice.split_once("See where it is: ").unwrap();
    let link = rest.lines().next().unwrap();
    assert_eq!(link, house.ok(&["link", &id]).trim(), "{notice}");
    let path = link.strip_prefix("https://mail.example.test").unwrap();
    assert_eq!(get(web, path).0, 200);
    assert_eq!(served.stop(), Some(0));
}
