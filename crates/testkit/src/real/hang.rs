//! An address of this machine where connections hang: its listener is full, and nobody accepts.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, bail};
use ground_world::World;
use ground_world::net::{ListenOptions, Listener};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A connection on this machine that takes longer hangs.
const HANGS: Duration = Duration::from_millis(200);

/// A listener without room for connections has room for one; this many are a defect of ours.
const ROOM_MAX: usize = 8;

/// Connections hang while this lives.
pub(super) struct Hang {
    _listener: Listener,
    _waiting: Vec<TcpStream>,
}

impl Hang {
    pub(super) async fn at(address: SocketAddr, world: &World) -> Result<Hang> {
        let options = ListenOptions { backlog: 0 };
        let listener = world.net.listen(address, options).await?;
        let mut waiting = Vec::new();
        while waiting.len() < ROOM_MAX {
            match timeout(HANGS, TcpStream::connect(address)).await {
                Ok(connection) => waiting.push(connection?),
                Err(_) => {
                    return Ok(Hang {
                        _listener: listener,
                        _waiting: waiting,
                    });
                }
            }
        }
        bail!("connections to {address} do not hang")
    }
}
