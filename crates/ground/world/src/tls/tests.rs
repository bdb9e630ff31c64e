//! Promises of TLS, over real loopback and over simulated pipes.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::net::{ConnectOptions, ListenOptions, Stream};
use crate::{Simulation, World, WorldOptions};

const HOST: &str = "mx.example.test";

fn real_world() -> World {
    let mut options = WorldOptions::default();
    options.dns.servers = vec!["127.0.0.1:9".parse().unwrap()];
    World::real(&options).unwrap()
}

/// Two ends of a plain connection: the client's, the server's.
async fn plain_ends(world: &World, address: &str) -> (Stream, Stream) {
    let address = address.parse().unwrap();
    let listener = world
        .net
        .listen(address, ListenOptions::default())
        .await
        .unwrap();
    let to = listener.local_addr().unwrap();
    let connecting = world.net.connect(to, ConnectOptions::default());
    let (near, far) = tokio::join!(connecting, listener.accept());
    (near.unwrap(), far.unwrap().0)
}

async fn handshake(
    world: &World,
    address: &str,
    server: &TlsServer,
    tls: &Tls,
    name: &str,
    verify: Verify,
) -> (Result<Stream, TlsError>, Result<Stream, TlsError>) {
    let (near, far) = plain_ends(world, address).await;
    tokio::join!(tls.client().connect(near, name, verify), server.accept(far))
}

async fn talk(near: &mut Stream, far: &mut Stream) {
    let mut heard = [0; 4];
    near.write_all(b"ping").await.unwrap();
    near.flush().await.unwrap();
    far.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"ping");
    far.write_all(b"pong").await.unwrap();
    far.flush().await.unwrap();
    near.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"pong");
}

/// A certificate for [`HOST`], a server that shows it, and a client that trusts it.
fn trusted(world: &World) -> (TlsServer, Tls) {
    let made = world.tls.self_signed(HOST).unwrap();
    let server = world.tls.server(made.identity().unwrap()).unwrap();
    let tls = world
        .tls
        .trusting(PlatformRoots::Ignored, made.certificate_pem.as_bytes())
        .unwrap();
    (server, tls)
}

async fn a_verified_session(world: &World, address: &str) {
    let (server, tls) = trusted(world);
    let (near, far) = handshake(
        world,
        address,
        &server,
        &tls,
        "MX.example.test.",
        Verify::Required,
    )
    .await;
    let (mut near, mut far) = (near.unwrap(), far.unwrap());
    talk(&mut near, &mut far).await;
    let facts = near.tls_facts().unwrap();
    assert!(facts.peer_verified());
    assert_eq!(facts.version, "TLSv1.3");
    assert!(facts.cipher.starts_with("TLS_"), "{}", facts.cipher);
    assert_eq!(facts.server_name.as_deref(), Some(HOST));
    let seen = far.tls_facts().unwrap();
    assert_eq!(seen.peer, PeerCheck::NotAsked);
    assert_eq!(seen.server_name.as_deref(), Some(HOST));
    assert_eq!(seen.cipher, facts.cipher);
    assert_eq!(near.peer_addr(), far.local_addr());
    near.shutdown().await.unwrap();
    assert_eq!(far.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_good_certificate_is_verified_over_loopback() {
    a_verified_session(&real_world(), "127.0.0.1:0").await;
}

#[tokio::test(start_paused = true)]
async fn a_good_certificate_is_verified_over_a_simulated_pipe() {
    let (world, _) = World::simulated(1);
    a_verified_session(&world, "192.0.2.1:25").await;
}

#[tokio::test(start_paused = true)]
async fn sessions_survive_latency() {
    let (world, simulation) = World::simulated(1);
    simulation.net.set_latency(Duration::from_millis(80));
    a_verified_session(&world, "192.0.2.1:25").await;
}

#[tokio::test(start_paused = true)]
async fn a_required_certificate_must_be_good_for_the_name() {
    let (world, _) = World::simulated(1);
    let (server, tls) = trusted(&world);
    let at = "192.0.2.1:25";
    let (near, far) = handshake(
        &world,
        at,
        &server,
        &tls,
        "other.example.test",
        Verify::Required,
    )
    .await;
    assert!(matches!(near, Err(TlsError::Untrusted { .. })), "{near:?}");
    assert!(matches!(far, Err(TlsError::Handshake { .. })), "{far:?}");
}

#[tokio::test(start_paused = true)]
async fn an_opportunistic_session_takes_any_certificate_and_records_why_it_is_not_good() {
    let (world, _) = World::simulated(1);
    let (server, tls) = trusted(&world);
    let at = "192.0.2.1:25";
    // Twice: the second session may be a resumed one, whose handshake shows no certificate.
    for _ in 0..2 {
        let (near, far) = handshake(
            &world,
            at,
            &server,
            &tls,
            "other.example.test",
            Verify::Opportunistic,
        )
        .await;
        let (mut near, mut far) = (near.unwrap(), far.unwrap());
        talk(&mut near, &mut far).await;
        let peer = &near.tls_facts().unwrap().peer;
        assert!(
            matches!(peer, PeerCheck::Unverified { reason } if reason.contains("other.example.test")),
            "{peer:?}"
        );
    }
    for _ in 0..2 {
        let (near, far) = handshake(&world, at, &server, &tls, HOST, Verify::Opportunistic).await;
        let (mut near, mut far) = (near.unwrap(), far.unwrap());
        talk(&mut near, &mut far).await;
        assert!(near.tls_facts().unwrap().peer_verified());
    }
}

#[tokio::test(start_paused = true)]
async fn without_roots_nothing_is_verified_but_opportunistic_sessions_work() {
    let (world, _) = World::simulated(1);
    let (server, _) = trusted(&world);
    let at = "192.0.2.1:25";
    let (near, far) = handshake(&world, at, &server, &world.tls, HOST, Verify::Opportunistic).await;
    far.unwrap();
    assert!(!near.unwrap().tls_facts().unwrap().peer_verified());
    let (near, _far) = plain_ends(&world, at).await;
    let strict = world.tls.client().connect(near, HOST, Verify::Required);
    assert!(matches!(strict.await, Err(TlsError::NoRoots { .. })));
}

#[tokio::test(start_paused = true)]
async fn certificates_are_judged_by_the_worlds_clock() {
    let (world, simulation) = World::simulated(1);
    let (server, tls) = trusted(&world);
    // The self-signed certificate is good from 1975 on.
    let fifty_five_years = 55 * 365 * 86_400_000;
    simulation.clock.step(-fifty_five_years);
    let (near, _) = handshake(
        &world,
        "192.0.2.1:25",
        &server,
        &tls,
        HOST,
        Verify::Required,
    )
    .await;
    let error = near.unwrap_err();
    assert!(error.to_string().contains("not valid yet"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_new_certificate_serves_new_sessions_and_leaves_the_old_alone() {
    let (world, _) = World::simulated(1);
    let (server, old_trust) = trusted(&world);
    let at = "192.0.2.1:25";
    let (near, far) = handshake(&world, at, &server, &old_trust, HOST, Verify::Required).await;
    let (mut near, mut far) = (near.unwrap(), far.unwrap());

    let renewed = world.tls.self_signed(HOST).unwrap();
    server.replace(renewed.identity().unwrap());
    talk(&mut near, &mut far).await;
    let new_trust = world
        .tls
        .trusting(PlatformRoots::Ignored, renewed.certificate_pem.as_bytes())
        .unwrap();
    let (with_new, _) = handshake(&world, at, &server, &new_trust, HOST, Verify::Required).await;
    with_new.unwrap();
}

async fn silent_peer() -> (World, Simulation, Stream, Stream) {
    let (world, simulation) = World::simulated(1);
    let (near, far) = plain_ends(&world, "192.0.2.1:25").await;
    (world, simulation, near, far)
}

#[tokio::test(start_paused = true)]
async fn a_handshake_with_a_silent_peer_ends_in_time_on_both_sides() {
    let late = TlsError::TimedOut {
        after: HANDSHAKE_TIMEOUT,
    };
    let (world, _, near, _far) = silent_peer().await;
    let start = tokio::time::Instant::now();
    let client = world
        .tls
        .client()
        .connect(near, HOST, Verify::Opportunistic);
    assert_eq!(client.await.unwrap_err(), late);
    assert_eq!(start.elapsed().as_secs(), HANDSHAKE_TIMEOUT.as_secs());

    let (world, _, _near, far) = silent_peer().await;
    let (server, _) = trusted(&world);
    assert_eq!(server.accept(far).await.unwrap_err(), late);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_speaks_no_tls_fails_the_handshake() {
    let (world, _, near, mut far) = silent_peer().await;
    far.write_all(b"220 mx.example.test ESMTP\r\n")
        .await
        .unwrap();
    let tried = world
        .tls
        .client()
        .connect(near, HOST, Verify::Opportunistic);
    assert!(matches!(tried.await, Err(TlsError::Handshake { .. })));
}

#[tokio::test(start_paused = true)]
async fn tls_inside_tls_and_impossible_names_are_refused() {
    let (world, _) = World::simulated(1);
    let (server, tls) = trusted(&world);
    let at = "192.0.2.1:25";
    let (near, far) = handshake(&world, at, &server, &tls, HOST, Verify::Required).await;
    let again = server.accept(far.unwrap()).await;
    assert_eq!(again.unwrap_err(), TlsError::AlreadySecured);
    let again = tls
        .client()
        .connect(near.unwrap(), HOST, Verify::Required)
        .await;
    assert_eq!(again.unwrap_err(), TlsError::AlreadySecured);
    let (near, _far) = plain_ends(&world, at).await;
    let bad = tls.client().connect(near, "no name", Verify::Opportunistic);
    assert!(matches!(bad.await, Err(TlsError::BadName { .. })));
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_explained() {
    let (world, _) = World::simulated(1);
    let made = world.tls.self_signed(HOST).unwrap();
    let other = world.tls.self_signed(HOST).unwrap();
    let check = |chain: &str, key: &str, word: &str| {
        let error = Identity::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    };
    check("", &made.key_pem, "no certificate");
    check(&made.certificate_pem, "", "private key");
    check(&made.certificate_pem, &other.key_pem, "KeyMismatch");

    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = (
        folder.path().join("chain.pem"),
        folder.path().join("key.pem"),
    );
    let error = Identity::from_files(&chain, &key).await.unwrap_err();
    assert!(error.to_string().contains("chain.pem"), "{error}");
    std::fs::write(&chain, &made.certificate_pem).unwrap();
    std::fs::write(&key, &made.key_pem).unwrap();
    Identity::from_files(&chain, &key).await.unwrap();
}

#[tokio::test]
async fn secrets_are_not_shown_when_debugging() {
    let (world, _) = World::simulated(1);
    let made = world.tls.self_signed(HOST).unwrap();
    let shown = format!("{made:?} {:?}", made.identity().unwrap());
    assert_eq!(shown, "SelfSigned(..) Identity(1 certificates)");
}

/// What is kept, as a file says it.
async fn kept_file(world: &World, folder: &Path) -> bytes::Bytes {
    let file = world.disk.open(&folder.join(SELF_SIGNED_FILE)).await;
    file.unwrap().read_at(0, 1 << 16).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_self_signed_certificate_is_kept_until_it_nears_its_end_or_the_hostname_changes() {
    let (world, simulation) = World::simulated(1);
    let folder = Path::new("/data");
    world.disk.create_folder(folder).await.unwrap();
    let keep = |hostname: &'static str| world.tls.kept_self_signed(&world.disk, folder, hostname);
    keep(HOST).await.unwrap();
    let first = kept_file(&world, folder).await;
    simulation
        .clock
        .step((SELF_SIGNED_LIFE - RENEWED_BEFORE).as_millis() as i64 - 60_000);
    keep(HOST).await.unwrap();
    assert_eq!(kept_file(&world, folder).await, first);
    simulation.clock.step(120_000);
    keep(HOST).await.unwrap();
    let second = kept_file(&world, folder).await;
    assert_ne!(second, first);
    for hostname in ["other.example.test", "192.0.2.7"] {
        let before = kept_file(&world, folder).await;
        keep(hostname).await.unwrap();
        let after = kept_file(&world, folder).await;
        assert_ne!(after, before, "{hostname}");
        keep(hostname).await.unwrap();
        assert_eq!(kept_file(&world, folder).await, after, "{hostname}");
    }
}

#[tokio::test]
async fn a_kept_key_is_nobody_elses_and_a_crash_while_it_is_made_does_no_harm() {
    use std::os::unix::fs::PermissionsExt;
    let world = real_world();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(SELF_SIGNED_FILE);
    std::fs::write(folder.path().join("self-signed.pem.part"), "half").unwrap();
    let keep = || world.tls.kept_self_signed(&world.disk, folder.path(), HOST);
    keep().await.unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    std::fs::write(&path, "no certificate").unwrap();
    keep().await.unwrap();
    assert!(
        std::fs::read_to_string(&path)
            .unwrap()
            .contains("PRIVATE KEY")
    );
}

#[tokio::test(start_paused = true)]
async fn a_kept_certificate_that_cannot_be_read_is_not_replaced() {
    let (world, simulation) = World::simulated(1);
    let folder = Path::new("/data");
    world.disk.create_folder(folder).await.unwrap();
    let keep = || world.tls.kept_self_signed(&world.disk, folder, HOST);
    keep().await.unwrap();
    let before = kept_file(&world, folder).await;
    simulation
        .disk
        .set_failing(Some(std::io::ErrorKind::PermissionDenied));
    let error = keep().await.unwrap_err().to_string();
    assert!(error.contains("/data/self-signed.pem"), "{error}");
    simulation.disk.set_failing(None);
    assert_eq!(kept_file(&world, folder).await, before);
}
