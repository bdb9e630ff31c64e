//! What people see of long work, in a terminal of its own (util-linux's `script` makes one).

use std::process::{Command, Stdio};

use path_ledger::Filter;
use postrider::config::Config;
use postrider::control::{Answer, Question, Request, Verb, execute};
use postrider::rooms::Rooms;
use serde_json::Value;

use super::house::House;

/// So many take seconds, and an act on them has parts.
const MANY: usize = 6000;

/// A house where so many recipients wait, in messages to a thousand each.
fn house_with(recipients: usize) -> House {
    let house = House::new();
    let all: Vec<String> = (0..recipients).map(|n| format!("x{n}@away.test")).collect();
    for to in all.chunks(1000) {
        let mut command = vec!["sendmail", "-f", "bob@far.test"];
        command.extend(to.iter().map(String::as_str));
        let sent = house.run_with(&command, "Subject: a\r\n\r\nb");
        assert!(sent.status.success(), "{sent:?}");
    }
    house
}

/// Runs a command where standard output and standard error are a terminal; its exit code, and all that was drawn.
fn on_a_terminal(house: &House, arguments: &str) -> (Option<i32>, String) {
    let program = env!("CARGO_BIN_EXE_postrider");
    let line = format!("stty cols 80 rows 24; exec {program} {arguments}");
    let mut command = Command::new("script");
    command
        .args(["-qec", &line, "/dev/null"])
        .current_dir(house.folder.path())
        .env("TERM", "xterm")
        .env("USER", "tester")
        .env_remove("SUDO_USER")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Its end would end the terminal.
    let keys = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(keys);
    let drawn = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), drawn)
}

#[track_caller]
fn has_a_bar(drawn: &str, what: &str) {
    let all = format!("/{MANY}, ");
    assert!(drawn.contains(what) && drawn.contains(&all), "{drawn:?}");
}

#[test]
fn an_act_on_many_shows_how_far_it_is_on_a_terminal_and_nothing_elsewhere_or_beside_json() {
    let house = house_with(MANY);
    let (code, drawn) = on_a_terminal(&house, "hold --all --reason 'a look'");
    assert_eq!(code, Some(0), "{drawn}");
    has_a_bar(&drawn, "holding ");
    let ended = house.run(&["release", "--all"]);
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    let (code, drawn) = on_a_terminal(&house, "hold --all --json");
    assert_eq!(code, Some(0), "{drawn}");
    let answer: Value = serde_json::from_str(drawn.trim()).expect(&drawn);
    assert_eq!(answer["done"], MANY as u64);
    let mut served = house.serve(&["serve"]);
    served.listening("mx");
    let (code, drawn) = on_a_terminal(&house, "discard --all --reason 'a test'");
    assert_eq!(code, Some(0), "{drawn}");
    has_a_bar(&drawn, "discarding ");
    let totals = &house.json(&["audit"])[0];
    assert_eq!(totals["discarded"], MANY as u64, "{totals}");
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn looking_at_what_may_be_long_shows_that_it_is_done_and_nothing_beside_json() {
    let house = house_with(3);
    for (arguments, what) in [
        ("audit", "adding up the book"),
        ("inspect orphans", "reading the store"),
        ("account list", "reading page by page"),
        ("export --all --output .", "exporting"),
    ] {
        let (code, drawn) = on_a_terminal(&house, arguments);
        assert_eq!(code, Some(0), "{drawn}");
        assert!(drawn.contains(what), "{arguments}: {drawn:?}");
        let (code, drawn) = on_a_terminal(&house, &format!("{arguments} --json"));
        assert_eq!(code, Some(0), "{drawn}");
        assert!(!drawn.contains(what), "{arguments}: {drawn:?}");
    }
}

/// Holds everything under a name, or says why not.
async fn hold(rooms: &Rooms, name: &str) -> Result<Value, String> {
    let question = Question::Act {
        verb: Verb::Hold,
        filter: Filter::default(),
        reason: "a look".to_owned(),
        dry_run: false,
        name: Some(name.to_owned()),
    };
    ask(rooms, question).await
}

async fn ask(rooms: &Rooms, question: Question) -> Result<Value, String> {
    let request = Request {
        by: "tester".to_owned(),
        question,
        content: Default::default(),
    };
    match execute(rooms, request).await {
        Answer::One { fact } => Ok(fact),
        Answer::Refused { why, .. } => Err(why),
        other @ (Answer::Rows { .. } | Answer::Octets { .. }) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_act_is_asked_for_by_its_own_name_which_is_plain_and_nobody_elses() {
    let house = house_with(3);
    let config = Config::read(&house.folder.path().join("postrider.toml")).unwrap();
    let rooms = Rooms::for_a_command(&config).await.unwrap();
    let progress = |act: &str| Question::Progress {
        act: act.to_owned(),
    };
    assert!(ask(&rooms, progress("mine-1")).await.is_err());
    for name in ["", "a b", "a/b", "\u{e4}", &"x".repeat(65)] {
        let why = hold(&rooms, name).await.unwrap_err();
        assert!(why.contains("64 letters"), "{name:?}: {why}");
    }
    assert_eq!(hold(&rooms, "mine-1").await.unwrap()["done"], 3);
    let seen = ask(&rooms, progress("mine-1")).await.unwrap();
    let told = ["state", "verb", "by", "reason"].map(|name| seen[name].as_str().unwrap());
    assert_eq!(told, ["ended", "hold", "tester", "a look"]);
    let counts = ["count", "done", "escaped"].map(|name| seen[name].as_u64().unwrap());
    assert_eq!(counts, [3, 3, 0]);
    let why = hold(&rooms, "mine-1").await.unwrap_err();
    assert!(why.contains("another act of this name"), "{why}");
    // Nobody is touched twice: all are held, and escape.
    let again = hold(&rooms, "mine_2").await.unwrap();
    assert_eq!(again["escaped"].as_array().unwrap().len(), 3);
    let seen = ask(&rooms, progress("mine_2")).await.unwrap();
    let counts = ["count", "done", "escaped"].map(|name| seen[name].as_u64().unwrap());
    assert_eq!(counts, [3, 0, 3]);
}
