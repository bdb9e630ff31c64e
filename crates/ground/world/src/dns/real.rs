//! The real DNS, through hickory-resolver.

use std::net::IpAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError as WireDnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;

use super::{DnsError, DnsOptions, MxHost, NEGATIVE_TTL_MAX, POSITIVE_TTL_MAX};

/// How long one server may take for one try; [`super::LOOKUP_DEADLINE`] has room for several.
const TRY_TIMEOUT: Duration = Duration::from_secs(5);
/// Questions under way at a time over one connection to a server; beyond it lookups would fail as "busy".
const ACTIVE_REQUESTS_MAX: usize = 4096;

#[derive(Debug)]
pub(super) struct Resolver {
    resolver: TokioResolver,
}

impl Resolver {
    pub(super) fn new(options: &DnsOptions) -> Result<Self, DnsError> {
        let name_servers = if options.servers.is_empty() {
            let (config, _) = read_system_conf().map_err(temporary)?;
            config.name_servers().to_vec()
        } else {
            options.servers.iter().map(name_server).collect()
        };
        // From parts without a domain and search list: a name that is looked up is always a whole one.
        let config = ResolverConfig::from_name_servers(name_servers);
        let mut builder =
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        tune(builder.options_mut(), options);
        let resolver = builder.build().map_err(temporary)?;
        Ok(Self { resolver })
    }

    pub(super) async fn mx(&self, name: &str) -> Result<(Vec<MxHost>, Duration), DnsError> {
        let lookup = self.lookup(name, RecordType::MX).await?;
        let ttl = lookup
            .answers()
            .iter()
            .map(|record| record.ttl)
            .min()
            .unwrap_or_default();
        let hosts = lookup
            .answers()
            .iter()
            .filter_map(|record| mx_host(&record.data))
            .collect();
        Ok((hosts, Duration::from_secs(ttl.into())))
    }

    pub(super) async fn v4(&self, name: &str) -> Result<Vec<IpAddr>, DnsError> {
        self.addresses(name, RecordType::A).await
    }

    pub(super) async fn v6(&self, name: &str) -> Result<Vec<IpAddr>, DnsError> {
        self.addresses(name, RecordType::AAAA).await
    }

    pub(super) fn forget(&self) {
        self.resolver.clear_cache();
    }

    async fn addresses(&self, name: &str, kind: RecordType) -> Result<Vec<IpAddr>, DnsError> {
        let lookup = self.lookup(name, kind).await?;
        let addresses: Vec<_> = lookup
            .answers()
            .iter()
            .filter_map(|record| record.data.ip_addr())
            .collect();
        if addresses.is_empty() {
            return Err(DnsError::NoRecords);
        }
        Ok(addresses)
    }

    async fn lookup(&self, name: &str, kind: RecordType) -> Result<Lookup, DnsError> {
        let mut name = Name::from_ascii(name).map_err(|_| DnsError::NoSuchName)?;
        name.set_fqdn(true);
        self.resolver.lookup(name, kind).await.map_err(judge)
    }
}

fn name_server(address: &std::net::SocketAddr) -> NameServerConfig {
    let mut udp = ConnectionConfig::udp();
    udp.port = address.port();
    let mut tcp = ConnectionConfig::tcp();
    tcp.port = address.port();
    NameServerConfig::new(address.ip(), true, vec![udp, tcp])
}

fn tune(resolver: &mut ResolverOpts, options: &DnsOptions) {
    resolver.cache_size = options.cache_entries;
    resolver.timeout = TRY_TIMEOUT.min(options.deadline);
    resolver.use_hosts_file = ResolveHosts::Never;
    resolver.positive_max_ttl = Some(POSITIVE_TTL_MAX);
    resolver.negative_max_ttl = Some(NEGATIVE_TTL_MAX);
    resolver.max_active_requests = ACTIVE_REQUESTS_MAX;
    resolver.try_tcp_on_error = true;
    // Servers' answers may hold the CNAMEs on the way; only the records asked for matter to us.
    resolver.preserve_intermediates = false;
}

fn mx_host(data: &RData) -> Option<MxHost> {
    let RData::MX(mx) = data else { return None };
    let exchange = mx.exchange.to_ascii().to_ascii_lowercase();
    Some(MxHost {
        preference: mx.preference,
        exchange: exchange.trim_end_matches('.').to_owned(),
    })
}

/// What a failed lookup means. Only the two answers a zone gives on purpose are final.
fn judge(error: NetError) -> DnsError {
    if let NetError::Dns(WireDnsError::NoRecordsFound(none)) = &error {
        let code = none.response_code;
        return if code == ResponseCode::NXDomain {
            DnsError::NoSuchName
        } else if code == ResponseCode::NoError {
            DnsError::NoRecords
        } else {
            DnsError::Temporary {
                detail: format!("the server answered {code}"),
            }
        };
    }
    temporary(error)
}

fn temporary(error: impl std::fmt::Display) -> DnsError {
    DnsError::Temporary {
        detail: error.to_string(),
    }
}
