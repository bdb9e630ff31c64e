//! Routing's promises: tables of connectors, and a simulated DNS.

use std::net::IpAddr;

use ground_settings::{ConnectorTls, Settings, Transport};
use ground_world::dns::DnsFault;
use ground_world::{Simulation, World};
use path_ledger::HopKey;
use wire_message::Domain;

use super::*;

const CONNECTORS: &str = r#"
[[connector]]
name = "all"
address_space = ["*"]
next_hop = "smart.test:587"
cost = 1
tls = "verify"
username = "us"
password = "secret"

[[connector]]
name = "below"
address_space = ["*.partner.test"]
next_hop = "127.0.0.1:2526"

[[connector]]
name = "deeper"
address_space = ["*.eu.partner.test"]
next_hop = "mx"
mx_port = 2525

[[connector]]
name = "dear"
address_space = ["partner.test"]
next_hop = "127.0.0.1:2527"
cost = 20

[[connector]]
name = "cheap"
address_space = ["partner.test", "lists.test"]
next_hop = "unix:/run/lists"
protocol = "lmtp"
cost = 5
"#;

fn settings(connectors: &str) -> Settings {
    let text = format!(
        r#"hostname = "mx.here.test"
        [[listener]]
        name = "mx"
        protocol = "smtp"
        address = "192.0.2.1:25"
        {connectors}"#
    );
    Settings::parse(&text).unwrap()
}

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

#[test]
fn the_closest_address_space_wins_and_then_the_lowest_cost() {
    let settings = settings(CONNECTORS);
    for (name, hop, connector) in [
        ("partner.test", "via:cheap", "cheap"),
        ("PARTNER.TEST", "via:cheap", "cheap"),
        ("a.partner.test", "via:below", "below"),
        ("a.eu.partner.test", "mx:a.eu.partner.test", "deeper"),
        ("eu.partner.test", "via:below", "below"),
        ("notpartner.test", "via:all", "all"),
        ("[192.0.2.9]", "via:all", "all"),
    ] {
        let route = route(&settings.connectors, &domain(name));
        assert_eq!(route.hop.as_str(), hop, "{name}");
        assert_eq!(route.connector.as_deref(), Some(connector), "{name}");
        assert!(route.reason.contains(connector), "{}", route.reason);
    }
}

#[test]
fn without_a_connector_that_fits_mail_goes_by_mx() {
    for (name, hop) in [
        ("Example.Test", "mx:example.test"),
        ("b\u{fc}cher.test", "mx:xn--bcher-kva.test"),
        ("[192.0.2.9]", "mx:[192.0.2.9]"),
        ("[IPv6:2001:db8::9]", "mx:[ipv6:2001:db8::9]"),
    ] {
        let route = route(&[], &domain(name));
        assert_eq!(route.hop.as_str(), hop);
        assert_eq!(route.connector, None);
        // What was queued is understood at the attempt.
        plan(&settings(""), &route.hop).unwrap();
    }
}

#[test]
fn a_plan_holds_what_the_settings_say_now() {
    let before = settings(CONNECTORS);
    let smart = plan(&before, &HopKey::via("all")).unwrap();
    assert_eq!(smart.tls, ConnectorTls::Verify);
    assert_eq!(smart.login.as_ref().unwrap().username, "us");
    assert_eq!(smart.max_connections, before.queue.hop_max_concurrency);
    let lists = plan(&before, &HopKey::via("cheap")).unwrap();
    assert_eq!(lists.protocol, Transport::Lmtp);
    assert!(matches!(lists.way, Way::Unix { .. }));

    // Queued for MX; since then a connector has come.
    let rerouted = plan(&before, &HopKey::mx("b.partner.test")).unwrap();
    assert_eq!(rerouted.connector.as_deref(), Some("below"));
    let address = "127.0.0.1:2526".parse().unwrap();
    assert_eq!(rerouted.way, Way::Address { address });

    // Queued for a connector that is gone, or that goes by MX now.
    let gone = plan(&settings(""), &HopKey::via("all")).unwrap_err();
    assert!(gone.is_ours() && !gone.is_final(), "{gone}");
    assert_eq!(plan(&before, &HopKey::mailbox()), Err(NoWay::Mailbox));
}

fn simulated() -> (World, Simulation) {
    World::simulated(5)
}

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// The hosts of `mx:partner.test`, each with its addresses, or the reply.
async fn found(world: &World, name: &str, look: Look) -> Result<Vec<String>, String> {
    let settings = settings("");
    let plan = plan(&settings, &HopKey::mx(name)).unwrap();
    let targets = targets(&plan, &settings, world, look).await;
    let targets = targets.map_err(|no| {
        let reply = no.reply();
        assert_eq!(reply.enhanced(), Some(no.status()));
        assert_eq!(reply.code() / 100 == 5, no.is_final());
        format!("{} {}", reply.code(), no.status())
    })?;
    let told = |target: &Target| {
        let addresses = target.addresses.iter().map(|address| match address {
            Destination::Tcp(address) => address.to_string(),
            Destination::Unix(path) => path.display().to_string(),
        });
        format!(
            "{} {}",
            target.host,
            addresses.collect::<Vec<_>>().join(" ")
        )
    };
    Ok(targets.iter().map(told).collect())
}

#[tokio::test(start_paused = true)]
async fn servers_are_tried_by_preference_each_with_all_its_addresses() {
    let (world, simulation) = simulated();
    simulation
        .dns
        .mx("partner.test", &[(20, "b.test"), (10, "a.test")]);
    simulation
        .dns
        .addresses("a.test", &ips(&["192.0.2.10", "2001:db8::10"]));
    simulation.dns.addresses("b.test", &ips(&["192.0.2.20"]));
    assert_eq!(
        found(&world, "partner.test", Look::First).await.unwrap(),
        [
            "a.test [2001:db8::10]:25 192.0.2.10:25",
            "b.test 192.0.2.20:25"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn equals_share_the_load_and_never_pass_a_better_one() {
    let (world, simulation) = simulated();
    let hosts = [(10, "a.test"), (10, "b.test"), (5, "best.test")];
    simulation.dns.mx("partner.test", &hosts);
    for host in ["a.test", "b.test", "best.test"] {
        simulation.dns.addresses(host, &ips(&["192.0.2.10"]));
    }
    let mut seconds = std::collections::BTreeSet::new();
    for _ in 0..64 {
        let found = found(&world, "partner.test", Look::First).await.unwrap();
        assert!(found[0].starts_with("best.test"));
        seconds.insert(found[1].clone());
    }
    assert_eq!(seconds.len(), 2, "{seconds:?}");
}

#[tokio::test(start_paused = true)]
async fn a_domain_without_mx_is_its_own_server_and_a_literal_is_itself() {
    let (world, simulation) = simulated();
    simulation
        .dns
        .addresses("partner.test", &ips(&["192.0.2.30"]));
    let look = Look::First;
    let implicit = found(&world, "partner.test", look).await.unwrap();
    assert_eq!(implicit, ["partner.test 192.0.2.30:25"]);
    let literal = found(&world, "[192.0.2.9]", look).await.unwrap();
    assert_eq!(literal, ["[192.0.2.9] 192.0.2.9:25"]);
    let literal = found(&world, "[IPv6:2001:db8::9]", look).await.unwrap();
    assert_eq!(literal, ["[IPv6:2001:db8::9] [2001:db8::9]:25"]);
    assert_eq!(
        found(&world, "[192.0.2.1]", look).await.unwrap_err(),
        "554 5.4.6"
    );
}

#[tokio::test(start_paused = true)]
async fn only_a_null_mx_and_a_domain_missing_twice_are_final() {
    let (world, simulation) = simulated();
    simulation.dns.mx("null.test", &[(0, ".")]);
    simulation.dns.addresses("nothing.test", &[]);
    simulation.dns.mx("broken.test", &[(10, "gone.test")]);
    simulation.dns.fault("servfail.test", DnsFault::ServFail);
    simulation.dns.fault("silent.test", DnsFault::Timeout);
    simulation
        .dns
        .mx("half.test", &[(10, "gone.test"), (20, "silent.test")]);
    for (name, first, again) in [
        ("null.test", "556 5.1.10", "556 5.1.10"),
        ("missing.test", "451 4.1.2", "550 5.1.2"),
        ("nothing.test", "451 4.4.4", "451 4.4.4"),
        ("broken.test", "451 4.4.4", "451 4.4.4"),
        ("servfail.test", "451 4.4.3", "451 4.4.3"),
        ("silent.test", "451 4.4.3", "451 4.4.3"),
        ("half.test", "451 4.4.3", "451 4.4.3"),
    ] {
        assert_eq!(
            found(&world, name, Look::First).await.unwrap_err(),
            first,
            "{name}"
        );
        assert_eq!(
            found(&world, name, Look::Again).await.unwrap_err(),
            again,
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn mail_never_goes_to_ourselves_nor_to_whoever_is_no_better() {
    let (world, simulation) = simulated();
    for (host, address) in [("a.test", "192.0.2.10"), ("b.test", "192.0.2.20")] {
        simulation.dns.addresses(host, &ips(&[address]));
    }
    // By another name, at the address of our listener.
    simulation.dns.addresses("alias.test", &ips(&["192.0.2.1"]));
    simulation
        .dns
        .addresses("mx.here.test", &ips(&["192.0.2.77"]));
    let a = "a.test 192.0.2.10:25";
    let worse = [(20, "mx.here.test"), (20, "b.test"), (30, "b.test")];
    let cases: [(Vec<(u16, &str)>, _); 5] = [
        ([vec![(10, "a.test")], worse.to_vec()].concat(), Ok(a)),
        (
            vec![(10, "a.test"), (20, "alias.test"), (30, "b.test")],
            Ok(a),
        ),
        (vec![(10, "alias.test"), (10, "a.test")], Err("554 5.4.6")),
        (vec![(10, "mx.here.test"), (20, "a.test")], Err("554 5.4.6")),
        // A better server that is only out of reach of the DNS may still be there: no loop is proved.
        (
            vec![(5, "silent.test"), (10, "mx.here.test")],
            Err("451 4.4.3"),
        ),
    ];
    for (hosts, wanted) in cases {
        simulation.dns.fault("silent.test", DnsFault::ServFail);
        simulation.dns.mx("partner.test", &hosts);
        for _ in 0..8 {
            let found = found(&world, "partner.test", Look::Again).await;
            let wanted = wanted.map(|host| vec![host.to_owned()]);
            assert_eq!(found, wanted.map_err(str::to_owned), "{hosts:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_source_address_decides_which_addresses_can_be_reached() {
    let (world, simulation) = simulated();
    simulation
        .dns
        .addresses("smart.test", &ips(&["192.0.2.10", "2001:db8::10"]));
    let smart = r#"
        [[connector]]
        name = "smart"
        address_space = ["*"]
        next_hop = "smart.test:587"
        source_address = "192.0.2.1"
    "#;
    let settings = settings(smart);
    let plan = plan(&settings, &HopKey::via("smart")).unwrap();
    let found = targets(&plan, &settings, &world, Look::First)
        .await
        .unwrap();
    let address = Destination::Tcp("192.0.2.10:587".parse().unwrap());
    assert_eq!(found[0].addresses, [address]);
    simulation.dns.remove("smart.test");
    let gone = targets(&plan, &settings, &world, Look::Again)
        .await
        .unwrap_err();
    assert!(
        !gone.is_final(),
        "the operator's smart host is never the sender's fault: {gone}"
    );
}
