//! The top of the file: who this server is and where its book lies.

use std::path::PathBuf;

use crate::define::{always, any, default, given, line, required, section};
use crate::form::{Hostname, Store};

section! {
    /// Who this server is and where its ledger lies. These stand at the top of the file, above the first section.
    /// All but the hostname hold from the next start only; a reload names what has to wait.
    pub struct Server = "", always;

    /// The server's own name: in greetings, EHLO, `Received:` and reports. Other servers check that it resolves to this machine.
    hostname: Hostname = required(Hostname::localhost()), any();

    /// The database that keeps the ledger. The path of SQLite is relative to the folder of this file.
    store: Store = default(Store::Sqlite(PathBuf::from("./data/postrider.db"))), any();

    /// Folder for what is not in the database: large bodies, the control socket, the self-signed certificate. Unset: the folder of the SQLite file, or `./data` with PostgreSQL.
    data_directory: Option<PathBuf> = default(None), any();

    /// This node's name among the nodes that share one store. Unset: the hostname.
    node: Option<String> = default(None), given(line(1, 255));
}
