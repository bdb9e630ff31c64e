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
        let (_, web) = served.listening("web");
        let scene = Self {
            house,
            _served: served,
            browser: Browser::start(),
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
    ("events", "/events", "settings_loaded"),
    ("directory", "/directory", "alice@example.test"),
    ("operators", "/operators", "New operator"),
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

#[test]
fn what_is_stuck_is_found_from_now_in_two_clicks_with_cause_and_next_step() {
    let scene = Scene::open();
    scene.log_in("ada");
    let browser = &scene.browser;
    // In a dead hop: one click.
    browser.click("fay@far.test");
    let told = browser.until("What comes next");
    assert!(told.contains("Its next hop does not answer"), "{told}");
    assert!(told.contains("Its next hop is tried; when it answers, all that waits for it goes."));
    assert!(told.contains("Its sender is told that it still waits."));
    // Held: two.
    browser.go(&scene.site);
    browser.click("1 held");
    browser.click("gil@grey.test");
    let told = browser.until("What comes next");
    assert!(
        told.contains("until Monday") && told.contains("tester"),
        "{told}"
    );
    assert!(told.contains("Its hold raises an alarm."), "{told}");
}

/// Chooses an act for a message and sees it through: preview, reason, done.
fn act(browser: &Browser, verb: &str, to: Option<&str>) {
    browser.choose(".recipient select", verb);
    if let Some(to) = to {
        browser.fill(".recipient input[name=to]", to);
    }
    browser.click("Preview");
    browser.until("Exactly these recipients are meant");
    browser.fill("#reason", &format!("{verb} in the browser"));
    browser.click(&format!("{verb} 1"));
    browser.until("1 of 1 done");
}

#[test]
fn each_act_reaches_whom_its_preview_showed_and_is_recorded() {
    let scene = Scene::open();
    scene.log_in("ada");
    let browser = &scene.browser;
    let story = |house: &House, address: &str| house.json(&["trace", address])[0].clone();
    for (verb, to, state) in [
        ("hold", None, "held"),
        ("release", None, "queued"),
        ("reroute", Some("mx:other.test"), "queued"),
        ("retry", None, "queued"),
        ("discard", None, "discarded"),
    ] {
        let id = story(&scene.house, "fay@far.test")["id"].clone();
        // What is in flight is left alone; its attempt ends at once, for nobody answers.
        let waits = ["queue", "list", "--recipient", "fay@far.test"];
        scene.house.until(&waits, |rows| {
            rows.iter().all(|row| row["state"] != "in_flight")
        });
        browser.go(&format!("{}/messages/{}", scene.site, id.as_str().unwrap()));
        act(browser, verb, to);
        let told = scene.house.until(&["trace", "fay@far.test"], |stories| {
            let now = &stories[0]["recipients"][0]["state"];
            now == state || (state == "queued" && now == "in_flight")
        });
        let events = told[0]["events"].as_array().unwrap();
        let reason = format!("{verb} in the browser");
        let recorded = events
            .iter()
            .any(|event| event["actor"] == "ada" && event["detail"] == reason);
        assert!(recorded, "{verb}: {events:?}");
    }
    // Returned: the sender's report is out.
    browser.go(&format!("{}/messages", scene.site));
    browser.click("gil@grey.test");
    act(browser, "return", None);
    let told = scene.house.until(&["trace", "gil@grey.test"], |stories| {
        stories
            .iter()
            .any(|story| story["recipients"][0]["state"] == "returned")
    });
    assert_eq!(told.last().unwrap()["reports"].as_array().unwrap().len(), 1);
    // All of it stands in the events, by who did it.
    browser.go(&format!("{}/events?people=1&actor=ada", scene.site));
    for verb in [
        "held",
        "released",
        "rerouted",
        "retried",
        "discarded",
        "returned",
    ] {
        browser.until(verb);
    }
}

#[test]
fn a_next_hop_is_paused_and_resumed_by_its_row() {
    let scene = Scene::open();
    scene.log_in("ada");
    let browser = &scene.browser;
    browser.go(&format!("{}/queues", scene.site));
    browser.click("Pause");
    browser.fill("details[open] input[name=until]", "2h");
    browser.fill("details[open] input[name=reason]", "they move house");
    browser.run("document.querySelector('details[open] button').click()");
    let told = browser.until("they move house");
    assert!(told.contains("paused") && told.contains("by ada"), "{told}");
    browser.click("Resume");
    browser.run("document.querySelector('details[open] button').click()");
    browser.until("Pause");
    assert!(!browser.text().contains("they move house"));
}

#[test]
fn whoever_may_only_look_is_offered_no_act_and_no_mail() {
    let scene = Scene::open();
    scene.log_in("eve");
    let browser = &scene.browser;
    browser.click("fay@far.test");
    let told = browser.until("What comes next");
    assert!(
        !told.contains("Preview") && !told.contains("download"),
        "{told}"
    );
    assert!(!told.contains("Operators"), "{told}");
    browser.go(&format!("{}/operators", scene.site));
    browser.until("lacks the right to administer");
}

#[test]
fn the_pages_can_be_read_without_a_script_and_go_on_with_one() {
    let scene = Scene::open();
    scene.log_in("ada");
    let browser = &scene.browser;
    // The page that is open goes on by itself.
    browser.until("accepted 3 =");
    scene.house.run_with(
        &["sendmail", "-f", "bob@example.test", "alice@example.test"],
        "Subject: One more\n\nhi\n",
    );
    browser.until("accepted 4 =");
    browser.without_scripts();
    for (_, path, words) in PAGES {
        browser.go(&format!("{}{path}", scene.site));
        browser.until(words);
    }
}

#[test]
fn what_a_stranger_wrote_does_not_run() {
    let scene = Scene::open();
    scene.log_in("ada");
    let browser = &scene.browser;
    browser.run("window.alert = () => { window.ran = true; }");
    browser.click("fay@far.test");
    browser.until("In a dead hop <script>alert(1)</script>");
    assert_eq!(browser.run("return !!window.ran"), false);
    assert_eq!(browser.run("return document.scripts.length"), 1);
}
