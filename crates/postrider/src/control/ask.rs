//! Asking: the running server, or the store itself when none runs.

use std::path::PathBuf;
use std::time::Duration;

use access_admin::client;
use bytes::Bytes;
use ground_world::World;
use ground_world::net::{ConnectError, Stream};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::header::CONTENT_TYPE;
use hyper_util::rt::TokioIo;
use thiserror::Error;

use super::{ActStatus, Answer, Question, Request, execute};
use crate::config::Config;
use crate::rooms::{self, Rooms, RoomsError};

/// How long the server may take to accept us; it does nothing else meanwhile.
const CONNECT: Duration = Duration::from_secs(5);

/// How long an answer may take: an audit of a very large book is the longest.
const ANSWER: Duration = Duration::from_secs(600);

/// Between two looks at how far an act is: a bar that moves smoothly asks for little.
const LOOK: Duration = Duration::from_millis(100);

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
    let line = Line::open(config)?;
    match line.reach().await? {
        Some(stream) => Ok((Answerer::Server, line.talk(stream, &request).await?)),
        None => {
            let rooms = Rooms::for_a_command(config).await?;
            Ok((Answerer::Store, execute(&rooms, request).await))
        }
    }
}

/// Asks for an act as [`ask`] does, and meanwhile again and again how far it is; `tell` hears of it.
///
/// # Errors
/// [`Trouble`] of the act itself; that nobody says how far it is harms nothing.
pub async fn ask_watching(
    config: &Config,
    mut request: Request,
    tell: impl FnMut(&ActStatus),
) -> Result<Answer, Trouble> {
    let line = Line::open(config)?;
    // Unlike every other that is remembered.
    let own = format!("{:016x}", line.world.chance.u64());
    if let Question::Act { name, .. } = &mut request.question {
        *name = Some(own.clone());
    }
    let how_far = Request {
        by: request.by.clone(),
        question: Question::Progress { act: own },
        content: Bytes::new(),
    };
    match line.reach().await? {
        Some(stream) => {
            let look = || async {
                let stream = line.reach().await.ok()??;
                line.talk(stream, &how_far).await.ok()
            };
            watching(&line.world, line.talk(stream, &request), look, tell).await
        }
        None => {
            let rooms = Rooms::for_a_command(config).await?;
            let look = || async { Some(execute(&rooms, how_far.clone()).await) };
            let done = watching(&line.world, execute(&rooms, request), look, tell);
            Ok(done.await)
        }
    }
}

/// Waits for what is done, and looks meanwhile how far it is.
async fn watching<D, L>(
    world: &World,
    doing: D,
    mut look: impl FnMut() -> L,
    mut tell: impl FnMut(&ActStatus),
) -> D::Output
where
    D: Future,
    L: Future<Output = Option<Answer>>,
{
    let mut doing = std::pin::pin!(doing);
    loop {
        let next = async {
            world.clock.sleep(LOOK).await;
            look().await
        };
        tokio::select! {
            biased;
            done = &mut doing => return done,
            seen = next => {
                if let Some(Answer::One { fact }) = seen
                    && let Ok(status) = serde_json::from_value(fact)
                {
                    tell(&status);
                }
            }
        }
    }
}

/// The way to the server of a configuration, when one runs.
struct Line {
    world: World,
    socket: PathBuf,
}

impl Line {
    fn open(config: &Config) -> Result<Self, Trouble> {
        let (world, _) = rooms::world(&config.settings).map_err(RoomsError::from)?;
        let socket = config.socket();
        Ok(Self { world, socket })
    }

    /// None: no server runs.
    async fn reach(&self) -> Result<Option<Stream>, Trouble> {
        match self.world.net.connect_unix(&self.socket, CONNECT).await {
            Ok(stream) => Ok(Some(stream)),
            Err(ConnectError::Refused { .. } | ConnectError::Unreachable { .. })
                if !socket_answers_later(&self.socket) =>
            {
                Ok(None)
            }
            Err(error) => Err(self.no_answer(error.to_string())),
        }
    }

    async fn talk(&self, stream: Stream, request: &Request) -> Result<Answer, Trouble> {
        let talked = talk(&self.world, stream, request).await;
        talked.map_err(|detail| self.no_answer(detail))
    }

    fn no_answer(&self, detail: String) -> Trouble {
        Trouble::Server {
            socket: self.socket.display().to_string(),
            detail,
        }
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
