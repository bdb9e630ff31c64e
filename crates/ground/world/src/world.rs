//! The handle on everything outside, real or simulated.

use std::time::Duration;

use crate::chance::Chance;
use crate::clock::{Clock, ClockControl};
use crate::disk::{Disk, SimulatedDisk};
use crate::dns::{Dns, DnsError, DnsOptions, SimulatedDns};
use crate::mishap::{Mishap, SimulatedMishap};
use crate::net::{Detours, Net, SimulatedNet};
use crate::tls::{Tls, TlsError, TlsOptions};

/// Everything outside the process. Cloning is cheap; clones share it all.
#[derive(Clone, Debug)]
pub struct World {
    /// The time, and waiting.
    pub clock: Clock,
    /// Dice.
    pub chance: Chance,
    /// Connections.
    pub net: Net,
    /// The DNS.
    pub dns: Dns,
    /// Secured connections.
    pub tls: Tls,
    /// Files of large bodies.
    pub disk: Disk,
}

/// What the real world needs to know.
#[derive(Clone, Debug, Default)]
pub struct WorldOptions {
    /// How to ask the DNS.
    pub dns: DnsOptions,
    /// Whom to trust.
    pub tls: TlsOptions,
    /// Where connections go instead, in a program under test.
    pub detours: Detours,
}

/// The operator's: what the options name cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// The system's DNS settings cannot be read.
    #[error("cannot set up the DNS: {0}")]
    Dns(DnsError),
    /// The root certificates cannot be read.
    #[error("cannot set up TLS: {0}")]
    Tls(TlsError),
}

impl World {
    /// The real world. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`WorldError`] when the DNS settings or the extra root certificates cannot be used.
    pub fn real(options: &WorldOptions) -> Result<Self, WorldError> {
        Self::with_clock(Clock::real(), options)
    }

    /// The real world with clocks that can be moved, and start `ahead`. For scenarios told to the built binary, which is
    /// told to let hours pass.
    ///
    /// # Errors
    /// As [`World::real`].
    pub fn real_with_clock_control(
        options: &WorldOptions,
        ahead: Duration,
    ) -> Result<(Self, ClockControl), WorldError> {
        let (clock, control) = Clock::steered(ahead);
        Ok((Self::with_clock(clock, options)?, control))
    }

    fn with_clock(clock: Clock, options: &WorldOptions) -> Result<Self, WorldError> {
        Ok(Self {
            chance: Chance::real(),
            net: Net::real(clock.clone(), options.detours.clone()),
            dns: Dns::real(clock.clone(), &options.dns).map_err(WorldError::Dns)?,
            tls: Tls::new(clock.clone(), &options.tls).map_err(WorldError::Tls)?,
            disk: Disk::real(),
            clock,
        })
    }

    /// A simulated world, empty at first, and the handle to script it. Needs a current-thread tokio runtime whose clock
    /// is paused (`start_paused = true`), or waits take as long as they say. TLS trusts nobody until
    /// [`Tls::trusting`] gives it roots.
    pub fn simulated(seed: u64) -> (Self, Simulation) {
        let (clock, control) = Clock::simulated();
        let (net, simulated_net) = Net::simulated(clock.clone());
        let (dns, simulated_dns) = Dns::simulated(clock.clone());
        let (disk, simulated_disk) = Disk::simulated(clock.clone());
        let world = Self {
            chance: Chance::simulated(seed),
            net,
            dns,
            tls: Tls::simulated(clock.clone()),
            disk,
            clock,
        };
        let simulation = Simulation {
            clock: control,
            net: simulated_net,
            dns: simulated_dns,
            disk: simulated_disk,
        };
        (world, simulation)
    }

    /// The same world, for the tasks of one node to which something may happen, and the handle that says when.
    #[must_use]
    pub fn mortal(&self) -> (Self, SimulatedMishap) {
        let (mishap, control) = Mishap::planned();
        let clock = self.clock.mortal(mishap);
        let world = Self {
            net: self.net.mortal(clock.clone()),
            dns: self.dns.mortal(clock.clone()),
            clock,
            ..self.clone()
        };
        (world, control)
    }

    /// What may happen to a task that comes by here: see [`crate::mishap`].
    #[must_use]
    pub fn mishap(&self) -> &Mishap {
        self.clock.mishap()
    }
}

/// Scripts a simulated world. Clones share it.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// Lets time pass, and steps the wall clock.
    pub clock: ClockControl,
    /// Breaks and heals connections.
    pub net: SimulatedNet,
    /// Fills and breaks the DNS.
    pub dns: SimulatedDns,
    /// Fills and breaks the disk.
    pub disk: SimulatedDisk,
}
