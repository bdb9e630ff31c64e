//! The network between a node and its database, which can be cut: bytes are neither carried nor refused, and nobody is told.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

/// Carries connections to one address. Ends with the test's process.
pub(crate) struct Proxy {
    address: SocketAddr,
    cable: Arc<Cable>,
}

#[derive(Default)]
struct Cable {
    state: Mutex<State>,
    mended: Condvar,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct State {
    is_cut: bool,
    /// Cuts so far: a connection that lived through one is broken when the cable is mended.
    cuts: u32,
}

impl Proxy {
    pub(crate) fn to(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let cable = Arc::new(Cable::default());
        let carried = cable.clone();
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let cable = carried.clone();
                thread::spawn(move || cable.connect(near, upstream));
            }
        });
        Self { address, cable }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn cut(&self) {
        let mut state = self.cable.state.lock().expect("whole");
        state.is_cut = true;
        state.cuts += 1;
    }

    pub(crate) fn mend(&self) {
        self.cable.state.lock().expect("whole").is_cut = false;
        self.cable.mended.notify_all();
    }
}

impl Cable {
    /// Waits while the cable is cut; says how often it was.
    fn pass(&self) -> u32 {
        let state = self.state.lock().expect("whole");
        let whole = self.mended.wait_while(state, |state| state.is_cut);
        whole.unwrap_or_else(PoisonError::into_inner).cuts
    }

    fn connect(&self, near: TcpStream, upstream: SocketAddr) {
        let cuts = self.pass();
        let Ok(far) = TcpStream::connect(upstream) else {
            return;
        };
        thread::scope(|scope| {
            scope.spawn(|| self.carry(&near, &far, cuts));
            self.carry(&far, &near, cuts);
        });
    }

    /// One direction, until either end closes or a cut is over.
    fn carry(&self, from: &TcpStream, to: &TcpStream, cuts: u32) {
        // That a connection breaks is what this is for.
        drop(self.copy(from, to, cuts));
        drop(from.shutdown(Shutdown::Both));
        drop(to.shutdown(Shutdown::Both));
    }

    fn copy(&self, mut from: &TcpStream, mut to: &TcpStream, cuts: u32) -> io::Result<()> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = from.read(&mut buffer)?;
            if count == 0 || self.pass() != cuts {
                return Ok(());
            }
            to.write_all(buffer.get(..count).unwrap_or_default())?;
        }
    }
}
