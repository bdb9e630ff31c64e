//! Prints the reference manual of the alarms: the text of `docs/alarms.md`.

use std::io::Write;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(path_watch::manual().as_bytes())
}
