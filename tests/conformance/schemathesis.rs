//! schemathesis, which calls an API in the ways its description allows, and in those it does not, and tells where the two differ.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::letter::Letter;
use crate::postrider::{ALICE, STRANGER, Server};
use crate::program::run;

const WEB: &str = r#"
[[listener]]
name = "web"
protocol = "http"
address = "127.0.0.1:0"
"#;

/// How messages are written, which are neither JSON nor a form.
const MESSAGES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/conformance/schemathesis.py"
);

/// Calls of one operation, at most, besides those that are made for each bound: the whole run takes well below a minute.
const CALLS: &str = "15";

/// Longer than the run takes on a busy machine, in seconds.
const PATIENCE: &str = "300";

/// `./test` installs it into a cache folder: Debian has no package of it.
fn program() -> PathBuf {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")));
    let place = cache
        .unwrap_or_default()
        .join("postrider/schemathesis/bin/schemathesis");
    assert!(
        place.is_file(),
        "{} is missing: ./test installs it (schemathesis of PyPI, by tests/conformance/schemathesis.txt)",
        place.display()
    );
    place
}

/// A server with something to show: a message that was delivered to one and waits for another.
fn server_at_work() -> Server {
    let server = Server::start(WEB);
    let letter = Letter::new(STRANGER, ALICE);
    server.hand_over(&letter, STRANGER, &[ALICE, "far@away.test"]);
    server.story(
        &letter.id,
        &[(ALICE, "delivered"), ("far@away.test", "queued")],
    );
    server
}

fn token(server: &Server) -> String {
    let add = ["token", "add", "checker", "--json", "--rights"];
    let told = server.ask(&[add.as_slice(), &["view,act,content,administer"]].concat());
    let told: Value = serde_json::from_str(&told).expect("JSON");
    told["token"].as_str().expect("a token").to_owned()
}

#[test]
fn schemathesis_finds_no_call_that_the_description_of_the_api_does_not_foresee() {
    let server = server_at_work();
    let (token, folder) = (token(&server), tempfile::tempdir().expect("a folder"));
    let mut command = Command::new("timeout");
    command.arg(PATIENCE).arg(program()).arg("run");
    let address = server.port("web");
    command.arg(format!("http://{address}/api/v1/openapi.json"));
    command.args(["-H", &format!("Authorization: Bearer {token}")]);
    command.args(["--max-examples", CALLS, "--no-color"]);
    // The same calls each time, in place of a seed: nothing is remembered of other runs, or read but what is given here.
    command.arg("--generation-deterministic");
    command.current_dir(folder.path());
    command.env("PYTHONHASHSEED", "1");
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("SCHEMATHESIS_HOOKS", MESSAGES);
    // It finds its own token in the list of tokens, and everything after that would be a 401.
    command.args(["--exclude-operation-id", "tokenRemove"]);
    // What is well formed may be refused all the same: there is no such account, the next hop is not paused.
    command.args(["--exclude-checks", "positive_data_acceptance"]);
    let ended = run(&mut command, None);
    assert_eq!(ended.code, 0, "{}", ended.printed);
    assert!(ended.printed.contains(" passed"), "{}", ended.printed);
    // A warning to it: its token was taken, and it has checked nothing.
    let refused = ended.printed.contains("Authentication failed");
    assert!(!refused, "{}", ended.printed);
    // It may have drained this node.
    let node: Value = serde_json::from_str(&server.ask(&["node", "list", "--json"])).expect("JSON");
    if node["draining"] == true {
        server.ask(&["node", "resume", "mx.here.test"]);
    }
    server.ask(&["health"]);
    server.close_sound();
}
