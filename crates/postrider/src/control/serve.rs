//! The server's end of the control socket.

use std::sync::Arc;
use std::time::Duration;

use ground_world::World;
use ground_world::net::{Stream, UnixListener};
use ground_world::supervise::Pulse;
use tokio::io::BufReader;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Answer, Request, framing};

/// Conversations at one time; more wait for a place.
const CONVERSATIONS: usize = 64;

/// How long an asker may take for his question: the command sends it at once.
const QUESTION: Duration = Duration::from_secs(60);

/// How often a socket that nobody comes to shows that it lives.
const LOOK: Duration = Duration::from_secs(10);

/// It shows that it lives within this time, and longer than an asker may take to make room for another.
pub(crate) const PULSE: Duration = Duration::from_secs(300);

/// A rest after the socket's own failure, so that a broken one does not spin.
const PAUSE: Duration = Duration::from_secs(1);

/// Answers whoever asks, for ever; dropped, it ends all conversations.
pub(crate) async fn serve<F, A>(listener: Arc<UnixListener>, world: World, answer: F, pulse: Pulse)
where
    F: Fn(Request) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(CONVERSATIONS));
    let mut conversations = JoinSet::new();
    loop {
        while conversations.try_join_next().is_some() {}
        pulse.beat("accepting");
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        match world.clock.timeout(LOOK, listener.accept()).await {
            Err(_nobody) => {}
            Ok(Ok(stream)) => {
                let (world, answer) = (world.clone(), answer.clone());
                conversations.spawn(async move {
                    converse(stream, &world, answer).await;
                    drop(place);
                });
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "the control socket does not answer; trying again");
                world.clock.sleep(PAUSE).await;
            }
        }
    }
}

async fn converse<F, A>(stream: Stream, world: &World, answer: F)
where
    F: Fn(Request) -> A,
    A: Future<Output = Answer>,
{
    let mut stream = BufReader::new(stream);
    loop {
        let question = framing::receive::<Request>(&mut stream);
        let request = match world.clock.timeout(QUESTION, question).await {
            Ok(Ok(Some((mut request, content)))) => {
                request.content = content;
                request
            }
            Ok(Ok(None)) => return,
            Ok(Err(error)) => {
                tracing::warn!(%error, "a question on the control socket was not understood");
                return;
            }
            Err(late) => {
                tracing::warn!(%late, "a question on the control socket did not come");
                return;
            }
        };
        let answer = answer(request).await;
        let content = answer.content();
        let sending = framing::send(&mut stream, &answer, &content);
        match world.clock.timeout(QUESTION, sending).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(%error, "an answer on the control socket was not taken");
                return;
            }
            Err(late) => {
                tracing::warn!(%late, "an answer on the control socket was not taken");
                return;
            }
        }
    }
}
