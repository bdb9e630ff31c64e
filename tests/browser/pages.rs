//! Every page, and every act on it.

use std::path::PathBuf;

use super::driver::{Browser, Scheme};
use super::house::House;
use super::scene::{PASSWORD, Scene};

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
    ("audit", "/audit", "The book does not add up"),
    ("nodes", "/nodes", "Drain"),
    ("events", "/events", "settings_loaded"),
    ("directory", "/directory", "alice@example.test"),
    ("held", "/held", "hal@held.test"),
    ("damaged", "/damaged", "bob@example.test"),
    ("dead-letters", "/dead-letters", "nobody could be told"),
    ("connectors", "/connectors?domain=grey.test", "via:grey"),
    ("settings", "/settings", "What changed them"),
    (
        "settings-section",
        "/settings/section?section=connector&title=grey",
        "address_space",
    ),
    ("settings-text", "/settings/text", "Leave it as it is"),
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
    for (clicks, expected) in [
        (
            &["fay@far.test"][..],
            &[
                "Its next hop does not answer",
                "Its next hop is tried; when it answers, all that waits for it goes.",
                "Its sender is told that it still waits.",
            ][..],
        ),
        (
            &["gil@grey.test"],
            &[
                "451 4.7.1 greylisted, try again in 5 minutes",
                "It is tried.",
                "Its sender is told that it still waits.",
            ],
        ),
        (
            &["held", "hal@held.test"],
            &["until Monday", "tester", "Its hold raises an alarm."],
        ),
        (
            &["damaged", "torn"],
            &["damaged: ", "What comes next", "Its hold raises an alarm."],
        ),
    ] {
        browser.go(&scene.site);
        for words in clicks {
            browser.click(words);
        }
        let told = browser.until("What comes next");
        for words in expected {
            assert!(told.contains(words), "{words}: {told}");
        }
        // With the time of what comes next.
        assert_eq!(
            browser.run("return !!document.querySelector('.next time')"),
            true
        );
    }
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
    browser.until("accepted 5 =");
    scene.house.run_with(
        &["sendmail", "-f", "bob@example.test", "alice@example.test"],
        "Subject: One more\n\nhi\n",
    );
    browser.until("accepted 6 =");
    // So do the lists; what somebody is about to act on stays under his hands.
    browser.go(&format!("{}/messages", scene.site));
    browser.until("fay@far.test");
    scene.submit("ivy@far.test", "While one looks");
    browser.until("ivy@far.test");
    browser.run("document.querySelector('td input[name=recipient]').click()");
    scene.submit("joe@far.test", "While one ticks");
    let waits = ["queue", "list", "--recipient", "joe@far.test"];
    scene.house.until(&waits, |rows| rows.len() == 1);
    let ticked = "return document.querySelectorAll('td input[name=recipient]:checked').length";
    assert_eq!(browser.run(ticked), 1);
    browser.run(
        "document.querySelector('td input[name=recipient]').click(); document.activeElement.blur()",
    );
    browser.until("joe@far.test");
    assert_eq!(
        browser.run("return document.querySelector('#tick-all').hidden"),
        false
    );
    browser.go(&format!("{}/queues", scene.site));
    browser.until("via:grey");
    scene.submit("kim@else.test", "Another hop");
    browser.until("mx:else.test");
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

#[test]
fn a_setting_is_tried_taken_and_stands_in_the_history() {
    let scene = Scene::open();
    scene.log_in("ada");
    let browser = &scene.browser;
    browser.go(&format!("{}/settings/section?section=queue", scene.site));
    browser.fill("#s-lifetime", "soon");
    browser.click("Try");
    let told = browser.until("It cannot be taken");
    assert!(told.contains("queue.lifetime"), "{told}");
    browser.click("Leave it as it is");
    browser.until("What changed them");

    // A connector gone would leave mail without a way.
    browser.go(&format!("{}/connectors", scene.site));
    browser.click("Change");
    browser.click("Remove it");
    let told = browser.until("This would re-route 1 recipient");
    assert!(
        told.contains("via:grey") && told.contains("No way:"),
        "{told}"
    );
    browser.click("Leave it as it is");

    browser.go(&format!(
        "{}/settings/section?section=connector&new=1",
        scene.site
    ));
    for (name, value) in [
        ("name", "rest"),
        ("address_space", "*.far.test, far.test"),
        ("next_hop", "127.0.0.1:9"),
    ] {
        browser.fill(&format!("#s-{name}"), value);
    }
    browser.click("Try");
    browser.until("This would re-route 1 recipient");
    browser.fill("#reason", "the partner moved");
    browser.click("Take it");
    let told = browser.until("What changed them");
    assert!(
        told.contains("the partner moved") && told.contains("connector rest is new"),
        "{told}"
    );
    let connectors = scene.house.json(&["connector", "list"]);
    assert_eq!(
        connectors[1]["address_space"][1], "far.test",
        "{connectors:?}"
    );
    let file = std::fs::read_to_string(scene.house.folder.path().join("postrider.toml")).unwrap();
    assert!(
        file.contains("name = \"rest\"") && file.contains("[test]"),
        "{file}"
    );
}

#[test]
fn all_that_match_are_selected_beyond_the_page() {
    let scene = Scene::open();
    for n in 0..120 {
        let to = format!("m{n}@many.test");
        scene
            .house
            .run_with(&["sendmail", "-f", "bob@example.test", &to], "\nhi\n");
    }
    scene.log_in("ada");
    let browser = &scene.browser;
    browser.go(&format!("{}/messages?domain=many.test", scene.site));
    browser.click("Next page");
    browser.until("@many.test");
    browser.go(&format!("{}/messages?domain=many.test", scene.site));
    browser.click("all that match, on every page");
    browser.choose("#verb", "discard");
    browser.click("Preview");
    browser.until("discard: 120 recipients");
    browser.fill("#reason", "a test");
    browser.click("discard 120");
    browser.until("120 of 120 done");
    let left = scene
        .house
        .json(&["queue", "list", "--domain", "many.test"]);
    assert_eq!(left.len(), 0);
}

#[test]
fn senders_see_where_their_mail_is_and_nobody_elses() {
    let scene = Scene::open();
    scene.submit("gil@grey.test", "From bob himself");
    let waits = ["queue", "list", "--reply-contains", "greylisted"];
    scene.house.until(&waits, |rows| rows.len() == 2);
    let browser = &scene.browser;
    browser.go(&format!("{}/mine", scene.site));
    browser.fill("#login", "bob@example.test");
    browser.fill("#password", "wrong");
    browser.click("Log in");
    browser.until("That was not right.");
    browser.fill("#login", "bob@example.test");
    browser.fill("#password", PASSWORD);
    browser.click("Log in");
    let told = browser.until("From bob himself");
    assert!(told.contains("gil@grey.test"), "{told}");
    // What came under bob's name without his login is not shown as his; and no way, hop or alarm of ours.
    for ours in ["Held one", "Delivered one", "via:grey", "Queues"] {
        assert!(!told.contains(ours), "{ours}: {told}");
    }
    for (width, device) in [(1440, "desk"), (390, "phone")] {
        for (scheme, time) in [(Scheme::Light, "day"), (Scheme::Dark, "night")] {
            browser.look(width, scheme);
            browser.picture(&pictures().join(format!("mine-{device}-{time}.png")));
        }
    }
    browser.click("Log out");
    browser.go(&format!("{}/mine", scene.site));
    browser.until("With the address and password that you send mail with");

    // The link of one message needs no login, and shows that message.
    let id = scene.house.json(&waits)[0]["id"].clone();
    let link = scene.house.ok(&["link", id.as_str().unwrap()]);
    browser.go(&format!("{}{}", scene.site, link.trim()));
    let told = browser.until("Where the message is");
    assert!(
        told.contains("gil@grey.test") && !told.contains("via:grey"),
        "{told}"
    );
    for (width, device) in [(1440, "desk"), (390, "phone")] {
        for (scheme, time) in [(Scheme::Light, "day"), (Scheme::Dark, "night")] {
            browser.look(width, scheme);
            browser.picture(&pictures().join(format!("status-{device}-{time}.png")));
        }
    }
}

/// Sends the form that has this field.
fn send_form_of(browser: &Browser, field: &str) {
    browser.run(&format!(
        "document.querySelector({field:?}).form.querySelector('button').click()"
    ));
}

/// Clicks a button in the row of a table that says this.
fn click_in_row(browser: &Browser, row: &str, button: &str) {
    let clicked = browser.run(&format!(
        "const row = [...document.querySelectorAll('tr')].find((one) => one.textContent.includes({row:?})); \
         const button = [...row.querySelectorAll('button')].find((one) => one.textContent.trim() === {button:?}); \
         button.click(); return true;"
    ));
    assert_eq!(clicked, true);
}

#[test]
fn the_directory_is_changed_by_its_forms() {
    let scene = Scene::open();
    scene.log_in("ada");
    let browser = &scene.browser;
    let listed = |what: &str| scene.house.json(&[what, "list"]);
    browser.go(&format!("{}/directory", scene.site));
    browser.fill("#d-name", "new.test");
    send_form_of(browser, "#d-name");
    browser.until("new.test");
    browser.fill("#a-address", "jo@new.test");
    send_form_of(browser, "#a-address");
    browser.until("no, takes mail only");
    browser.fill("#l-address", "info@new.test");
    browser.fill("input[name=targets]", "jo@new.test, ada@far.test");
    send_form_of(browser, "#l-address");
    browser.until("info@new.test");
    let told = (
        listed("domain").len(),
        listed("account").len(),
        listed("alias").len(),
    );
    assert_eq!(told, (2, 3, 1));
    for name in ["info@new.test", "jo@new.test", "new.test"] {
        click_in_row(browser, name, "Remove");
        browser.until_gone(name);
    }
    assert_eq!((listed("domain").len(), listed("account").len()), (1, 2));
    // What cannot be done is refused with its reason.
    browser.fill("#a-address", "nobody");
    send_form_of(browser, "#a-address");
    browser.until("It is your move.");
}

#[test]
fn operators_tokens_and_nodes_are_changed_by_their_forms() {
    let scene = Scene::open();
    scene.log_in("ada");
    let browser = &scene.browser;
    browser.go(&format!("{}/operators", scene.site));
    browser.fill("#o-name", "joe");
    browser
        .run("document.querySelector('#o-name').form.querySelector('input[value=view]').click()");
    send_form_of(browser, "#o-name");
    browser.until("joe");
    browser.fill("#t-name", "grafana");
    browser
        .run("document.querySelector('#t-name').form.querySelector('input[value=view]').click()");
    send_form_of(browser, "#t-name");
    browser.until("This is told once");
    let listed = |what: &str| scene.house.json(&[what, "list"]);
    assert_eq!((listed("operator").len(), listed("token").len()), (3, 1));
    for name in ["grafana", "joe"] {
        click_in_row(browser, name, "Remove");
        browser.until_gone(name);
    }
    assert_eq!((listed("operator").len(), listed("token").len()), (2, 0));

    browser.go(&format!("{}/nodes", scene.site));
    let draining = || scene.house.json(&["node", "list"])[0]["draining"].clone();
    browser.click("Drain");
    browser.until("Take work again");
    assert_eq!(draining(), true);
    browser.click("Take work again");
    browser.until_gone("Take work again");
    assert_eq!(draining(), false);
}
