//! Asking: the running server, or the store itself when none runs.

use std::time::Duration;

use access_admin::client;
use ground_world::World;
use ground_world::net::{ConnectError, Stream};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::header::CONTENT_TYPE;
use hyper_util::rt::TokioIo;
use thiserror::Error;

use super::{Answer, Request, execute};
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

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answerer {
    /// The server that runs.
    Server,
    /// Who asked, from the store: no server runs. What a server keeps between two questions is not kept.
    Store,
}

/// Asks the server that runs on this configuration; when none runs, opens the store.
///
/// # Errors
/// [`Trouble`].
pub async fn ask(config: &Config, request: Request) -> Result<Answer, Trouble> {
    let (_, answer) = ask_whoever(config, request).await?;
    Ok(answer)
}

/// The same, and says who answered.
///
/// # Errors
/// [`Trouble`].
pub async fn ask_whoever(config: &Config, request: Request) -> Result<(Answerer, Answer), Trouble> {
    let (world, _) = rooms::world(&config.settings).map_err(RoomsError::from)?;
    let socket = config.socket();
    let no_answer = |detail: String| Trouble::Server {
        socket: socket.display().to_string(),
        detail,
    };
    match world.net.connect_unix(&socket, CONNECT).await {
        Ok(stream) => {
            let answer = talk(&world, stream, &request).await.map_err(no_answer)?;
            Ok((Answerer::Server, answer))
        }
        Err(ConnectError::Refused { .. } | ConnectError::Unreachable { .. })
            if !socket_answers_later(&socket) =>
        {
            let rooms = Rooms::for_a_command(config).await?;
            Ok((Answerer::Store, execute(&rooms, request).await))
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
    let sent = client::written(request)?;
    let asking = async {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let talking = async {
            let (head, content) = sent.request.clone().into_parts();
            let request = hyper::Request::from_parts(head, Full::new(content));
            let (head, body) = sender.send_request(request).await?.into_parts();
            Ok::<_, hyper::Error>((head, body.collect().await?.to_bytes()))
        };
        // The connection moves what the talk waits for, and may end before that has been read.
        tokio::pin!(connection, talking);
        tokio::select! {
            told = &mut talking => told,
            ended = &mut connection => {
                ended?;
                talking.await
            }
        }
    };
    let told = world.clock.timeout(ANSWER, asking).await;
    let told = told.map_err(|late| late.to_string())?;
    let (head, content) = told.map_err(|error| {
        format!("it closed the connection ({error}); it may be stopping, ask again")
    })?;
    let media = head.headers.get(CONTENT_TYPE);
    let media = media.and_then(|media| media.to_str().ok()).unwrap_or("");
    sent.read(head.status.as_u16(), media, content)
}
