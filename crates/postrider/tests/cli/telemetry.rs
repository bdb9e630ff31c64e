//! What a collector of metrics hears of a real server, as it is told by its settings.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use serde_json::Value;

use super::house::{CONFIGURATION, House, PATIENCE, send};

/// A collector on a port of its own, which takes every push.
struct Collector(TcpListener);

impl Collector {
    fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn settings(&self, more: &str) -> String {
        let address = self.0.local_addr().unwrap();
        format!("{CONFIGURATION}[telemetry]\notlp = \"http://{address}\"\n{more}\n")
    }

    /// The next push: its head and its content.
    fn push(&self) -> (String, Value) {
        self.0.set_nonblocking(false).unwrap();
        let (stream, _) = self.0.accept().unwrap();
        answered(stream)
    }

    fn has_heard_nothing(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        self.0.accept().is_err()
    }
}

fn answered(mut stream: TcpStream) -> (String, Value) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut octets, mut some) = (Vec::new(), [0; 4096]);
    loop {
        let more = stream.read(&mut some).unwrap();
        assert_ne!(more, 0, "it left in the middle");
        octets.extend_from_slice(&some[..more]);
        let text = String::from_utf8_lossy(&octets);
        let Some((head, content)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let (_, length) = head.split_once("Content-Length: ").unwrap();
        if content.len().to_string() == length.lines().next().unwrap() {
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
            stream.write_all(answer).unwrap();
            return (head.to_owned(), serde_json::from_str(content).unwrap());
        }
    }
}

fn metrics(push: &Value) -> &[Value] {
    let scope = &push["resourceMetrics"][0]["scopeMetrics"][0];
    scope["metrics"].as_array().unwrap()
}

fn sum(push: &Value, name: &str, label: &str) -> Value {
    let mut metrics = metrics(push).iter();
    let metric = metrics.find(|one| one["name"] == name).unwrap();
    let points = metric["sum"]["dataPoints"].as_array().unwrap();
    let labelled = |point: &&Value| point["attributes"][0]["value"]["stringValue"] == label;
    points.iter().find(labelled).unwrap()["asInt"].clone()
}

#[test]
fn a_collector_hears_of_a_server_while_its_settings_say_so_and_once_more_when_it_stops() {
    let (house, first, second) = (House::new(), Collector::new(), Collector::new());
    house.people();
    let mut served = house.serve(&["serve"]);
    let (_, smtp) = served.listening("mx");
    let secret = "authorization = \"Bearer s3cret\"";
    house.write(&first.settings(secret));
    house.ok(&["reload"]);
    let (head, push) = first.push();
    assert!(head.starts_with("POST /v1/metrics HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nAuthorization: Bearer s3cret"), "{head}");
    let pushed: BTreeSet<&str> = metrics(&push)
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    let page = house.ok(&["metrics"]);
    let shown = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let shown = shown.map(|line| line.split(' ').next().unwrap());
    // No next hop has mail, and no audit was made yet, or just now.
    let may_lack = [
        "postrider_hop_up",
        "postrider_audit_difference",
        "postrider_audit_timestamp_seconds",
    ];
    for name in shown {
        assert!(pushed.contains(name) || may_lack.contains(&name), "{name}");
    }
    house.ok(&["clock", "advance", "1m"]);
    let (_, push) = first.push();
    assert_eq!(sum(&push, "postrider_messages_accepted", "smtp"), "0");
    house.write(&second.settings("every = \"1h\""));
    house.ok(&["reload"]);
    second.push();
    send(
        smtp,
        "jo@far.test",
        "alice@example.test",
        "Subject: a\r\n\r\nb",
    );
    house.write(CONFIGURATION);
    house.ok(&["reload"]);
    house.ok(&["clock", "advance", "2h"]);
    house.write(&second.settings("every = \"1h\""));
    house.ok(&["reload"]);
    let (_, push) = second.push();
    assert_eq!(sum(&push, "postrider_messages_accepted", "smtp"), "1");
    assert!(first.has_heard_nothing());
    served.signal("-TERM");
    let (_, last) = second.push();
    assert_eq!(sum(&last, "postrider_messages_accepted", "smtp"), "1");
    assert_eq!(served.ended(), Some(0));
    assert!(!house.log().contains("s3cret"), "{}", house.log());
}

#[test]
fn a_server_whose_collector_is_not_there_is_healthy_and_says_so_once() {
    let house = House::new();
    house.people();
    let nobody = Collector::new();
    house.write(&nobody.settings("every = \"1s\""));
    drop(nobody);
    let mut served = house.serve(&["serve"]);
    let (_, smtp) = served.listening("mx");
    let said = || {
        house
            .log()
            .matches("the collector does not take the metrics")
            .count()
    };
    let begun = Instant::now();
    while said() == 0 {
        assert!(begun.elapsed() < PATIENCE, "{}", house.log());
        std::thread::yield_now();
    }
    // Less than a sign of life may be late, each.
    for _ in 0..20 {
        house.ok(&["clock", "advance", "2s"]);
    }
    send(
        smtp,
        "jo@far.test",
        "alice@example.test",
        "Subject: a\r\n\r\nb",
    );
    house.ok(&["health"]);
    assert_eq!(served.stop(), Some(0));
    assert_eq!(said(), 1, "{}", house.log());
}
