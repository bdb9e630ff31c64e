//! The top of the file: who this server is and where its book lies.

use std::path::PathBuf;

use crate::WebAddress;
use crate::define::{Check, always, any, default, given, line, required, section};
use crate::form::{Hostname, Store};
use crate::problem::Fault;

section! {
    /// Who this server is and where its ledger lies. These stand at the top of the file, above the first section.
    /// All but the hostname and the address of the web hold from the next start only; a reload names what has to wait.
    pub struct Server = "", always;

    /// The server's own name: in greetings, EHLO, `Received:` and reports. Other servers check that it resolves to this machine.
    hostname: Hostname = required(Hostname::localhost()), any();

    /// The database that keeps the ledger. The path of SQLite is relative to the folder of this file.
    store: Store = default(Store::Sqlite(PathBuf::from("./data/postrider.db"))), any();

    /// Folder for what is not in the database: large bodies, the control socket, the self-signed certificate. Unset: the folder of the SQLite file, or `./data` with PostgreSQL.
    data_directory: Option<PathBuf> = default(None), any();

    /// This node's name among the nodes that share one store. Unset: the hostname.
    node: Option<String> = default(None), given(line(1, 255));

    /// Where the listener with `protocol = "http"` is reached from outside, such as `"https://mail.example.org"`. Links to the status of
    /// a message begin with it, and reports to our own senders carry such a link (docs/http.md). Unset: no report carries one.
    web_address: Option<WebAddress> = default(None), given(at_the_root());
}

/// The pages stand at the root, and know no other place.
fn at_the_root() -> Check<WebAddress> {
    Check::new("a host alone, with nothing after it", |web: &WebAddress| {
        if web.path == "/" {
            return Ok(());
        }
        Err(Fault::new(
            format!("the pages are at the root of their host, and {web} goes on after it"),
            "write the host alone, such as \"https://mail.example.org\"",
        ))
    })
}
