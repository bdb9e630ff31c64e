//! `postrider man`: the manual pages, written from what the command line itself says.

use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_mangen::Man as Page;

use super::{Cli, Exit, print};

#[derive(Debug, clap::Args)]
pub(super) struct Man {
    /// Write one file for each command into this folder, such as /usr/local/share/man/man1; without it, print the page of
    /// postrider itself.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self) -> Result<Exit, Exit> {
        let Some(dir) = &self.dir else {
            let mut page = Vec::new();
            let command = Cli::command().disable_help_subcommand(true);
            let written = Page::new(command).render(&mut page);
            written.map_err(|error| unwritten(Path::new("postrider.1"), &error))?;
            print::octets(&page)?;
            return Ok(Exit::Done);
        };
        let written = std::fs::create_dir_all(dir)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), dir));
        written.map_err(|error| unwritten(dir, &error))?;
        Ok(Exit::Done)
    }
}

fn unwritten(place: &Path, error: &std::io::Error) -> Exit {
    print::error(&format!("{}: {error}", place.display()));
    Exit::Unreachable
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;

    /// The commands that people see.
    fn shown(command: &Command) -> impl Iterator<Item = &Command> {
        let parts = command.get_subcommands();
        parts.filter(|part| !part.is_hide_set())
    }

    fn helps(command: &Command) {
        assert!(command.get_about().is_some(), "{command} has no help");
        shown(command).for_each(helps);
    }

    #[test]
    fn every_command_has_help() {
        helps(&Cli::command());
    }

    fn has_pages(command: &Command, name: &str, dir: &Path) {
        let page = std::fs::read_to_string(dir.join(format!("{name}.1"))).unwrap();
        for part in shown(command) {
            let part_name = format!("{name}-{}", part.get_name());
            let listed = part_name.replace('-', "\\-");
            assert!(page.contains(&listed), "{name}.1 does not name {part_name}");
            has_pages(part, &part_name, dir);
        }
    }

    #[test]
    fn every_command_has_a_page_that_the_page_above_names() {
        let dir = tempfile::tempdir().unwrap();
        let man = Man {
            dir: Some(dir.path().join("man1")),
        };
        assert_eq!(man.run(), Ok(Exit::Done));
        has_pages(&Cli::command(), "postrider", &dir.path().join("man1"));
    }
}
