//! `postrider quickstart`: from nothing to a server that takes mail, in one command.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use ground_directory::operator::Rights;
use ground_world::World;

use super::{Exit, print, put, serve};
use crate::config::{Config, ConfigError};
use crate::control::{
    Answer, DirectoryChange, DirectoryView, OperatorChange, OperatorView, Password, Question,
};
use crate::rooms;

#[derive(Debug, clap::Args)]
pub(super) struct Quickstart {
    /// Where the configuration and the data go.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
}

const DOMAIN: &str = "example.test";
const PEOPLE: [&str; 2] = ["alice@example.test", "bob@example.test"];

/// Looks at it all in a browser.
const OPERATOR: &str = "admin";

const CONFIGURATION: &str = r#"# A demo: everything stays on this machine.
hostname = "mx.example.test"
store = "sqlite:./data/postrider.db"

[[listener]]
name = "mx"
protocol = "smtp"
address = "127.0.0.1:2525"

[[listener]]
name = "submission"
protocol = "submission"
address = "127.0.0.1:2587"

[[listener]]
name = "lmtp"
protocol = "lmtp"
address = "127.0.0.1:2424"

[[listener]]
name = "web"
protocol = "http"
address = "127.0.0.1:2580"
"#;

impl Quickstart {
    pub(super) async fn run(self) -> Result<Exit, Exit> {
        let file = self.dir.join("postrider.toml");
        write_once(&self.dir, &file)?;
        let config = Config::read(&file).map_err(|error: ConfigError| {
            print::error(&error.to_string());
            Exit::Wrong
        })?;
        let (world, _) = rooms::world(&config.settings).map_err(|error| {
            print::error(&error.to_string());
            Exit::Unreachable
        })?;
        let passwords = people(&config, &world).await?;
        let operator = operator(&config, &world).await?;
        print::out(&usage(&file, &passwords, operator.as_deref()))?;
        serve::serve(config).await
    }
}

fn write_once(dir: &Path, file: &Path) -> Result<(), Exit> {
    if file.exists() {
        return Ok(());
    }
    let written = std::fs::create_dir_all(dir).and_then(|()| std::fs::write(file, CONFIGURATION));
    written.map_err(|error| {
        print::error(&format!("{}: {error}", file.display()));
        Exit::Unreachable
    })
}

/// Makes the domain and the accounts that are not there yet; each new account with its password.
async fn people(
    config: &Config,
    world: &World,
) -> Result<Vec<(&'static str, Option<String>)>, Exit> {
    let name = DOMAIN.to_owned();
    make(
        config,
        Question::Look {
            at: DirectoryView::DomainShow { name: name.clone() },
        },
        Question::Change {
            change: DirectoryChange::DomainAdd { name },
        },
    )
    .await?;
    let mut made = Vec::new();
    for address in PEOPLE {
        let password = password(world)?;
        let add = Question::Change {
            change: DirectoryChange::AccountAdd {
                address: address.to_owned(),
                password: Some(Password(password.clone())),
                quota: None,
            },
        };
        let show = Question::Look {
            at: DirectoryView::AccountShow {
                address: address.to_owned(),
            },
        };
        let new = make(config, show, add).await?;
        made.push((address, new.then_some(password)));
    }
    Ok(made)
}

/// Makes the operator that is not there yet; its password then.
async fn operator(config: &Config, world: &World) -> Result<Option<String>, Exit> {
    let password = password(world)?;
    let show = Question::OperatorLook {
        at: OperatorView::Show {
            name: OPERATOR.to_owned(),
        },
    };
    let add = Question::OperatorChange {
        change: OperatorChange::Add {
            name: OPERATOR.to_owned(),
            password: Some(Password(password.clone())),
            rights: Rights::ALL.to_string(),
        },
    };
    Ok(make(config, show, add).await?.then_some(password))
}

/// Asks to make something unless it is there; says whether it was made now.
async fn make(config: &Config, show: Question, add: Question) -> Result<bool, Exit> {
    let unreachable = |trouble: crate::control::Trouble| {
        print::error(&trouble.to_string());
        Exit::Unreachable
    };
    let there = put(config, show, Bytes::new()).await.map_err(unreachable)?;
    if !matches!(there, Answer::Refused { .. }) {
        return Ok(false);
    }
    match put(config, add, Bytes::new()).await.map_err(unreachable)? {
        Answer::Refused { why, .. } => {
            print::error(&why);
            Err(Exit::Refused)
        }
        Answer::Rows { .. } | Answer::One { .. } | Answer::Octets { .. } => Ok(true),
    }
}

/// Sixteen letters and digits that people do not misread: 80 bits.
fn password(world: &World) -> Result<String, Exit> {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
    let octets = world.chance.secret::<16>().map_err(|error| {
        print::error(&format!("no password can be made: {error}"));
        Exit::Unreachable
    })?;
    let letter = |octet: u8| {
        LETTERS
            .get(usize::from(octet & 31))
            .copied()
            .unwrap_or(b'a')
    };
    Ok(octets
        .into_iter()
        .map(|octet| char::from(letter(octet)))
        .collect())
}

/// Instead of a password of which only the hash is kept.
const TOLD: &str = "(as printed when it was made)";

fn usage(file: &Path, passwords: &[(&str, Option<String>)], operator: Option<&str>) -> String {
    let config = file.display();
    let mut text = format!("Postrider serves {DOMAIN} with {config}. Stop it with Ctrl-C.\n\n");
    for (address, password) in passwords {
        let password = password.as_deref().unwrap_or(TOLD);
        text.push_str(&format!("  {address}  password {password}\n"));
    }
    let operator = operator.unwrap_or(TOLD);
    text.push_str(&format!(
        "
See it all in a browser, live: http://127.0.0.1:2580/
  {OPERATOR}  password {operator}

Send a message to alice, as another server would:
  swaks --server 127.0.0.1:2525 --from you@elsewhere.test --to alice@example.test
  printf 'Subject: hello\\n\\nhi\\n' | curl --crlf smtp://127.0.0.1:2525 --mail-from you@elsewhere.test --mail-rcpt alice@example.test -T -
Send as bob, logged in:
  swaks --server 127.0.0.1:2587 --tls --auth PLAIN --auth-user bob@example.test --auth-password PASSWORD --from bob@example.test --to alice@example.test
See it arrive, read it, and hear its story:
  postrider --config {config} mail list alice@example.test
  postrider --config {config} mail show alice@example.test 1
  postrider --config {config} trace alice@example.test
What waits, why, and until when:
  postrider --config {config} queue
  postrider --config {config} queue list
"
    ));
    text
}
