//! One request by HTTP to a service that the operator named: a webhook, a collector of metrics.
//!
//! Each has a connection of its own (RFC 9112 s9.6), one deadline for everything, and an answer of bounded length.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use crate::World;
use crate::clock::TimedOut;
use crate::net::{ConnectError, Stream};
use crate::tls::{TlsError, Verify};

#[cfg(test)]
mod tests;

/// Whether the connection is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Anybody on the way can read it.
    Plain,
    /// TLS; the certificate must be good for the host's name.
    Tls,
}

/// Something is posted.
#[derive(Clone, Copy, Debug)]
pub struct Post<'a> {
    /// A name or an IP address, without brackets.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// How it is spoken to.
    pub over: Over,
    /// Host and port as they stand in `Host:`.
    pub authority: &'a str,
    /// What follows in the address, from the slash on.
    pub path: &'a str,
    /// More fields of the head.
    pub fields: &'a [(&'static str, &'a str)],
    /// Octets of the answer's content that are read, at most; of a longer one nothing is kept. 0: its head says enough.
    pub answer_max: usize,
    /// How long all of it may take.
    pub limit: Duration,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status (RFC 9110 s15).
    pub status: u16,
    /// When to come again, as it was said (RFC 9110 s10.2.3).
    pub retry_after: Option<String>,
    /// The content, as much as was asked for.
    pub content: Bytes,
}

impl Reply {
    /// Whether it is a yes (RFC 9110 s15.3).
    #[must_use]
    pub const fn is_taken(&self) -> bool {
        self.status >= 200 && self.status < 300
    }
}

/// There is no answer. The service's move, or time's, unless it says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// Nobody there.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Not whom we meant.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// It does not speak HTTP, or left in the middle.
    #[error("it gave no answer: {0}")]
    Spoken(#[from] hyper::Error),
    /// The address or a field cannot be written as HTTP. The operator's move.
    #[error("this cannot be asked: {0}")]
    Unwritable(#[from] hyper::http::Error),
    /// Too slow.
    #[error(transparent)]
    Late(#[from] TimedOut),
}

impl World {
    /// Posts `content`, and says what was answered.
    ///
    /// # Errors
    /// [`PostError`], within [`Post::limit`] at the latest.
    pub async fn post(&self, post: &Post<'_>, content: Bytes) -> Result<Reply, PostError> {
        let mut request = Request::post(post.path)
            .header(HOST, post.authority)
            .header(USER_AGENT, "postrider")
            .header(CONNECTION, "close");
        for (name, value) in post.fields {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(content))?;
        self.clock
            .timeout(post.limit, self.ask(post, request))
            .await?
    }

    async fn ask(
        &self,
        post: &Post<'_>,
        request: Request<Full<Bytes>>,
    ) -> Result<Reply, PostError> {
        let connected = self.net.connect_host(post.host, post.port, post.limit);
        let stream = match post.over {
            Over::Plain => connected.await?,
            Over::Tls => {
                let tls = self.tls.client();
                tls.connect(connected.await?, post.host, Verify::Required)
                    .await?
            }
        };
        talk(stream, request, post.answer_max).await
    }
}

async fn talk(
    stream: Stream,
    request: Request<Full<Bytes>>,
    answer_max: usize,
) -> Result<Reply, PostError> {
    let mut speech = http1::Builder::new();
    let speech = speech.title_case_headers(true);
    let (mut sender, connection) = speech.handshake(TokioIo::new(stream)).await?;
    let talking = async { Ok(heard(sender.send_request(request).await?, answer_max).await) };
    // The connection moves what the talk waits for, and may end before that has been read.
    tokio::pin!(connection, talking);
    tokio::select! {
        biased;
        told = &mut talking => told,
        ended = &mut connection => {
            ended?;
            talking.await
        }
    }
}

async fn heard(response: Response<Incoming>, answer_max: usize) -> Reply {
    let (head, body) = response.into_parts();
    let retry_after = head.headers.get(RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| value.to_str().ok());
    let content = match answer_max {
        0 => Bytes::new(),
        // The head has decided; of what is too long or breaks off nothing is kept.
        most => match Limited::new(body, most).collect().await {
            Ok(content) => content.to_bytes(),
            Err(_broken) => Bytes::new(),
        },
    };
    Reply {
        status: head.status.as_u16(),
        retry_after: retry_after.map(str::to_owned),
        content,
    }
}
