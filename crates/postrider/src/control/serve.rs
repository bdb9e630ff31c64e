//! The server's end of the control socket.

use std::sync::Arc;
use std::time::Duration;

use access_admin::Web;
use ground_world::World;
use ground_world::net::UnixListener;
use ground_world::supervise::Pulse;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Conversations at one time; more wait for a place.
const CONVERSATIONS: usize = 64;

/// How often a socket that nobody comes to shows that it lives.
const LOOK: Duration = Duration::from_secs(10);

/// It shows that it lives within this time, and longer than an asker may take to make room for another.
pub(crate) const PULSE: Duration = Duration::from_secs(300);

/// A rest after the socket's own failure, so that a broken one does not spin.
const PAUSE: Duration = Duration::from_secs(1);

/// Talks with whoever asks, for ever; dropped, it ends all conversations.
pub(crate) async fn serve(listener: Arc<UnixListener>, world: World, web: Web, pulse: Pulse) {
    let places = Arc::new(Semaphore::new(CONVERSATIONS));
    let mut conversations = JoinSet::new();
    let receive = web.owner();
    loop {
        while conversations.try_join_next().is_some() {}
        pulse.beat("accepting");
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        match world.clock.timeout(LOOK, listener.accept()).await {
            Err(_nobody) => {}
            Ok(Ok(stream)) => {
                let conversation = receive(stream);
                conversations.spawn(async move {
                    conversation.await;
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
