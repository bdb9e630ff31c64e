//! One session: connects, offers messages, and connects again when the server goes away.

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::Run;
use crate::dialogue::client::{Broken, Client, Outcome, Whereabouts};

/// Between two attempts to reach a server that is away.
const PAUSE: Duration = Duration::from_millis(20);

/// Runs session `number` to the end of the run.
pub async fn run(run: Rc<Run>, number: u64) -> anyhow::Result<()> {
    let give_up = Duration::try_from_secs_f64(run.arguments.give_up)?;
    while !run.is_over() {
        let begun = Instant::now();
        match Client::connect(run.arguments.to, run.style).await {
            Ok(client) => {
                run.last_contact.set(Instant::now());
                converse(&run, number, client, begun).await?;
            }
            Err(error) => {
                run.tally.borrow_mut().not_connected(&error);
                let away = run.last_contact.get().elapsed();
                ensure!(away < give_up, "{} is away: {error}", run.arguments.to);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    Ok(())
}

/// Uses one connection until its last message, the end of the run or its break.
async fn converse(
    run: &Run,
    session: u64,
    mut client: Client,
    connected: Instant,
) -> anyhow::Result<()> {
    let limit = run.arguments.per_connection;
    let mut done = 0;
    while limit == 0 || done < limit {
        let Some(number) = run.take_turn().await else {
            break;
        };
        // With one message a connection, the connection is part of the transaction.
        let begun = if limit == 1 {
            connected
        } else {
            Instant::now()
        };
        if let Err(broken) = offer(run, session, number, &mut client, begun).await? {
            run.tally.borrow_mut().broken(&broken);
            if broken.message == Whereabouts::Here {
                tokio::time::sleep(PAUSE).await;
            }
            return Ok(());
        }
        done += 1;
    }
    if let Err(error) = client.quit().await {
        run.tally.borrow_mut().broken(&Broken {
            message: Whereabouts::Here,
            error,
        });
    }
    Ok(())
}

/// Offers one message; the outer error is ours, the inner one the connection's.
async fn offer(
    run: &Run,
    session: u64,
    number: u64,
    client: &mut Client,
    begun: Instant,
) -> anyhow::Result<Result<(), Broken>> {
    let (sender, recipients) = run.addresses(session, number);
    let id = format!("{}-{number:010}", run.name);
    let first = recipients.first().map_or("", String::as_str);
    let message = run.form.message(&id, &sender, first);
    run.tally.borrow_mut().attempted();
    let delivered = client
        .deliver(&sender, &recipients, message.head, message.body)
        .await;
    let outcome: Outcome = match delivered {
        Ok(outcome) => outcome,
        Err(broken) => return Ok(Err(broken)),
    };
    let taken = recipients.iter().zip(&outcome.accepted);
    run.note_accepted(&id, taken.filter(|(_, taken)| **taken).map(|(r, _)| r))?;
    run.tally.borrow_mut().ended(&outcome, begun.elapsed());
    run.last_contact.set(Instant::now());
    Ok(Ok(()))
}
