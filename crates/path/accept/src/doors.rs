//! The doors: sockets that listen, opened and closed as the settings say.
//!
//! ```text
//!   settings -> make room -> open every door that is missing, or change nothing -> publish the settings -> take over
//! ```
//!
//! A door is its address: a listener that changes its name or what it speaks keeps its socket, and nobody who connects
//! meanwhile is turned away.

mod door;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use ground_settings::{Endpoint, Listener, ListenerTls, Settings};
use thiserror::Error;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::receive::{Receiver, note};
use crate::server::Hall;
pub(crate) use door::Door;

/// Why the listeners are not as the settings want them. The operator's move. Nothing was changed.
#[derive(Debug, Error)]
#[error("{}", one_a_line(problems))]
pub struct StartError {
    /// Of every listener that cannot be had, why.
    pub problems: Vec<ListenError>,
}

/// Why one listener cannot listen. The operator's move.
#[derive(Debug, Error)]
pub enum ListenError {
    /// The address is taken, is not ours, or is not allowed.
    #[error("the listener {name} cannot listen on {address}: {error}")]
    Listen {
        /// The listener.
        name: String,
        /// Where.
        address: Endpoint,
        /// What the system said.
        error: io::Error,
    },
    /// Implicit TLS without a certificate.
    #[error("the listener {name} wants TLS from the first byte, and there is no certificate")]
    NoCertificate {
        /// The listener.
        name: String,
    },
}

/// What became of the listeners: names and addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Those that listen where they did not before.
    pub opened: Vec<(String, Endpoint)>,
    /// Those that do not listen any more where they did before.
    pub closed: Vec<(String, Endpoint)>,
}

/// A door with the listener that receives there.
struct Place {
    listener: Listener,
    door: Arc<Door>,
    closing: CancellationToken,
}

/// A place that was given up so that another could be had, and where it was.
struct GivenUp {
    listener: Listener,
    bound: SocketAddr,
}

/// All doors of a server. Dropped, all are closed and all their sessions are cut off.
pub(crate) struct Doors {
    hall: Arc<Hall>,
    /// Where paths of Unix sockets start.
    folder: PathBuf,
    places: Vec<Place>,
    /// Cancelled when the settings have no listener of this name any more: its sessions end in good order.
    leave: BTreeMap<String, CancellationToken>,
    loops: JoinSet<()>,
}

impl Doors {
    /// No doors yet.
    pub(crate) fn new(hall: Arc<Hall>, folder: PathBuf) -> Self {
        Self {
            hall,
            folder,
            places: Vec::new(),
            leave: BTreeMap::new(),
            loops: JoinSet::new(),
        }
    }

    /// Opens and closes doors until they are as `settings` want them. `publish` is called in between, when nothing can
    /// fail any more: whoever comes in by a new door meets the new settings.
    pub(crate) async fn follow(
        &mut self,
        settings: &Settings,
        publish: impl FnOnce(),
    ) -> Result<Change, StartError> {
        let wanted: Vec<&Listener> = settings.listeners.iter().collect();
        self.demand_certificates(&wanted)?;
        let given_up = self.make_room(&wanted).await;
        match self.open_all(&wanted).await {
            Ok(doors) => {
                publish();
                Ok(self.take_over(wanted.into_iter().zip(doors), &given_up))
            }
            Err(mut problems) => {
                self.put_back(given_up, &mut problems).await;
                Err(StartError { problems })
            }
        }
    }

    /// Where each listener listens, with the ports the system chose.
    pub(crate) fn addresses(&self) -> Vec<(String, Endpoint)> {
        self.places.iter().map(Place::address).collect()
    }

    /// Waits until every door is closed and every session over; the server has been told to stop.
    pub(crate) async fn end(&mut self) {
        self.places.clear();
        while let Some(ended) = self.loops.join_next().await {
            note(ended);
        }
    }

    fn demand_certificates(&self, wanted: &[&Listener]) -> Result<(), StartError> {
        let lacks = |listener: &&&Listener| {
            listener.tls() == ListenerTls::Implicit && self.hall.tls.is_none()
        };
        let problem = |listener: &&Listener| ListenError::NoCertificate {
            name: listener.name.clone(),
        };
        let problems: Vec<ListenError> = wanted.iter().filter(lacks).map(problem).collect();
        if problems.is_empty() {
            return Ok(());
        }
        Err(StartError { problems })
    }

    /// The door that `listener` goes on with.
    fn door_of(&self, listener: &Listener) -> Option<&Arc<Door>> {
        // Port 0 is a port of its own for each listener, so there the name tells them apart.
        let own = matches!(&listener.address, Endpoint::Tcp(address) if address.port() == 0);
        let fits = |place: &&Place| {
            let same_name = place.listener.name == listener.name;
            place.listener.address == listener.address && (same_name || !own)
        };
        self.places.iter().find(fits).map(|place| &place.door)
    }

    /// Closes doors that are not wanted any more and are in the way of those to be opened: `0.0.0.0:25` cannot be had
    /// while `127.0.0.1:25` is open. Nobody listens there for a moment.
    async fn make_room(&mut self, wanted: &[&Listener]) -> Vec<GivenUp> {
        let (kept, missing): (Vec<_>, Vec<_>) = wanted
            .iter()
            .map(|listener| (self.door_of(listener).cloned(), &listener.address))
            .partition(|(door, _)| door.is_some());
        let is_kept =
            |place: &Place| (kept.iter().flat_map(|(door, _)| door)).any(|door| place.is_at(door));
        let in_the_way = |place: &Place| missing.iter().any(|(_, at)| place.door.collides(at));
        let (going, staying): (Vec<Place>, Vec<Place>) = std::mem::take(&mut self.places)
            .into_iter()
            .partition(|place| !is_kept(place) && in_the_way(place));
        self.places = staying;
        let mut given_up = Vec::new();
        for place in going {
            given_up.extend(place.give_up().await);
        }
        given_up
    }

    /// A door for each of `wanted`, in their order: those that are open stay as they are.
    async fn open_all(&self, wanted: &[&Listener]) -> Result<Vec<Arc<Door>>, Vec<ListenError>> {
        let mut doors = Vec::new();
        let mut problems = Vec::new();
        for listener in wanted {
            match self.door_of(listener) {
                Some(door) => doors.push(door.clone()),
                None => match self.open(listener, &listener.address).await {
                    Ok(door) => doors.push(door),
                    Err(problem) => problems.push(problem),
                },
            }
        }
        if problems.is_empty() {
            return Ok(doors);
        }
        Err(problems)
    }

    async fn open(&self, listener: &Listener, at: &Endpoint) -> Result<Arc<Door>, ListenError> {
        let net = &self.hall.intake.world().net;
        match Door::open(net, at, &self.folder).await {
            Ok(door) => Ok(Arc::new(door)),
            Err(error) => Err(ListenError::Listen {
                name: listener.name.clone(),
                address: at.clone(),
                error,
            }),
        }
    }

    /// Receives at the new doors, and no longer at the others.
    fn take_over<'a>(
        &mut self,
        wanted: impl Iterator<Item = (&'a Listener, Arc<Door>)>,
        given_up: &[GivenUp],
    ) -> Change {
        let mut change = Change::default();
        let mut before = std::mem::take(&mut self.places);
        for (listener, door) in wanted {
            let stays = |place: &Place| place.listener.name == listener.name && place.is_at(&door);
            match before.iter().position(stays) {
                Some(at) => {
                    let mut place = before.swap_remove(at);
                    place.listener = listener.clone();
                    self.places.push(place);
                }
                None => change.opened.push(self.station(listener.clone(), door)),
            }
        }
        change.closed.extend(given_up.iter().map(GivenUp::address));
        for place in before {
            tracing::info!(listener = %place.listener.name, address = %place.door.bound(), "not listening any more");
            change.closed.push(place.address());
            place.closing.cancel();
        }
        self.dismiss();
        change
    }

    /// Receives at `door` for `listener`.
    fn station(&mut self, listener: Listener, door: Arc<Door>) -> (String, Endpoint) {
        let stop = &self.hall.stop;
        let leave = self.leave.entry(listener.name.clone());
        let place = Place {
            closing: stop.child_token(),
            listener,
            door,
        };
        let receiver = Receiver {
            hall: self.hall.clone(),
            listener: Arc::new(place.listener.clone()),
            door: place.door.clone(),
            closing: place.closing.clone(),
            leave: leave.or_insert_with(|| stop.child_token()).clone(),
        };
        self.loops.spawn(receiver.receive());
        let (name, address) = place.address();
        tracing::info!(listener = %name, %address, "listening");
        self.places.push(place);
        (name, address)
    }

    /// Ends the sessions of listeners that are gone; those of listeners that moved go on.
    fn dismiss(&mut self) {
        let places = &self.places;
        self.leave.retain(|name, leave| {
            let stays = places.iter().any(|place| place.listener.name == *name);
            if !stays {
                leave.cancel();
            }
            stays
        });
        while let Some(ended) = self.loops.try_join_next() {
            note(ended);
        }
    }

    /// Opens again what was given up for nothing.
    async fn put_back(&mut self, given_up: Vec<GivenUp>, problems: &mut Vec<ListenError>) {
        for GivenUp { listener, bound } in given_up {
            match self.open(&listener, &Endpoint::Tcp(bound)).await {
                Ok(door) => {
                    self.station(listener, door);
                }
                Err(problem) => problems.push(problem),
            }
        }
    }
}

impl Place {
    fn address(&self) -> (String, Endpoint) {
        (self.listener.name.clone(), self.door.bound().clone())
    }

    fn is_at(&self, door: &Arc<Door>) -> bool {
        Arc::ptr_eq(&self.door, door)
    }

    /// Takes no more sessions, and waits for the address to be free. None: it was no address that can be in the way.
    async fn give_up(self) -> Option<GivenUp> {
        let Endpoint::Tcp(bound) = *self.door.bound() else {
            return None;
        };
        self.closing.cancel();
        let freed = self.door.freed();
        drop(self.door);
        freed.cancelled().await;
        Some(GivenUp {
            listener: self.listener,
            bound,
        })
    }
}

impl GivenUp {
    fn address(&self) -> (String, Endpoint) {
        (self.listener.name.clone(), Endpoint::Tcp(self.bound))
    }
}

fn one_a_line(problems: &[ListenError]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
