//! Asking: the running server, or the store itself when none runs.

use std::time::Duration;

use ground_world::World;
use ground_world::net::{ConnectError, Stream};
use thiserror::Error;
use tokio::io::BufReader;

use super::{Answer, Request, execute, framing};
use crate::config::Config;
use crate::rooms::{self, Rooms, RoomsError};

/// How long the server may take to accept us; it does nothing else meanwhile.
const CONNECT: Duration = Duration::from_secs(5);

/// How long an answer may take: an audit of a very large book is the longest.
const ANSWER: Duration = Duration::from_secs(600);

/// There is no answer.
#[derive(Debug, Error)]
pub enum Trouble {
    /// The store could not be opened.
    #[error(transparent)]
    Rooms(#[from] RoomsError),
    /// The server runs and did not answer. Time's move, or the operator's.
    #[error("the server at {socket} did not answer: {detail}")]
    Server {
        /// Its socket.
        socket: String,
        /// What happened.
        detail: String,
    },
}

/// Asks the server that runs on this configuration; when none runs, opens the store.
///
/// # Errors
/// [`Trouble`].
pub async fn ask(config: &Config, request: Request) -> Result<Answer, Trouble> {
    let (world, _) = rooms::world(&config.settings).map_err(RoomsError::from)?;
    let socket = config.socket();
    let no_answer = |detail: String| Trouble::Server {
        socket: socket.display().to_string(),
        detail,
    };
    match world.net.connect_unix(&socket, CONNECT).await {
        Ok(stream) => talk(&world, stream, &request).await.map_err(no_answer),
        Err(ConnectError::Refused { .. } | ConnectError::Unreachable { .. })
            if !socket_answers_later(&socket) =>
        {
            let rooms = Rooms::for_a_command(config).await?;
            Ok(execute(&rooms, request).await)
        }
        Err(error) => Err(no_answer(error.to_string())),
    }
}

/// Whether the path is something we may not even try: then a server may well run, under another user.
fn socket_answers_later(socket: &std::path::Path) -> bool {
    let found = std::os::unix::net::UnixStream::connect(socket);
    matches!(found, Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied)
}

async fn talk(world: &World, stream: Stream, request: &Request) -> Result<Answer, String> {
    let mut stream = BufReader::new(stream);
    let talking = async {
        framing::send(&mut stream, request, &request.content).await?;
        framing::receive::<Answer>(&mut stream).await
    };
    let answer = world.clock.timeout(ANSWER, talking).await;
    let answer = answer.map_err(|late| late.to_string())?;
    match answer.map_err(|error| error.to_string())? {
        Some((answer, content)) => Ok(answer.with_content(content)),
        None => Err("it closed the connection; it may be stopping, ask again".to_owned()),
    }
}
