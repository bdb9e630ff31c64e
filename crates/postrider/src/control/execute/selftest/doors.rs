//! Each listener is spoken to as a client does: connection, greeting, EHLO or LHLO, STARTTLS where it is offered.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use ground_settings::{Endpoint, Listener, ListenerTls, Protocol};
use ground_world::net::{ConnectOptions, Stream};
use ground_world::tls::Verify;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use super::{Done, Trouble};
use crate::control::Mover;
use crate::rooms::Rooms;

/// How long a listener may take for all of it.
const DOOR: Duration = Duration::from_secs(10);

/// Octets of one reply: a server of ours says far less.
const REPLY_MAX: u64 = 64 << 10;

/// Speaks to a listener; what it took and what was seen.
pub(super) async fn answers(rooms: &Rooms, name: &str, at: &Endpoint, folder: &Path) -> Done {
    let settings = rooms.settings.borrow().clone();
    let failed = |why: String| Trouble {
        why: format!("{name} at {at}: {why}"),
        whose: Mover::Operator,
    };
    let listener = settings.listeners.iter().find(|one| one.name == name);
    let listener = listener.ok_or_else(|| failed("it is not in the settings any more".into()))?;
    if listener.proxy_protocol {
        return Ok((
            Duration::ZERO,
            "left alone: only its proxy may speak to it".to_owned(),
        ));
    }
    let clock = &rooms.ledger.world().clock;
    let hostname = settings.server.hostname.as_str();
    let talking = talk(rooms, listener, at, folder, hostname);
    let (told, took) = clock.timed(clock.timeout(DOOR, talking)).await;
    match told {
        Ok(Ok(said)) => Ok((took, said)),
        Ok(Err(why)) => Err(failed(why)),
        Err(late) => Err(failed(late.to_string())),
    }
}

/// Whoever listens everywhere listens here.
fn here(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}

async fn talk(
    rooms: &Rooms,
    listener: &Listener,
    at: &Endpoint,
    folder: &Path,
    hostname: &str,
) -> Result<String, String> {
    let world = rooms.ledger.world();
    let connected = match at {
        Endpoint::Tcp(address) => {
            let options = ConnectOptions::default();
            world.net.connect(here(*address), options).await
        }
        Endpoint::Unix(path) => world.net.connect_unix(&folder.join(path), DOOR).await,
    };
    let mut stream = connected.map_err(|error| error.to_string())?;
    let secure = async |stream: Stream| {
        let shaken = world
            .tls
            .client()
            .connect(stream, hostname, Verify::Opportunistic);
        shaken.await.map_err(|error| error.to_string())
    };
    let mut saw = Vec::new();
    if listener.tls() == ListenerTls::Implicit {
        stream = secure(stream).await?;
        saw.push("TLS");
    }
    let mut stream = BufReader::new(stream);
    let hello = match listener.protocol {
        Protocol::Lmtp => format!("LHLO {hostname}\r\n"),
        Protocol::Smtp | Protocol::Submission => format!("EHLO {hostname}\r\n"),
        Protocol::Http => {
            saw.push(http(&mut stream, hostname).await?);
            return Ok(saw.join(", "));
        }
    };
    expect(&mut stream, "220").await?;
    saw.push("greeting");
    let offers = ask(&mut stream, &hello, "250").await?;
    saw.push("EHLO");
    if offers
        .iter()
        .any(|line| line.eq_ignore_ascii_case("STARTTLS"))
    {
        ask(&mut stream, "STARTTLS\r\n", "220").await?;
        let secured = secure(stream.into_inner()).await?;
        stream = BufReader::new(secured);
        ask(&mut stream, &hello, "250").await?;
        saw.push("STARTTLS");
    }
    ask(&mut stream, "QUIT\r\n", "221").await?;
    Ok(saw.join(", "))
}

/// The administration answers; whether it finds this node healthy is another question.
async fn http(stream: &mut BufReader<Stream>, hostname: &str) -> Result<&'static str, String> {
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {hostname}\r\nConnection: close\r\n\r\n");
    let sent = stream.write_all(request.as_bytes()).await;
    sent.map_err(|error| error.to_string())?;
    stream.flush().await.map_err(|error| error.to_string())?;
    let mut line = String::new();
    let read = stream.take(REPLY_MAX).read_line(&mut line).await;
    read.map_err(|error| error.to_string())?;
    match line.starts_with("HTTP/1.1 ") {
        true => Ok("HTTP"),
        false => Err(format!("it said {line:?}, and HTTP was expected")),
    }
}

async fn ask(
    stream: &mut BufReader<Stream>,
    command: &str,
    code: &str,
) -> Result<Vec<String>, String> {
    let sent = stream.write_all(command.as_bytes()).await;
    sent.map_err(|error| error.to_string())?;
    stream.flush().await.map_err(|error| error.to_string())?;
    expect(stream, code).await
}

/// The texts of a reply's lines; another code is a failure.
async fn expect(stream: &mut BufReader<Stream>, code: &str) -> Result<Vec<String>, String> {
    let mut reply = stream.take(REPLY_MAX);
    let mut texts = Vec::new();
    loop {
        let mut line = String::new();
        let read = reply.read_line(&mut line).await;
        read.map_err(|error| error.to_string())?;
        let line = line.trim_end();
        let text = line.strip_prefix(code).ok_or_else(|| match line {
            "" => format!("it closed the connection, and {code} was expected"),
            other => format!("it said {other:?}, and {code} was expected"),
        })?;
        match text.strip_prefix('-') {
            Some(more) => texts.push(more.to_owned()),
            None => {
                texts.push(text.trim_start().to_owned());
                return Ok(texts);
            }
        }
    }
}
