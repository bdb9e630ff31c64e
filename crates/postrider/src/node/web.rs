//! The administration's way to the desk. Its listeners open before the desk is furnished, and are part of it: so they hold one
//! end of a channel, and a task of the node the other.

use std::sync::Arc;
use std::time::Duration;

use access_admin::Web;
use ground_world::World;
use ground_world::supervise::Pulse;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;

use super::Desk;
use crate::control::{Answer, Mover, Request};

/// Questions that may wait, and as many that may be under way.
const QUESTIONS: usize = 64;

/// How long a question waits to be taken up.
const TAKEN_UP: Duration = Duration::from_secs(30);

/// How often it shows that it lives when nobody asks.
const LOOK: Duration = Duration::from_secs(60);

/// It shows that it lives within this time, though the longest answer, a selftest or an audit, holds one place only.
pub(super) const PULSE: Duration = Duration::from_secs(900);

type Asked = (Request, oneshot::Sender<Answer>);

/// The end of the channel where questions arrive.
pub(super) type Questions = Arc<Mutex<mpsc::Receiver<Asked>>>;

/// The end that asks, and the end where the questions arrive.
pub(super) fn channel(world: &World) -> (access_admin::Desk, Questions) {
    let (sender, receiver) = mpsc::channel::<Asked>(QUESTIONS);
    let clock = world.clock.clone();
    let ask = move |request| {
        let (sender, clock) = (sender.clone(), clock.clone());
        let asking = async move {
            let (answer, answered) = oneshot::channel();
            match clock
                .timeout(TAKEN_UP, sender.send((request, answer)))
                .await
            {
                Ok(Ok(())) => answered.await.unwrap_or_else(|_gone| stopping()),
                Ok(Err(_gone)) => stopping(),
                Err(late) => later(format!("too many questions wait: {late}")),
            }
        };
        Box::pin(asking) as _
    };
    (Arc::new(ask), Arc::new(Mutex::new(receiver)))
}

fn stopping() -> Answer {
    later("the server is stopping".to_owned())
}

fn later(why: String) -> Answer {
    Answer::Refused {
        whose: Mover::Time,
        why,
    }
}

/// Answers what is asked, for ever.
pub(super) async fn answer(desk: Desk, questions: Questions, pulse: Pulse) {
    let clock = desk.rooms.ledger.world().clock.clone();
    let mut questions = questions.lock().await;
    let mut answers = JoinSet::new();
    loop {
        pulse.beat("answering");
        while answers.try_join_next().is_some() {}
        if answers.len() >= QUESTIONS {
            answers.join_next().await;
            continue;
        }
        match clock.timeout(LOOK, questions.recv()).await {
            Ok(Some((request, answer))) => {
                let desk = desk.clone();
                answers.spawn(async move {
                    // Whoever asked may have gone.
                    drop(answer.send(desk.execute(request).await));
                });
            }
            Ok(None) => return,
            Err(_nobody) => {}
        }
    }
}

/// The door for HTTP, which asks by `desk`.
pub(super) fn door(desk: access_admin::Desk, rooms: &crate::rooms::Rooms) -> Web {
    Web::new(access_admin::WebParts {
        desk,
        operators: rooms.operators.clone(),
        holders: rooms.holders.clone(),
        world: rooms.ledger.world().clone(),
        settings: rooms.settings.clone(),
    })
}
