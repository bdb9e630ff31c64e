//! The PROXY header in front of a session: who the client really is.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use ground_world::clock::Clock;
use ground_world::net::Stream;
use tokio::io::AsyncReadExt;
use wire_smtp::proxy::{MAX_HEADER, Progress, Proxied, parse};
use wire_smtp::server::Channel;

use super::Session;
use super::io::Ended;

/// A proxy sends its header at once.
const HEADER: Duration = Duration::from_secs(10);

impl Session {
    /// Reads the header; what came behind it is left in `input`.
    pub(super) async fn introduce(
        &mut self,
        stream: &mut Stream,
        input: &mut BytesMut,
    ) -> Result<(), Ended> {
        // What follows the header of a TLS connection belongs to the handshake, so nothing behind it may be read.
        let step = match self.machine.channel() {
            Channel::Tls => 1,
            Channel::Clear => MAX_HEADER,
        };
        let clock = &self.hall.intake.world().clock;
        if let Proxied::Client { source, .. } = proxied(clock, stream, input, step).await? {
            self.peer = Some(source);
        }
        Ok(())
    }
}

/// Reads the header, by pieces of `step` octets; what came behind it is left in `input`.
pub(crate) async fn proxied(
    clock: &Clock,
    stream: &mut Stream,
    input: &mut BytesMut,
    step: usize,
) -> Result<Proxied, Ended> {
    let read = clock.timeout(HEADER, header(stream, input, step)).await;
    read.map_err(|late| Ended::Proxy(format!("no PROXY header: {late}")))?
}

async fn header(stream: &mut Stream, input: &mut BytesMut, step: usize) -> Result<Proxied, Ended> {
    loop {
        let mut piece = (&mut *stream).take(step as u64);
        if piece.read_buf(input).await? == 0 {
            return Err(Ended::Gone);
        }
        match parse(input) {
            Ok(Progress::Incomplete) => {}
            Ok(Progress::Complete(proxied, length)) => {
                input.advance(length.min(input.len()));
                return Ok(proxied);
            }
            Err(error) => return Err(Ended::Proxy(error.to_string())),
        }
    }
}
