//! An act on many through the API: the preview, some who get away, the act, and what the book and the senders say then.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::http::Door;
use crate::compare::contestant::Server;
use crate::compare::peers::Sink;

/// Recipients that are discarded between the preview and the act.
const ESCAPED: u64 = 7;
/// An act, and the reports it owes, must be done in this time.
const PATIENCE: Duration = Duration::from_secs(900);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// Everything for `back.test` goes back to its senders, but for a few who are gone by then.
pub(super) fn give_back(
    door: &Door,
    server: &Server,
    alive: &Sink,
    count: u64,
) -> anyhow::Result<()> {
    let before_reports = alive.counts()?.deliveries;
    let before = server.audit()?;
    let begun = Instant::now();
    let preview = post(
        door,
        "/api/v1/previews",
        &json!({"filter": {"domain": "back.test"}}),
    )?;
    let took = begun.elapsed().as_secs_f64();
    ensure!(number(&preview, "count")? == count, "previewed {preview}");
    println!("preview: {count} recipients in {took:.2} s");

    let few =
        json!({"filter": {"domain": "back.test", "limit": ESCAPED}, "reason": "they get away"});
    let gone = post(door, "/api/v1/recipients/discard", &few)?;
    ensure!(number(&gone, "done")? == ESCAPED, "discarded {gone}");

    let begun = Instant::now();
    let begin = json!({
        "preview": preview.get("preview"),
        "verb": "return",
        "reason": "the partner is closed",
    });
    let act = post(door, "/api/v1/acts", &begin)?;
    let name = act.get("act").and_then(Value::as_str).context("no name")?;
    let ended = loop {
        let status: Value = serde_json::from_str(&door.get(&format!("/api/v1/acts/{name}"))?.text)?;
        if status.get("state") != Some(&json!("running")) {
            break status;
        }
        ensure!(begun.elapsed() < PATIENCE, "still {status}");
        sleep(LOOK);
    };
    let took = begun.elapsed().as_secs_f64();
    let (done, escaped) = (number(&ended, "done")?, number(&ended, "escaped")?);
    let named = ended.get("escapees").and_then(Value::as_array);
    let named = named.map_or(0, Vec::len);
    println!("act: {done} returned in {took:.2} s, {escaped} escaped, {named} of them named");
    ensure!(done == count - ESCAPED, "{ended}");
    ensure!(escaped == ESCAPED && named as u64 == ESCAPED, "{ended}");

    let after = server.audit()?;
    let returned = number(&after, "returned")? - number(&before, "returned")?;
    let difference = after.get("difference").context("no difference")?;
    println!("book: {returned} more returned, difference {difference}");
    ensure!(returned == done && *difference == json!(0), "{after}");
    let events = door.get("/api/v1/events?kind=returned&limit=1")?.text;
    println!("event: {events}");
    while alive.counts()?.deliveries < before_reports + done {
        ensure!(
            begun.elapsed() < PATIENCE,
            "reports are missing: {:?}",
            alive.counts()?
        );
        sleep(LOOK);
    }
    println!(
        "reports: {done} at their senders' server {:.1} s after the act began",
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}

fn post(door: &Door, path: &str, body: &Value) -> anyhow::Result<Value> {
    let page = door.ask("POST", path, &body.to_string())?;
    Ok(serde_json::from_str(&page.text)?)
}

fn number(object: &Value, name: &str) -> anyhow::Result<u64> {
    let found = object.get(name).and_then(Value::as_u64);
    found.with_context(|| format!("no {name} in {object}"))
}
