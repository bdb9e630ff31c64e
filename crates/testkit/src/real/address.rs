//! Which address of this machine stands for which address of a story.
//!
//! Stories name addresses that belong to nobody (RFC 5737). All of 127.0.0.0/8 is this machine, so each story has a piece of
//! it, and each of its addresses one in there: nothing leaves the machine, and no two stories meet.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use anyhow::Result;

use crate::statement::{DnsLine, Statement};
use crate::story::Story;

/// The port where mail servers listen that a story gives an address by DNS alone.
const SMTP: u16 = 25;

/// Where no story has a server.
const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 255)), SMTP);

/// The stand-ins of one story.
#[derive(Debug)]
pub(super) struct StandIns {
    /// The middle of the story's addresses.
    network: [u8; 2],
    peers: BTreeMap<SocketAddr, SocketAddr>,
    clients: BTreeMap<IpAddr, IpAddr>,
}

impl StandIns {
    /// One for each address that the story names. `number` is no other story's at this moment.
    pub(super) fn of(story: &Story, number: u16) -> Result<StandIns> {
        let mut all = StandIns {
            network: number.to_be_bytes(),
            peers: BTreeMap::new(),
            clients: BTreeMap::new(),
        };
        // With one at least, the server reaches nothing else.
        all.add(NOBODY)?;
        for line in &story.lines {
            if let Statement::Peer { at, .. } = &line.statement {
                all.add(*at)?;
            }
            if let Statement::Dns(DnsLine::Addresses { addresses, .. }) = &line.statement {
                for ip in addresses {
                    all.add(SocketAddr::new(*ip, SMTP))?;
                }
            }
        }
        Ok(all)
    }

    fn add(&mut self, address: SocketAddr) -> Result<()> {
        if !self.peers.contains_key(&address) {
            // A port that is free now; nobody else takes ports at this address.
            let ip = self.next();
            let stand_in = TcpListener::bind((ip, 0))?.local_addr()?;
            self.peers.insert(address, stand_in);
        }
        Ok(())
    }

    /// An address of this story's own.
    fn next(&self) -> IpAddr {
        let [high, low] = self.network;
        let number = self.peers.len() + self.clients.len() + 1;
        let number = u8::try_from(number).unwrap_or(u8::MAX);
        IpAddr::V4(Ipv4Addr::new(127, high, low, number))
    }

    /// Where a peer of the story listens.
    pub(super) fn peer(&self, address: SocketAddr) -> SocketAddr {
        self.peers.get(&address).copied().unwrap_or(address)
    }

    /// Where a client of the story comes from.
    pub(super) fn client(&mut self, address: IpAddr) -> IpAddr {
        let next = self.next();
        *self.clients.entry(address).or_insert(next)
    }

    /// The server's setting: where its connections go instead.
    pub(super) fn detours(&self) -> Vec<String> {
        let detour = |(from, to): (&SocketAddr, &SocketAddr)| format!("{from} -> {to}");
        self.peers.iter().map(detour).collect()
    }

    /// What the server says, with the addresses of the story.
    pub(super) fn as_told(&self, text: &str) -> String {
        let mut told = text.to_owned();
        for (client, stand_in) in &self.clients {
            told = told.replace(&stand_in.to_string(), &client.to_string());
        }
        told
    }
}
