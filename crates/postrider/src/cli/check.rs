//! `postrider check`: is the configuration right?

use serde_json::json;

use super::{Context, Exit, print};
use crate::node::identity;

pub(super) async fn run(context: &Context) -> Result<Exit, Exit> {
    let config = context.config()?;
    let settings = &config.settings;
    if let Err(error) = identity::set(settings, &config.folder).await {
        print::error(&format!("{}: tls: {error}", config.file.display()));
        return Err(Exit::Wrong);
    }
    if context.json {
        print::out(&json!({ "file": config.file, "ok": true }).to_string())?;
        return Ok(Exit::Done);
    }
    print::out(&format!(
        "{}: good; {} has {} and {}",
        config.file.display(),
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
