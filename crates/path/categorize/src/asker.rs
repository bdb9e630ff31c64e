//! Who wants to send, and whether mail may pass through us for them.

use std::net::IpAddr;

use ground_settings::Cidr;

/// Who wants to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    /// This server itself: reports, `postrider sendmail`, mail that was accepted before.
    Ourselves,
    /// A client that logged in.
    Authenticated {
        /// The name it logged in with.
        login: String,
    },
    /// A client whose address is in a network of the listener's `relay_from`.
    RelayNetwork {
        /// Its address.
        peer: IpAddr,
        /// The network.
        network: Cidr,
    },
    /// Anybody else: may write to our own domains.
    Stranger {
        /// The address; `None` on a Unix socket.
        peer: Option<IpAddr>,
    },
}

/// Whether mail for others may pass through us, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Relay {
    /// It may.
    Allowed {
        /// Why.
        reason: String,
    },
    /// It may not.
    Denied {
        /// Why not.
        reason: String,
    },
}

impl Asker {
    /// The client of a session: by its login, else by its address, on a listener that relays for `relay_from`.
    #[must_use]
    pub fn client(peer: Option<IpAddr>, login: Option<&str>, relay_from: &[Cidr]) -> Self {
        if let Some(login) = login {
            let login = login.to_owned();
            return Asker::Authenticated { login };
        }
        let network = peer.and_then(|peer| {
            let network = relay_from.iter().find(|network| network.contains(peer))?;
            Some((peer, *network))
        });
        match network {
            Some((peer, network)) => Asker::RelayNetwork { peer, network },
            None => Asker::Stranger { peer },
        }
    }

    /// Whether mail for others may pass through us.
    #[must_use]
    pub fn relay(&self) -> Relay {
        match self {
            Asker::Ourselves => Relay::Allowed {
                reason: "this server sends it itself".to_owned(),
            },
            Asker::Authenticated { login } => Relay::Allowed {
                reason: format!("the client is logged in as {login}"),
            },
            Asker::RelayNetwork { peer, network } => Relay::Allowed {
                reason: format!("the client {peer} is in the network {network} of relay_from"),
            },
            Asker::Stranger { peer: Some(peer) } => Relay::Denied {
                reason: format!(
                    "the client {peer} is not logged in and in no network of relay_from"
                ),
            },
            Asker::Stranger { peer: None } => Relay::Denied {
                reason: "the client is not logged in".to_owned(),
            },
        }
    }
}
