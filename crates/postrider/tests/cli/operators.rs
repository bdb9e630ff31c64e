//! Operators and tokens by the command line.

use ground_directory::operator::totp_code;

use super::house::House;

fn add(house: &House, name: &str) {
    let password = ["--password", "correct horse"];
    let arguments = ["operator", "add", name, "--rights", "act,view"];
    house.ok(&[&arguments[..], &password].concat());
}

/// A server runs on it, or does not.
fn up_and_down(check: impl Fn(&House)) {
    let house = House::new();
    check(&house);
    let house = House::new();
    let mut served = house.serve(&["serve"]);
    served.listening("mx");
    check(&house);
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn operators_are_made_changed_and_removed_by_name_server_up_or_down() {
    up_and_down(|house| {
        add(house, "Jo");
        house.ok(&["operator", "add", "ada", "--rights", "administer"]);
        house.ok(&["operator", "rights", "ada", "content,view"]);
        let listed = house.json(&["operator", "list"]);
        assert_eq!(
            (&listed[0]["name"], &listed[0]["rights"]),
            (&"ada".into(), &"view,content".into())
        );
        assert_eq!(listed[0]["may_log_in"], false);
        let jo = &house.json(&["operator", "show", "jo"])[0];
        assert_eq!(
            (&jo["rights"], &jo["may_log_in"], &jo["totp"]),
            (&"view,act".into(), &true.into(), &"off".into())
        );
        let set = house.run_with(
            &["operator", "password", "ada", "--password-stdin"],
            "tr0ub4dor&3\n",
        );
        assert!(set.status.success(), "{set:?}");
        assert_eq!(
            house.json(&["operator", "show", "ada"])[0]["may_log_in"],
            true
        );
        assert_eq!(house.json(&["operator", "sessions", "jo"]).len(), 0);
        house.ok(&["operator", "sessions", "jo", "--revoke"]);
        house.ok(&["operator", "remove", "jo"]);
        let gone = house.run(&["operator", "sessions", "jo"]);
        assert_eq!(gone.status.code(), Some(1), "{gone:?}");
        let events = house.json(&["inspect", "rows", "event"]);
        let recorded = events
            .iter()
            .filter(|event| event["kind"] == "directory_changed");
        let told: Vec<_> = recorded
            .map(|event| {
                (
                    event["actor"].as_str().unwrap(),
                    event["detail"].as_str().unwrap(),
                )
            })
            .collect();
        // The newest first.
        assert_eq!(
            told,
            [
                ("tester", "operator jo removed"),
                ("tester", "sessions of operator jo revoked"),
                ("tester", "password of operator ada changed"),
                ("tester", "rights of operator ada set to view,content"),
                ("tester", "operator ada added, who may administer"),
                ("tester", "operator jo added, who may view,act"),
            ]
        );
    });
}

#[test]
fn a_code_generator_is_confirmed_at_once_or_later() {
    up_and_down(|house| {
        add(house, "jo");
        let totp = |code: &str| house.run_with(&["operator", "totp", "jo", "--json"], code);
        let wrong = totp("12345\n");
        assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
        let shown = totp("");
        assert!(shown.status.success(), "{shown:?}");
        let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
        let secret = shown["secret"].as_str().unwrap();
        let uri = format!(
            "otpauth://totp/Postrider%20mx.example.test:jo?secret={secret}&issuer=Postrider%20mx.example.test"
        );
        assert_eq!(shown["uri"], uri.as_str());
        let state = || house.json(&["operator", "show", "jo"])[0]["totp"].clone();
        assert_eq!(state(), "offered");
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
        let now = ground_world::Time::from_millis(now.try_into().unwrap());
        house.ok(&[
            "operator",
            "totp",
            "jo",
            "--code",
            &totp_code(secret, now).unwrap(),
        ]);
        assert_eq!(state(), "on");
        house.ok(&["operator", "totp", "jo", "--remove"]);
        assert_eq!(state(), "off");
    });
}

#[test]
fn a_token_is_shown_once_and_ends_at_its_time() {
    up_and_down(|house| {
        let made = &house.json(&[
            "token",
            "add",
            "watch",
            "--rights",
            "view",
            "--expires",
            "90d",
        ])[0];
        let token = made["token"].as_str().unwrap();
        assert!(token.starts_with("prt_"), "{made}");
        let listed = &house.json(&["token", "list"])[0];
        assert_eq!(
            (&listed["name"], &listed["created_by"]),
            (&"watch".into(), &"tester".into())
        );
        let at = |field: &str| {
            listed[field]
                .as_str()
                .unwrap()
                .parse::<ground_world::Time>()
                .unwrap()
        };
        let days = at("expires_at").since(at("created_at")).as_secs_f64() / 86_400.0;
        assert!((89.9..90.1).contains(&days), "{listed}");
        let told = house.ok(&["token", "list"]) + &house.ok(&["inspect", "rows", "event"]);
        assert!(!told.contains(token), "{told}");
        let taken = house.run(&["token", "add", "watch", "--rights", "view"]);
        assert_eq!(taken.status.code(), Some(1), "{taken:?}");
        house.ok(&["token", "remove", "watch"]);
        assert!(house.json(&["token", "list"]).is_empty());
    });
}

#[test]
fn a_right_that_is_none_is_named_with_those_there_are() {
    let house = House::new();
    let refused = house.run(&["operator", "add", "jo", "--rights", "view,root"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(why.contains("view,act,content,administer"), "{why}");
    let unnamed = house.run(&["operator", "password", "jo"]);
    assert_eq!(unnamed.status.code(), Some(2), "{unnamed:?}");
}
