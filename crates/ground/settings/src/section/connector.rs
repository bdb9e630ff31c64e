//! Ways out: which mail leaves by which next hop.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::define::{
    any, default, each, given, line, range, required, rising, section, some, words,
};
use crate::form::{AddressSpace, NextHop, Secret, days, hours, seconds};
use crate::read::Agreement;
use crate::section::{Queue, Schedule};

words! {
    /// What a connector speaks.
    pub enum Transport {
        /// RFC 5321.
        Smtp = "smtp",
        /// RFC 2033: the peer answers for each recipient.
        Lmtp = "lmtp",
    }
}

words! {
    /// How a connector encrypts.
    pub enum ConnectorTls {
        /// When the peer offers it; its certificate is not checked.
        Opportunistic = "opportunistic",
        /// Always, or the mail waits; the certificate is not checked.
        Required = "required",
        /// Never.
        Off = "off",
        /// Always, and the certificate must be valid and name the next hop, or the mail waits.
        Verify = "verify",
    }
}

section! {
    /// Ways out: which mail leaves by which next hop. The closest address space wins, then the lowest cost. Mail that fits no connector leaves by MX.
    pub struct Connector = "connector" of name, agree;

    /// Name of the connector, in the ledger and the log.
    name: String = required("internet".to_owned()), line(1, 64);

    /// The recipient domains it serves.
    address_space: Vec<AddressSpace> = required(vec![AddressSpace::Any]), some(any());

    /// Where it hands over.
    next_hop: NextHop = required(NextHop::Mx), any();

    /// What it speaks.
    protocol: Transport = default(Transport::Smtp), any();

    /// Between connectors that fit equally well, the lowest cost wins.
    cost: u32 = default(10), range(0, 1_000_000);

    /// The port of hosts found by MX.
    mx_port: u16 = default(25), range(1, 65_535);

    /// How it encrypts.
    tls: ConnectorTls = default(ConnectorTls::Opportunistic), any();

    /// Whether TLS starts at the first byte, as on port 465, and not by STARTTLS.
    implicit_tls: bool = default(false), any();

    /// Name to log in with. It goes over TLS only.
    username: Option<String> = default(None), given(line(1, 255));

    /// Password to log in with.
    password: Option<Secret> = default(None), any();

    /// File whose first line is the password, read at each attempt.
    password_file: Option<PathBuf> = default(None), any();

    /// Connections at one time to one next hop. Unset: `hop_max_concurrency` of `[queue]`.
    max_connections: Option<u32> = default(None), given(range(1, 10_000)).of("connections");

    /// Messages sent over one connection; then a new one is opened.
    max_messages_per_connection: u32 = default(100), range(1, 1_000_000).of("messages");

    /// Unset: as in `[queue]`.
    lifetime: Option<Duration> = default(None), given(range(seconds(1), days(60)));

    /// Unset: as in `[queue]`.
    retry: Option<Vec<Duration>> = default(None), given(some(range(seconds(1), hours(24))));

    /// Unset: as in `[queue]`.
    delay_notice: Option<Vec<Duration>> = default(None), given(rising(each(range(seconds(1), days(60)))));

    /// The address of this machine to connect from. Unset: the system's choice.
    source_address: Option<IpAddr> = default(None), any();
}

impl Connector {
    /// When mail of this connector is tried, reported and returned: its own settings, else those of `[queue]`.
    pub fn schedule(&self, queue: &Queue) -> Schedule {
        Schedule::new(
            self.lifetime.unwrap_or(queue.lifetime),
            self.retry.as_ref().unwrap_or(&queue.retry),
            self.delay_notice.as_ref().unwrap_or(&queue.delay_notice),
        )
    }

    /// Connections at one time to one of its next hops.
    pub fn max_connections(&self, queue: &Queue) -> u32 {
        self.max_connections.unwrap_or(queue.hop_max_concurrency)
    }
}

fn agree(connector: &Connector, agreement: &mut Agreement<'_>) {
    agree_on_hop(connector, agreement);
    agree_on_login(connector, agreement);
    if connector.implicit_tls && connector.tls == ConnectorTls::Off {
        agreement.complain(
            &["implicit_tls", "tls"],
            "TLS is to start at the first byte, and is off",
            r#"remove implicit_tls, or set tls = "required" or "verify""#,
        );
    }
}

fn agree_on_hop(connector: &Connector, agreement: &mut Agreement<'_>) {
    match (&connector.next_hop, connector.protocol) {
        (NextHop::Mx, Transport::Lmtp) => agreement.complain(
            &["next_hop", "protocol"],
            "LMTP is not spoken between domains (RFC 2033 s5)",
            r#"name the host and port, or set protocol = "smtp""#,
        ),
        (NextHop::Unix(_), Transport::Smtp) => agreement.complain(
            &["next_hop", "protocol"],
            "a Unix socket is for LMTP, and this connector speaks smtp",
            r#"set protocol = "lmtp", or name a host and port"#,
        ),
        (NextHop::Mx | NextHop::Host(..) | NextHop::Address(_), Transport::Smtp)
        | (NextHop::Unix(_) | NextHop::Host(..) | NextHop::Address(_), Transport::Lmtp) => {}
    }
    let source_is_v4 = connector.source_address.map(|source| source.is_ipv4());
    if let (NextHop::Address(hop), Some(v4)) = (&connector.next_hop, source_is_v4)
        && hop.is_ipv4() != v4
    {
        agreement.complain(
            &["source_address", "next_hop"],
            "one is an IPv4 address and the other an IPv6 address",
            "remove source_address, or write one of the next hop's kind",
        );
    }
}

fn agree_on_login(connector: &Connector, agreement: &mut Agreement<'_>) {
    let (password, file) = (&connector.password, &connector.password_file);
    if password.is_some() && file.is_some() {
        agreement.complain(
            &["password", "password_file"],
            "the password is given twice",
            "keep password or password_file",
        );
    }
    let has_password = password.is_some() || file.is_some();
    if connector.username.is_some() && !has_password {
        agreement.complain(
            &["username", "password", "password_file"],
            "there is a username and no password",
            "add password or password_file",
        );
    }
    if connector.username.is_none() && has_password {
        agreement.complain(
            &["password", "password_file", "username"],
            "there is a password and no username",
            "add username",
        );
    }
    let always_encrypted = match connector.tls {
        ConnectorTls::Required | ConnectorTls::Verify => true,
        ConnectorTls::Opportunistic => connector.implicit_tls,
        ConnectorTls::Off => false,
    };
    if connector.username.is_some() && !always_encrypted {
        agreement.complain(
            &["username", "tls", "implicit_tls"],
            format!(
                "a password never crosses the wire in the clear, and tls is {}",
                connector.tls
            ),
            r#"set tls = "verify" or "required""#,
        );
    }
}
