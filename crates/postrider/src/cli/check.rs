//! `postrider check`: is the configuration right?

use serde_json::json;

use super::{Context, Exit, print};

pub(super) fn run(context: &Context) -> Result<Exit, Exit> {
    let config = context.config()?;
    let settings = &config.settings;
    if context.json {
        print::out(&json!({ "file": config.file, "ok": true }).to_string())?;
        return Ok(Exit::Done);
    }
    print::out(&format!(
        "{}: good; {} is {} with {} and {}",
        config.file.display(),
        settings.node_name(),
        settings.server.hostname,
        counted(settings.listeners.len(), "listener"),
        counted(settings.connectors.len(), "connector"),
    ))?;
    Ok(Exit::Done)
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}
