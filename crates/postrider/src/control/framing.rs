//! A line of JSON and the octets it announces, on the wire.

use std::io;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest line: a page of a listing with long replies.
const LINE_MAX: u64 = 256 << 20;

/// The most octets after a line: no message may be larger.
const OCTETS_MAX: u64 = 2_100_000_000;

#[derive(Serialize, Deserialize)]
struct Frame<T> {
    octets: u64,
    #[serde(flatten)]
    said: T,
}

/// Sends one.
pub(super) async fn send<T: Serialize>(
    to: &mut (impl AsyncWrite + Unpin),
    said: &T,
    content: &Bytes,
) -> io::Result<()> {
    let octets = content.len() as u64;
    let mut line = serde_json::to_vec(&Frame { octets, said })?;
    line.push(b'\n');
    to.write_all(&line).await?;
    to.write_all(content).await?;
    to.flush().await
}

/// Receives one; `None` when the other side has ended.
pub(super) async fn receive<T: DeserializeOwned>(
    from: &mut (impl AsyncBufRead + Unpin),
) -> io::Result<Option<(T, Bytes)>> {
    let mut line = Vec::new();
    from.take(LINE_MAX).read_until(b'\n', &mut line).await?;
    if line.is_empty() {
        return Ok(None);
    }
    let frame: Frame<T> = serde_json::from_slice(&line)?;
    if frame.octets > OCTETS_MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "too many octets",
        ));
    }
    let mut content = Vec::new();
    from.take(frame.octets).read_to_end(&mut content).await?;
    if (content.len() as u64) < frame.octets {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some((frame.said, content.into())))
}
