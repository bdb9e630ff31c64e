//! promtool, by which Prometheus checks what it is given.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::letter::Letter;
use crate::postrider::{ALICE, STRANGER, Server};
use crate::program::{client, run, succeed};

/// promtool reads the older text alone: there a counter is called as its samples are, and nothing has a unit or an end.
fn as_older_text(page: &str) -> String {
    let counters = page.lines().filter_map(|line| {
        let name = line.strip_prefix("# TYPE ")?.strip_suffix(" counter")?;
        Some(format!(" {name} "))
    });
    let counters: Vec<String> = counters.collect();
    assert!(!counters.is_empty(), "{page}");
    let lines = page.lines().filter(|line| !line.starts_with("# UNIT "));
    let older = lines.map(|line| {
        let counter = counters.iter().find(|name| line.contains(*name));
        match counter.filter(|_| line.starts_with('#')) {
            Some(name) => line.replacen(name, &format!(" {}_total ", name.trim()), 1) + "\n",
            None => format!("{line}\n"),
        }
    });
    older.collect()
}

#[test]
fn promtool_finds_nothing_wrong_with_the_metrics_of_a_server_at_work() {
    let server = Server::start("");
    let letter = Letter::new(STRANGER, ALICE);
    server.hand_over(&letter, STRANGER, &[ALICE, "far@away.test"]);
    server.story(
        &letter.id,
        &[(ALICE, "delivered"), ("far@away.test", "queued")],
    );
    let page = server.ask(&["metrics"]);
    for sample in [
        "postrider_recipients_total{became=\"delivered\"} 1",
        "postrider_messages_accepted_total{origin=\"smtp\"} 1",
        "postrider_attempts_total{way=\"mailbox\",outcome=\"delivered\"} 1",
        "postrider_time_to_final_seconds_count{became=\"delivered\"} 1",
    ] {
        assert!(page.lines().any(|line| line == sample), "{sample}:\n{page}");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("page");
    fs::write(&file, as_older_text(&page)).expect("a file");
    let mut promtool = client("promtool", "prometheus");
    let ended = run(promtool.args(["check", "metrics"]), Some(&file));
    assert_eq!((ended.code, ended.printed.as_str()), (0, ""), "{page}");
}

fn check_rules(file: &Path) {
    let mut promtool = client("promtool", "prometheus");
    let said = succeed(promtool.args(["check", "rules"]).arg(file), None);
    assert!(said.contains("SUCCESS"), "{said}");
}

fn monitoring(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../demo/monitoring/{file}"))
}

#[test]
fn promtool_takes_the_alerting_rules() {
    check_rules(&monitoring("postrider.rules.yml"));
}

#[test]
fn promtool_understands_every_question_of_the_dashboard() {
    let dashboard = fs::read_to_string(monitoring("postrider.dashboard.json")).expect("a file");
    let dashboard: Value = serde_json::from_str(&dashboard).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().expect("targets"));
    // What Grafana puts in their places.
    let asked = targets.map(|target| target["expr"].as_str().expect("a question"));
    let asked = asked.map(|one| one.replace("$__rate_interval", "1m").replace("$job", ".*"));
    let rule = |(n, expr)| json!({ "record": format!("question:{n}"), "expr": expr });
    let rules: Vec<Value> = asked.enumerate().map(rule).collect();
    assert!(rules.len() > 20, "{rules:?}");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("rules.yml");
    // JSON is YAML, too.
    let text = json!({ "groups": [{ "name": "dashboard", "rules": rules }] }).to_string();
    fs::write(&file, text).expect("a file");
    check_rules(&file);
}
