//! Opening: address after address, server after server, until one stands greeted, secured and logged in (RFC 5321 s5.1).

use std::time::Duration;

use ground_settings::ConnectorTls;
use ground_world::World;
use ground_world::net::{ConnectError, ConnectOptions, Stream};
use ground_world::tls::{PeerCheck, TlsError, TlsFacts, Verify};
use wire_message::{Class, EnhancedStatus};
use wire_smtp::client::{Client, Closed, Config, Event};
use wire_smtp::command::Mechanism;
use wire_smtp::reply::{self, Reply};

use super::drive::Line;
use super::{Course, Place, Server, Session, TlsStart};
use crate::story::Story;

/// Addresses dialled in one attempt: who answers on none of ten will hardly answer on the eleventh.
pub const DIALS_MAX: usize = 10;

/// No further address is dialled after this time: the hop's retry comes soon enough.
pub const OPEN_MAX: Duration = Duration::from_secs(15 * 60);

/// No session could be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenFailure {
    /// Whose move it is.
    pub whose: Whose,
    /// The peer's words, or ours (4yz) when it did not speak.
    pub reply: Reply,
    /// The server's name.
    pub peer: String,
    /// Its address.
    pub address: String,
    /// The step that failed.
    pub last_command: String,
    /// What was tried, in order.
    pub transcript: String,
}

/// Whose move a failure to open is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The peer's, or time's.
    Peer,
    /// Ours: credentials, TLS set-up, a source address. An operator must hear of it.
    Ours,
}

/// Why one address does not do.
struct Trouble {
    whose: Whose,
    step: &'static str,
    reply: Reply,
    next: Next,
}

/// What to try after a trouble.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The next address.
    Address,
    /// The same address without TLS: the handshake failed and encryption was only wished for (RFC 7435).
    InTheClear,
    /// Nothing: it would fail everywhere, and perhaps lock an account.
    Stop,
}

/// Whether TLS is tried on an opportunistic course.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Encryption {
    AsSet,
    GivenUp,
}

struct Opening<'a> {
    course: &'a Course,
    world: &'a World,
    story: Story,
}

pub(super) async fn open(course: &Course, world: &World) -> Result<Session, Box<OpenFailure>> {
    let mut opening = Opening {
        course,
        world,
        story: Story::default(),
    };
    let started = world.clock.instant();
    let mut worst: Option<OpenFailure> = None;
    let dials = course.servers.iter();
    let dials = dials.flat_map(|server| server.places.iter().map(move |place| (server, place)));
    let dials: Vec<(&Server, &Place)> = dials.take(DIALS_MAX).collect();
    for (server, place) in dials {
        if world.clock.instant().saturating_duration_since(started) > OPEN_MAX {
            break;
        }
        let trouble = match opening.dial(server, place).await {
            Ok(session) => return Ok(session),
            Err(trouble) => trouble,
        };
        let stop = trouble.next == Next::Stop;
        // The first server's words say most; those of a later one only when nobody spoke before.
        if stop
            || worst
                .as_ref()
                .is_none_or(|known| known.last_command == CONNECT)
        {
            worst = Some(failure(server, place, trouble));
        }
        if stop {
            break;
        }
    }
    let mut worst = worst.unwrap_or_else(|| nowhere(course));
    worst.transcript = opening.story.text();
    Err(Box::new(worst))
}

/// The step before the first word.
const CONNECT: &str = "connect";

fn failure(server: &Server, place: &Place, trouble: Trouble) -> OpenFailure {
    OpenFailure {
        whose: trouble.whose,
        reply: trouble.reply,
        peer: server.host.clone(),
        address: place.to_string(),
        last_command: trouble.step.to_owned(),
        transcript: String::new(),
    }
}

fn nowhere(course: &Course) -> OpenFailure {
    let peer = course.servers.first().map(|server| server.host.clone());
    OpenFailure {
        whose: Whose::Ours,
        reply: ours(4, 4, "there is no address to connect to"),
        peer: peer.unwrap_or_default(),
        address: String::new(),
        last_command: CONNECT.to_owned(),
        transcript: String::new(),
    }
}

impl Opening<'_> {
    /// One address; a second time in the clear when only the handshake failed.
    async fn dial(&mut self, server: &Server, place: &Place) -> Result<Session, Trouble> {
        let tried = self.try_once(server, place, Encryption::AsSet).await;
        match tried {
            Err(trouble) if trouble.next == Next::InTheClear => {
                self.story
                    .add(format!("-- {}; again without TLS", trouble.reply));
                self.try_once(server, place, Encryption::GivenUp).await
            }
            other => other,
        }
    }

    async fn try_once(
        &mut self,
        server: &Server,
        place: &Place,
        encryption: Encryption,
    ) -> Result<Session, Trouble> {
        self.story.add(format!("-- {} [{place}]", server.host));
        let mut stream = self.connect(place).await?;
        if self.course.tls_start == TlsStart::AtOnce && self.course.tls != ConnectorTls::Off {
            stream = self.handshake(stream, server, Next::Address).await?;
        }
        let config = Config::new(self.course.dialect, self.course.our_name.as_str());
        let mut line = self.line(Client::new(config), stream);
        self.expect_ready(&mut line).await?;
        let line = self.secure(line, server, encryption).await?;
        let mut session = Session {
            tls: tls_text(line.tls_facts()),
            line,
            peer: server.host.clone(),
            address: place.to_string(),
            opening: Story::default(),
            begun: 0,
        };
        self.log_in(&mut session).await?;
        session.opening = std::mem::take(&mut self.story);
        Ok(session)
    }

    fn line(&self, client: Client, stream: Stream) -> Line {
        let clock = self.world.clock.clone();
        Line::new(client, stream, clock, self.course.timeouts.clone())
    }

    async fn connect(&mut self, place: &Place) -> Result<Stream, Trouble> {
        let timeout = self.course.timeouts.connect;
        let connected = match place {
            Place::Tcp(address) => {
                let bind = self.course.source_address;
                let options = ConnectOptions { bind, timeout };
                self.world.net.connect(*address, options).await
            }
            Place::Unix(path) => self.world.net.connect_unix(path, timeout).await,
        };
        connected.map_err(|error| {
            self.story.add(format!("-- {error}"));
            let whose = match &error {
                ConnectError::Ours { .. } => Whose::Ours,
                ConnectError::Refused { .. }
                | ConnectError::TimedOut { .. }
                | ConnectError::Unreachable { .. } => Whose::Peer,
            };
            Trouble {
                whose,
                step: CONNECT,
                reply: ours(4, 1, &error.to_string()),
                next: Next::Address,
            }
        })
    }

    /// Waits for the greeting and the answer to EHLO.
    async fn expect_ready(&mut self, line: &mut Line) -> Result<(), Trouble> {
        let event = line.next().await;
        if event == Event::Ready {
            return Ok(());
        }
        Err(self.gone(line, &event))
    }

    async fn handshake(
        &mut self,
        stream: Stream,
        server: &Server,
        next: Next,
    ) -> Result<Stream, Trouble> {
        let verify = match self.course.tls {
            ConnectorTls::Verify => Verify::Required,
            ConnectorTls::Opportunistic | ConnectorTls::Required | ConnectorTls::Off => {
                Verify::Opportunistic
            }
        };
        let client = self.world.tls.client();
        let work = client.connect(stream, certificate_name(&server.host), verify);
        let limit = self.course.timeouts.tls_handshake;
        let secured = self.world.clock.timeout(limit, work).await;
        let secured = secured.unwrap_or(Err(TlsError::TimedOut { after: limit }));
        secured.map_err(|error| {
            self.story.add(format!("-- {error}"));
            let whose = match &error {
                TlsError::NoRoots { .. }
                | TlsError::Certificate { .. }
                | TlsError::AlreadySecured => Whose::Ours,
                TlsError::Handshake { .. }
                | TlsError::Untrusted { .. }
                | TlsError::TimedOut { .. }
                | TlsError::BadName { .. } => Whose::Peer,
            };
            Trouble {
                whose,
                step: "TLS",
                reply: ours(7, 5, &error.to_string()),
                next,
            }
        })
    }

    /// STARTTLS as the course wants it and the peer offers it.
    async fn secure(
        &mut self,
        mut line: Line,
        server: &Server,
        encryption: Encryption,
    ) -> Result<Line, Trouble> {
        if line.tls_facts().is_some() {
            return Ok(line);
        }
        let offered = line.client.capabilities().starttls;
        let next = match (self.course.tls, encryption) {
            (ConnectorTls::Off, _) | (ConnectorTls::Opportunistic, Encryption::GivenUp) => {
                return Ok(line);
            }
            (ConnectorTls::Opportunistic, Encryption::AsSet) if !offered => return Ok(line),
            (ConnectorTls::Opportunistic, Encryption::AsSet) => Next::InTheClear,
            (ConnectorTls::Required | ConnectorTls::Verify, _) => Next::Address,
        };
        if !offered {
            let text = "the server does not offer STARTTLS, which the connector requires";
            return Err(self.unfit(&line, "STARTTLS", text));
        }
        let event = self.starttls(&mut line).await;
        if matches!(event, Event::StartTlsRefused(_)) && next == Next::InTheClear {
            // Opportunistic: the session goes on in the clear.
            return Ok(line);
        }
        if event != Event::StartTls {
            return Err(self.gone(&line, &event));
        }
        self.story.add_all(line.client.transcript());
        let (mut client, stream) = line.into_parts();
        let stream = self.handshake(stream, server, next).await?;
        client.clear_transcript();
        client.tls_established();
        let mut line = self.line(client, stream);
        self.expect_ready(&mut line).await?;
        Ok(line)
    }

    async fn starttls(&mut self, line: &mut Line) -> Event {
        match line.client.starttls() {
            Ok(()) => line.next().await,
            Err(not_ready) => {
                line.cut(not_ready.to_string());
                line.next().await
            }
        }
    }

    async fn log_in(&mut self, session: &mut Session) -> Result<(), Trouble> {
        let Some(login) = &self.course.login else {
            return Ok(());
        };
        let line = &mut session.line;
        if line.tls_facts().is_none() {
            let text = "the connector has a password, and there is no TLS to protect it";
            return Err(self.unfit(line, "AUTH", text));
        }
        let offered = &line.client.capabilities().auth;
        let shared = [Mechanism::Plain, Mechanism::Login];
        let Some(mechanism) = shared.into_iter().find(|one| offered.contains(one)) else {
            let text = "the server offers no way to log in that we know (PLAIN, LOGIN)";
            return Err(self.unfit(line, "AUTH", text));
        };
        if let Err(not_ready) = line.client.authenticate(mechanism, login) {
            line.cut(not_ready.to_string());
        }
        let event = line.next().await;
        if matches!(event, Event::Authenticated(_)) {
            return Ok(());
        }
        if let Event::AuthRefused(reply) = event {
            self.story.add_all(line.client.transcript());
            return Err(refused_login(reply));
        }
        Err(self.gone(line, &event))
    }

    /// The server lacks what our settings demand.
    fn unfit(&mut self, line: &Line, step: &'static str, text: &str) -> Trouble {
        self.story.add_all(line.client.transcript());
        self.story.add(format!("-- {text}"));
        Trouble {
            whose: Whose::Ours,
            step,
            reply: ours(7, 4, text),
            next: Next::Address,
        }
    }

    /// The session ended before it stood.
    fn gone(&mut self, line: &Line, event: &Event) -> Trouble {
        self.story.add_all(line.client.transcript());
        let fault = line.fault.clone();
        let (step, reply) = match event {
            Event::Closed(Closed::Refused(step, reply) | Closed::ClosedByPeer(step, reply)) => {
                (step.as_str(), reply.clone())
            }
            Event::Closed(Closed::Lost(step)) => {
                let why = fault.unwrap_or_else(|| "the connection was lost".to_owned());
                (step.as_str(), ours(4, 2, &why))
            }
            Event::Closed(Closed::Protocol(fault)) => ("reply", ours(5, 0, &fault.to_string())),
            Event::StartTlsRefused(reply) => ("STARTTLS", reply.clone()),
            Event::Closed(Closed::Quit)
            | Event::Ready
            | Event::StartTls
            | Event::Authenticated(_)
            | Event::AuthRefused(_)
            | Event::WantContent
            | Event::Done(_)
            | Event::Reset => ("opening", ours(5, 0, "the dialogue went astray")),
        };
        self.story.add(format!("-- {reply}"));
        Trouble {
            whose: Whose::Peer,
            step,
            reply,
            next: Next::Address,
        }
    }
}

/// 4yz is the peer's bad moment (RFC 4954 s6); 5yz is our password.
fn refused_login(reply: Reply) -> Trouble {
    let (whose, next) = match reply.class() {
        reply::Class::Permanent => (Whose::Ours, Next::Stop),
        reply::Class::Success | reply::Class::Continue | reply::Class::Transient => {
            (Whose::Peer, Next::Address)
        }
    };
    Trouble {
        whose,
        step: "AUTH",
        reply,
        next,
    }
}

/// Our own words for what was not answered: always temporary.
pub(super) fn ours(subject: u16, detail: u16, text: &str) -> Reply {
    let status = EnhancedStatus::new(Class::Temporary, subject, detail);
    Reply::new(451, status, text)
}

/// The name a certificate is for: an address literal is an address there.
fn certificate_name(host: &str) -> &str {
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let inner = inner.unwrap_or(host);
    inner.strip_prefix("IPv6:").unwrap_or(inner)
}

/// For the history.
fn tls_text(facts: Option<&TlsFacts>) -> String {
    let Some(facts) = facts else {
        return String::new();
    };
    let checked = match &facts.peer {
        PeerCheck::Verified => "verified".to_owned(),
        PeerCheck::NotAsked => "not checked".to_owned(),
        PeerCheck::Unverified { reason } => format!("not verified: {reason}"),
    };
    format!("{} {} ({checked})", facts.version, facts.cipher)
}
