//! The sections of the file, one module each.

mod alarms;
mod connector;
mod delivery;
mod dns;
mod limits;
mod listener;
mod log;
mod logins;
mod queue;
mod server;
mod storage;
mod telemetry;
mod test;
mod timeouts;
mod tls;
mod watch;

pub use alarms::Alarms;
pub use connector::{Connector, ConnectorTls, Transport};
pub use delivery::Delivery;
pub use dns::Dns;
pub use limits::Limits;
pub use listener::{Auth, AuthenticatedSender, Listener, ListenerTls, Protocol};
pub use log::{Level, Log, LogFormat};
pub use logins::Logins;
pub(crate) use queue::agree_on_notices;
pub use queue::{LatePolicy, Queue, Schedule};
pub use server::Server;
pub use storage::Storage;
pub use telemetry::Telemetry;
pub use test::Test;
pub use timeouts::Timeouts;
pub use tls::Tls;
pub use watch::Watch;
