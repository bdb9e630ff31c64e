//! `postrider top`: the queues on this terminal, live, and the acts of the other commands.
//!
//! What is seen and asked is a machine without I/O (`machine.rs`, and `dialog.rs` for acts): keys, ticks and answers in, questions
//! out, a screen to draw (`screen.rs`). `terminal.rs` is the only file that touches the terminal. Nothing is done without a preview that
//! was shown, and a yes.

mod asked;
mod dialog;
mod machine;
mod screen;
mod terminal;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;
use std::time::Duration;

use bytes::Bytes;
use ground_world::clock::Clock;
use ground_world::signal::Signals;
use tokio::sync::mpsc;

use self::asked::{Answered, Asked};
use self::machine::{Input, Key, Top};
use super::{Context, Exit, print, whoever};
use crate::config::Config;
use crate::control::{Answer, Question, Request, ask_whoever};
use crate::rooms;

/// Between two looks at the clock; `machine` counts in these.
const TICK: Duration = Duration::from_millis(250);

/// What waits to be seen, and questions that wait for their turn: fast fingers wait for the screen.
const ROOM: usize = 64;

pub(super) async fn run(context: &Context) -> Result<Exit, Exit> {
    if context.json || !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        print::error("top is for a terminal and people; for scripts see postrider queue --json");
        return Err(Exit::Wrong);
    }
    // Where nothing can be asked, this says so as other commands do.
    context.ask(Question::Totals).await?;
    let config = context.config()?;
    let (world, _) = rooms::world(&config.settings).map_err(failed)?;
    let (tell, hear) = mpsc::channel(ROOM);
    let (put, questions) = mpsc::channel(ROOM);
    tokio::spawn(answer_all(config, questions, tell.clone()));
    tokio::spawn(tick(world.clock.clone(), tell.clone()));
    tokio::spawn(end_at(Signals::real().map_err(failed)?, tell.clone()));
    look(&world.clock, tell, hear, &put).await.map_err(failed)?;
    Ok(Exit::Done)
}

fn failed(error: impl std::fmt::Display) -> Exit {
    print::error(&error.to_string());
    Exit::Unreachable
}

async fn look(
    clock: &Clock,
    tell: mpsc::Sender<Input>,
    mut hear: mpsc::Receiver<Input>,
    put: &mpsc::Sender<Asked>,
) -> std::io::Result<()> {
    let mut terminal = terminal::Screen::open()?;
    terminal::read_keys(tell);
    let mut top = Top::new(clock.now());
    while !top.ended {
        terminal.draw(|frame| screen::draw(frame, &top))?;
        let Some(input) = hear.recv().await else {
            break;
        };
        for asked in top.take(input, clock.now()) {
            if let Err(full) = put.try_send(asked) {
                let unasked = Answered::too_many(full.into_inner());
                top.take(Input::Answered(Box::new(unasked)), clock.now());
            }
        }
    }
    Ok(())
}

/// One question after the other: the screen and the keys do not wait for them.
async fn answer_all(
    config: Config,
    mut questions: mpsc::Receiver<Asked>,
    tell: mpsc::Sender<Input>,
) {
    while let Some(asked) = questions.recv().await {
        let request = Request {
            by: whoever(),
            question: asked.question(),
            content: Bytes::new(),
        };
        let (by, answer) = match ask_whoever(&config, request).await {
            Ok((by, Answer::Refused { why, .. })) => (Some(by), Err(why)),
            Ok((by, answer)) => (Some(by), Ok(answer)),
            Err(trouble) => (None, Err(trouble.to_string())),
        };
        let answered = Box::new(Answered { asked, by, answer });
        if tell.send(Input::Answered(answered)).await.is_err() {
            return;
        }
    }
}

async fn tick(clock: Clock, tell: mpsc::Sender<Input>) {
    while tell.send(Input::Tick).await.is_ok() {
        clock.sleep(TICK).await;
    }
}

/// A signal ends it as a key does, so that the terminal is given back.
async fn end_at(mut signals: Signals, tell: mpsc::Sender<Input>) {
    signals.recv().await;
    if tell.send(Input::Key(Key::Interrupt)).await.is_err() {
        // It has ended.
    }
}
