//! A server with mail of every kind, and a browser that looks at it.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use super::driver::Browser;
use super::house::{House, Served};

pub const PASSWORD: &str = "correct horse";

/// A server with mail of every kind, and a browser that is logged in.
pub struct Scene {
    pub house: House,
    _served: Served,
    pub browser: Browser,
    pub site: String,
    submission: SocketAddr,
}

fn configuration(grey: SocketAddr) -> String {
    format!(
        r#"hostname = "mx.example.test"
[[listener]]
name = "mx"
protocol = "smtp"
address = "127.0.0.1:0"
[[listener]]
name = "submission"
protocol = "submission"
address = "127.0.0.1:0"
[[listener]]
name = "web"
protocol = "http"
address = "127.0.0.1:0"
[[connector]]
name = "grey"
address_space = ["grey.test"]
next_hop = "{grey}"
[limits]
min_free_disk = "0B"
[dns]
servers = ["127.0.0.1:9"]
timeout = "100ms"
[test]
clock_control = true
"#
    )
}

impl Scene {
    pub fn open() -> Self {
        let house = House::empty();
        house.write(&configuration(greylister()));
        house.ok(&["domain", "add", "example.test"]);
        for name in ["alice", "bob"] {
            let address = format!("{name}@example.test");
            house.ok(&["account", "add", &address, "--password", PASSWORD]);
        }
        for (name, rights) in [("ada", "view,act,content,administer"), ("eve", "view")] {
            let who = ["operator", "add", name, "--rights", rights];
            house.ok(&[&who[..], &["--password", PASSWORD]].concat());
        }
        send(&house, "dan@torn.test", "Torn on the disk");
        house.sql("UPDATE recipient SET address = 'torn' WHERE address = 'dan@torn.test'");
        let mut served = house.serve(&["serve"]);
        let (_, submission) = served.listening("submission");
        let (_, web) = served.listening("web");
        let scene = Self {
            house,
            _served: served,
            browser: Browser::start(),
            site: format!("http://{web}"),
            submission,
        };
        scene.mail();
        scene
    }

    /// One message delivered, one in a dead hop, one greylisted, one held, one damaged.
    fn mail(&self) {
        let house = &self.house;
        send(house, "alice@example.test", "Delivered one");
        send(
            house,
            "fay@far.test",
            "In a dead hop <script>alert(1)</script>",
        );
        send(house, "gil@grey.test", "Greylisted one");
        send(house, "hal@held.test", "Held one");
        let waits = ["queue", "list", "--recipient", "hal@held.test"];
        house.until(&waits, |rows| {
            rows.iter().any(|row| row["state"] == "queued")
        });
        let hold = ["hold", "--recipient", "hal@held.test"];
        house.ok(&[&hold[..], &["--reason", "until Monday"]].concat());
        house.until(&["trace", "alice@example.test"], |stories| {
            stories[0]["recipients"][0]["state"] == "delivered"
        });
        let greylisted = ["queue", "list", "--reply-contains", "greylisted"];
        house.until(&greylisted, |rows| rows.len() == 1);
        let damaged = ["queue", "list", "--reason-contains", "damaged"];
        house.until(&damaged, |rows| rows.len() == 1);
    }

    /// A message that bob sends with his login, as mail programs do.
    pub fn submit(&self, to: &str, subject: &str) {
        let message = self.house.folder.path().join("message.eml");
        let text = format!("From: bob@example.test\r\nSubject: {subject}\r\n\r\nhi\r\n");
        std::fs::write(&message, text).unwrap();
        let login = format!("bob@example.test:{PASSWORD}");
        let sent = Command::new("curl")
            .args(["--silent", "--show-error", "--ssl-reqd", "--insecure"])
            .args(["--user", &login, &format!("smtp://{}", self.submission)])
            .args(["--mail-from", "bob@example.test", "--mail-rcpt", to])
            .arg("--upload-file")
            .arg(&message)
            .output()
            .unwrap();
        assert!(sent.status.success(), "{sent:?}");
    }

    pub fn log_in(&self, name: &str) {
        self.browser.go(&format!("{}/login", self.site));
        self.browser.fill("#name", name);
        self.browser.fill("#password", PASSWORD);
        self.browser.click("Log in");
        self.browser.until("Waiting longest");
    }
}

fn send(house: &House, to: &str, subject: &str) {
    let message = format!("Subject: {subject}\n\nhi\n");
    let sent = house.run_with(&["sendmail", "-f", "bob@example.test", to], &message);
    assert!(sent.status.success(), "{sent:?}");
}

/// A server that asks everybody to come again; it ends with the test's process.
fn greylister() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for caller in listener.incoming().flatten() {
            // Whoever goes away in the middle is no matter.
            std::thread::spawn(move || drop(greylist(&caller)));
        }
    });
    address
}

fn greylist(mut caller: &TcpStream) -> std::io::Result<()> {
    caller.write_all(b"220 grey.test ESMTP\r\n")?;
    for line in BufReader::new(caller).lines() {
        let reply: &[u8] = match line?.get(..4) {
            Some("RCPT") => b"451 4.7.1 greylisted, try again in 5 minutes\r\n",
            Some("DATA") => b"503 5.5.1 nobody to send to\r\n",
            Some("QUIT") => b"221 2.0.0 bye\r\n",
            Some(_) | None => b"250 2.0.0 ok\r\n",
        };
        caller.write_all(reply)?;
    }
    Ok(())
}
