//! `postrider completions SHELL`: what a shell needs to complete the commands and options.

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Exit, print};

#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    /// The shell that reads it.
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self) -> Result<Exit, Exit> {
        print::octets(&script(self.shell))?;
        Ok(Exit::Done)
    }
}

fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "postrider", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_completes_every_command() {
        for shell in Shell::value_variants() {
            let script = String::from_utf8(script(*shell)).unwrap();
            let all = Cli::command();
            for command in all.get_subcommands().filter(|one| !one.is_hide_set()) {
                assert!(script.contains(command.get_name()), "{shell}: {command}");
            }
        }
    }
}
