//! One connection: how it is made, and how a statement runs on it.
//!
//! The bytes go through `ground-world`, TLS included; the driver only speaks the protocol on them. A task of its own moves
//! them, and ends with the connection.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::TryStreamExt;
use ground_world::net::Stream;
use ground_world::tls::{TlsClient, TlsError, Verify};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_postgres::{AsyncMessage, Client, Statement};

use super::dialer::Via;
use super::trouble::{Trouble, translate};
use super::url::Server;
use super::value::{Column, Parameter};
use crate::{Row, StoreError, Value};

/// Prepared statements kept by one connection; more than the program has. Composed queries come on top, so that all are let
/// go when there are more.
const PREPARED: usize = 512;

/// Notifications that nobody has taken yet; each is a hint, and may be lost.
const HEARD_MAX: usize = 256;

/// A connection with its statements. Dropped, it is closed at once, whatever is under way.
pub(super) struct Connection {
    client: Client,
    statements: HashMap<Box<str>, Statement>,
    /// Set when the server warns, as it does when a commit could not wait for its standby.
    warned: Arc<AtomicBool>,
    /// What was notified to this connection.
    heard: mpsc::Receiver<Heard>,
    pump: tokio::task::JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

/// A notification.
pub(super) struct Heard {
    /// The process of the server whose client said it.
    pub(super) from: i32,
    pub(super) words: String,
}

/// What one statement did.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) changed: u64,
    pub(super) returned: Vec<Row>,
}

impl Connection {
    /// Logs in over `stream`.
    pub(super) async fn log_in(
        stream: Stream,
        via: &Via,
        server: &Server,
    ) -> Result<Self, StoreError> {
        let tls = Handshake::new(via);
        let logged_in = server.login.connect_raw(stream, tls).await;
        let (client, mut connection) = logged_in.map_err(|error| translate(&error).told())?;
        let warned = Arc::new(AtomicBool::new(false));
        let warns = Arc::clone(&warned);
        let (hears, heard) = mpsc::channel(HEARD_MAX);
        let pump = tokio::spawn(async move {
            while let Some(message) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
                match message {
                    Ok(AsyncMessage::Notice(notice)) => {
                        tracing::debug!(notice = notice.message(), "the database says");
                        if notice.severity() == "WARNING" {
                            warns.store(true, Ordering::Release);
                        }
                    }
                    Ok(AsyncMessage::Notification(said)) => {
                        let (from, words) = (said.process_id(), said.payload().to_owned());
                        if hears.try_send(Heard { from, words }).is_err() {
                            tracing::debug!("a notification was one too many");
                        }
                    }
                    Ok(_) => {}
                    Err(error) => {
                        tracing::debug!(%error, "a connection to the database ended");
                        return;
                    }
                }
            }
        });
        Ok(Self {
            client,
            statements: HashMap::new(),
            warned,
            heard,
            pump,
        })
    }

    /// Whether the server has closed it, as far as we know.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Whether the server has warned since this was asked last.
    pub(super) fn take_warning(&self) -> bool {
        self.warned.swap(false, Ordering::AcqRel)
    }

    /// The next notification; none when the connection has ended.
    pub(super) async fn heard(&mut self) -> Option<Heard> {
        self.heard.recv().await
    }

    /// Runs statements without values. The first poll sends them.
    pub(super) async fn batch(&self, text: &str) -> Result<(), Trouble> {
        let done = self.client.batch_execute(text).await;
        done.map_err(|error| translate(&error))
    }

    /// The prepared form of `text`, once per connection.
    pub(super) async fn prepared(&mut self, text: &str) -> Result<Statement, StoreError> {
        if let Some(known) = self.statements.get(text) {
            return Ok(known.clone());
        }
        let prepared = self.client.prepare(text).await;
        let prepared = prepared.map_err(|error| translate(&error).told())?;
        if self.statements.len() >= PREPARED {
            self.statements.clear();
        }
        self.statements.insert(text.into(), prepared.clone());
        Ok(prepared)
    }

    /// Runs a write. The first poll sends it, so that many can be under way in the order of their first polls.
    pub(super) async fn write(
        &self,
        statement: &Statement,
        values: &[Value],
    ) -> Result<Ran, Trouble> {
        let parameters = values.iter().map(Parameter);
        if statement.columns().is_empty() {
            let changed = self.client.execute_raw(statement, parameters).await;
            return Ok(Ran {
                changed: changed.map_err(|error| translate(&error))?,
                returned: Vec::new(),
            });
        }
        let rows = self.client.query_raw(statement, parameters).await;
        let rows = rows.map_err(|error| translate(&error))?;
        let rows: Vec<_> = rows
            .try_collect()
            .await
            .map_err(|error| translate(&error))?;
        let returned: Vec<Row> = rows.iter().map(row).collect::<Result<_, _>>()?;
        Ok(Ran {
            changed: returned.len() as u64,
            returned,
        })
    }

    /// Runs one query of at most `limit` rows. When it gives more, the connection should be dropped, or the server goes on
    /// sending them.
    pub(super) async fn read(
        &mut self,
        text: &str,
        values: &[Value],
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let statement = self.prepared(text).await?;
        fits(&statement, values)?;
        let answer = self
            .client
            .query_raw(&statement, values.iter().map(Parameter));
        let answer = answer.await.map_err(|error| reading(&error))?;
        let mut answer = std::pin::pin!(answer);
        let mut found = Vec::new();
        while let Some(next) = answer.try_next().await.map_err(|error| reading(&error))? {
            if found.len() >= limit {
                return Err(StoreError::Refused(format!(
                    "a query gave more than {limit} rows; ask for pages"
                )));
            }
            found.push(row(&next)?);
        }
        Ok(found)
    }
}

/// What an error means for a query.
fn reading(error: &tokio_postgres::Error) -> StoreError {
    match translate(error) {
        Trouble::ReadOnly(said) => StoreError::Refused(format!(
            "a query must only read; writes go into a unit: {said}"
        )),
        trouble @ (Trouble::Again(_) | Trouble::Earlier | Trouble::Final(_)) => trouble.told(),
    }
}

/// Whether a statement gets as many values as it has parameters.
pub(super) fn fits(statement: &Statement, values: &[Value]) -> Result<(), StoreError> {
    let (wanted, given) = (statement.params().len(), values.len());
    if wanted == given {
        return Ok(());
    }
    Err(StoreError::Refused(format!(
        "a statement with {wanted} parameters was given {given} values"
    )))
}

fn row(found: &tokio_postgres::Row) -> Result<Row, StoreError> {
    let value = |column| {
        let value = found.try_get::<_, Column>(column);
        value
            .map(|column| column.0)
            .map_err(|error| translate(&error).told())
    };
    (0..found.len())
        .map(value)
        .collect::<Result<_, _>>()
        .map(Row::new)
}

/// The world's TLS, as the driver wants to call it.
struct Handshake {
    client: TlsClient,
    name: String,
    verify: Verify,
}

impl Handshake {
    fn new(via: &Via) -> Self {
        Self {
            client: via.tls.clone(),
            name: via.name.clone(),
            verify: via.verify,
        }
    }
}

impl TlsConnect<Stream> for Handshake {
    type Stream = Secured;
    type Error = TlsError;
    type Future = Pin<Box<dyn Future<Output = Result<Secured, TlsError>> + Send>>;

    fn connect(self, stream: Stream) -> Self::Future {
        Box::pin(async move {
            let secured = self.client.connect(stream, &self.name, self.verify).await?;
            Ok(Secured(secured))
        })
    }
}

/// A secured stream, as the driver wants to see it.
struct Secured(Stream);

impl TlsStream for Secured {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
