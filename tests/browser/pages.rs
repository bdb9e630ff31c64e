//! Every page, and every act on it.

use std::path::PathBuf;

use super::driver::{Browser, Scheme};
use super::house::{House, Served};

const CONFIGURATION: &str = r#"hostname = "mx.example.test"
[[listener]]
name = "mx"
protocol = "smtp"
address = "127.0.0.1:0"
[[listener]]
name = "web"
protocol = "http"
address = "127.0.0.1:0"
[limits]
min_free_disk = "0B"
[dns]
servers = ["127.0.0.1:9"]
timeout = "100ms"
[test]
clock_control = true
"#;

const PASSWORD: &str = "correct horse";

/// A server with mail of every kind, and a browser that is logged in.
struct Scene {
    house: House,
    _served: Served,
    browser: Browser,
    mx: std::net::SocketAddr,
    site: String,
}

impl Scene {
    fn open() -> Self {
        let house = House::empty();
        house.write(CONFIGURATION);
        house.ok(&["domain", "add", "example.test"]);
        for name in ["alice", "bob"] {
            house.ok(&[
                "account",
                "add",
                &format!("{name}@example.test"),
                "--password",
                PASSWORD,
            ]);
        }
        let rights = "view,act,content,administer";
        house.ok(&[
            "operator",
            "add",
            "ada",
            "--rights",
            rights,
            "--password",
            PASSWORD,
        ]);
        house.ok(&[
            "operator",
            "add",
            "eve",
            "--rights",
            "view",
            "--password",
            PASSWORD,
        ]);
        let mut served = house.serve(&["serve"]);
        let (_, mx) = served.listening("mx");
        let (_, web) = served.listening("web");
        let scene = Self {
            house,
            _served: served,
            browser: Browser::start(),
            mx,
            site: format!("http://{web}"),
        };
        scene.mail();
        scene
    }

    /// One message delivered, one in a dead hop, one greylisted, one held.
    fn mail(&self) {
        let house = &self.house;
        house.run_with(
            &["sendmail", "-f", "bob@example.test", "alice@example.test"],
            "Subject: Delivered one\n\nhi\n",
        );
        house.run_with(
            &["sendmail", "-f", "bob@example.test", "fay@far.test"],
            "Subject: In a dead hop <script>alert(1)</script>\n\nhi\n",
        );
        house.run_with(
            &["sendmail", "-f", "bob@example.test", "gil@grey.test"],
            "Subject: Held one\n\nhi\n",
        );
        let waits = ["queue", "list", "--recipient", "gil@grey.test"];
        house.until(&waits, |rows| {
            rows.iter().any(|row| row["state"] == "queued")
        });
        house.ok(&[
            "hold",
            "--recipient",
            "gil@grey.test",
            "--reason",
            "until Monday",
        ]);
        house.until(&["trace", "alice@example.test"], |stories| {
            stories[0]["recipients"][0]["state"] == "delivered"
        });
    }

    fn log_in(&self, name: &str) {
        self.browser.go(&format!("{}/login", self.site));
        self.browser.fill("#name", name);
        self.browser.fill("#password", PASSWORD);
        self.browser.click("Log in");
        self.browser.until("Waiting longest");
    }
}

/// Where pictures go, to be looked at.
fn pictures() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../browser");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

const PAGES: &[(&str, &str, &str)] = &[
    ("now", "/", "difference 0"),
    ("queues", "/queues", "mx:far.test"),
    ("messages", "/messages", "fay@far.test"),
    (
        "tracking",
        "/tracking?q=alice@example.test",
        "Delivered one",
    ),
    ("alarms", "/alarms", "Alarms"),
    ("audit", "/audit", "The book adds up"),
    ("nodes", "/nodes", "Drain"),
];

#[test]
fn every_page_fits_a_desk_and_a_phone_by_day_and_by_night() {
    let scene = Scene::open();
    scene.log_in("ada");
    let browser = &scene.browser;
    for (width, device) in [(1440, "desk"), (390, "phone")] {
        for (scheme, time) in [(Scheme::Light, "day"), (Scheme::Dark, "night")] {
            browser.look(width, scheme);
            for (name, path, words) in PAGES {
                browser.go(&format!("{}{path}", scene.site));
                browser.until(words);
                let wide = browser.run("return document.documentElement.scrollWidth");
                assert!(
                    wide.as_u64().unwrap() <= u64::from(width),
                    "{name} on a {device} is {wide} wide"
                );
                browser.picture(&pictures().join(format!("{name}-{device}-{time}.png")));
            }
            browser.go(&scene.site);
            browser.click("fay@far.test");
            browser.until("What comes next");
            browser.picture(&pictures().join(format!("message-{device}-{time}.png")));
        }
    }
}
