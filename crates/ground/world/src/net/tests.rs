//! Promises of the network, real and simulated.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::*;
use crate::{Simulation, World, WorldOptions};

fn real_world() -> World {
    let mut options = WorldOptions::default();
    options.dns.servers = vec!["127.0.0.1:9".parse().unwrap()];
    World::real(&options).unwrap()
}

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

async fn listen(world: &World, address: &str) -> Listener {
    world
        .net
        .listen(at(address), ListenOptions::default())
        .await
        .unwrap()
}

async fn connect(world: &World, address: SocketAddr) -> Result<Stream, ConnectError> {
    world.net.connect(address, ConnectOptions::default()).await
}

/// A connection's two ends: who connected, who accepted.
async fn ends(world: &World, address: &str) -> (Stream, Stream) {
    let listener = listen(world, address).await;
    let to = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(connect(world, to), listener.accept());
    (near.unwrap(), far.unwrap().0)
}

async fn talks_both_ways(mut near: Stream, mut far: Stream) {
    let mut heard = [0; 4];
    near.write_all(b"ping").await.unwrap();
    far.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"ping");
    far.write_all(b"pong").await.unwrap();
    near.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"pong");
    near.shutdown().await.unwrap();
    assert_eq!(far.read(&mut heard).await.unwrap(), 0);
    far.write_all(b"last").await.unwrap();
    drop(far);
    let mut rest = Vec::new();
    near.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"last");
}

#[tokio::test]
async fn real_connections_carry_bytes_and_know_their_ends() {
    let (near, far) = ends(&real_world(), "127.0.0.1:0").await;
    assert_eq!(near.peer_addr(), far.local_addr());
    assert_eq!(near.local_addr(), far.peer_addr());
    assert!(near.peer_addr().is_some() && near.tls_facts().is_none());
    talks_both_ways(near, far).await;
}

#[tokio::test(start_paused = true)]
async fn simulated_connections_carry_bytes_and_know_their_ends() {
    let (world, _) = World::simulated(1);
    let (near, far) = ends(&world, "192.0.2.1:25").await;
    assert_eq!(near.peer_addr(), Some(at("192.0.2.1:25")));
    assert_eq!(near.peer_addr(), far.local_addr());
    assert_eq!(near.local_addr(), far.peer_addr());
    talks_both_ways(near, far).await;
}

#[tokio::test]
async fn the_address_to_connect_from_is_the_one_asked_for() {
    let real = real_world();
    connects_from(&real, "127.0.0.1:0", "127.0.0.2").await;
    let (simulated, _) = World::simulated(1);
    connects_from(&simulated, "192.0.2.1:25", "203.0.113.9").await;
}

async fn connects_from(world: &World, to: &str, from: &str) {
    let listener = listen(world, to).await;
    let options = ConnectOptions {
        bind: Some(from.parse().unwrap()),
        ..ConnectOptions::default()
    };
    let to = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(world.net.connect(to, options), listener.accept());
    let (_, peer) = far.unwrap();
    assert_eq!(peer.ip().to_string(), from);
    assert_eq!(near.unwrap().local_addr(), Some(peer));
}

/// What the system then does with a silent machine is the system's own promise (tcp(7), `TCP_USER_TIMEOUT`).
#[tokio::test]
async fn the_system_watches_over_connections_to_hosts_of_our_own() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = tokio::net::TcpStream::connect(listener.local_addr().unwrap());
    let socket = socket.await.unwrap();
    super::real::notice_its_end(&socket);
    let socket = socket2::SockRef::from(&socket);
    assert!(socket.keepalive().unwrap());
    let gone_after = socket.tcp_user_timeout().unwrap().unwrap();
    assert!(gone_after <= Duration::from_secs(11), "{gone_after:?}");
    let asked_after = socket.tcp_keepalive_time().unwrap();
    assert!(asked_after < gone_after, "{asked_after:?}");
}

#[tokio::test]
async fn where_nothing_listens_the_connection_is_refused() {
    let real = real_world();
    let address = listen(&real, "127.0.0.1:0").await.local_addr().unwrap();
    refused(&real, address).await;
    let (simulated, _) = World::simulated(1);
    let address = listen(&simulated, "192.0.2.1:0")
        .await
        .local_addr()
        .unwrap();
    refused(&simulated, address).await;
}

async fn refused(world: &World, address: SocketAddr) {
    let error = connect(world, address).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{address} refused the connection: nothing listens there")
    );
}

#[tokio::test]
async fn a_program_under_test_reaches_its_detours_and_nobody_else() {
    let listener = listen(&real_world(), "127.0.0.1:0").await;
    let far = at("192.0.2.25:25");
    let options = WorldOptions {
        detours: [(far, listener.local_addr().unwrap())]
            .into_iter()
            .collect(),
        ..WorldOptions::default()
    };
    let world = World::real(&options).unwrap();
    let (near, accepted) = tokio::join!(connect(&world, far), listener.accept());
    talks_both_ways(near.unwrap(), accepted.unwrap().0).await;
    refused(&world, listener.local_addr().unwrap()).await;
}

#[tokio::test]
async fn an_address_that_is_not_ours_to_connect_from_is_our_trouble() {
    let options = ConnectOptions {
        bind: Some("192.0.2.1".parse().unwrap()),
        ..ConnectOptions::default()
    };
    let tried = real_world().net.connect(at("127.0.0.1:9"), options).await;
    assert!(matches!(tried, Err(ConnectError::Ours { .. })));
}

#[tokio::test]
async fn an_address_can_be_taken_once() {
    let (simulated, _) = World::simulated(1);
    for (world, address) in [(real_world(), "127.0.0.1:0"), (simulated, "192.0.2.1:0")] {
        let first = listen(&world, address).await;
        let address = first.local_addr().unwrap();
        let second = world.net.listen(address, ListenOptions::default()).await;
        assert_eq!(second.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(first);
        listen(&world, &address.to_string()).await;
    }
}

#[tokio::test]
async fn unix_sockets_carry_bytes_on_both_twins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    let (simulated, _) = World::simulated(1);
    for world in [real_world(), simulated] {
        let listener = world.net.listen_unix(&path, 0o600).await.unwrap();
        let (near, far) = tokio::join!(
            world.net.connect_unix(&path, CONNECT_TIMEOUT),
            listener.accept()
        );
        talks_both_ways(near.unwrap(), far.unwrap()).await;
        let taken = world.net.listen_unix(&path, 0o600).await.unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        drop(listener);
        let dead = world.net.connect_unix(&path, CONNECT_TIMEOUT).await;
        assert!(matches!(dead, Err(ConnectError::Refused { .. })));
        world.net.listen_unix(&path, 0o600).await.unwrap();
    }
}

#[tokio::test]
async fn a_unix_socket_gets_the_permissions_asked_for() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    let _listener = real_world().net.listen_unix(&path, 0o640).await.unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[tokio::test]
async fn a_file_in_the_way_of_a_unix_socket_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("precious");
    std::fs::write(&path, "data").unwrap();
    let tried = real_world().net.listen_unix(&path, 0o600).await;
    assert_eq!(tried.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    assert_eq!(std::fs::read(&path).unwrap(), b"data");
}

/// A simulated listener, with a fault on the way to it.
async fn faulty(fault: Fault) -> (World, Simulation, Listener, SocketAddr) {
    let (world, simulation) = World::simulated(1);
    let listener = listen(&world, "192.0.2.7:25").await;
    let address = listener.local_addr().unwrap();
    simulation.net.fault(address, fault);
    (world, simulation, listener, address)
}

#[tokio::test(start_paused = true)]
async fn a_black_hole_costs_the_time_allowed_and_no_more() {
    let (world, simulation, listener, address) = faulty(Fault::Blackhole).await;
    let start = Instant::now();
    let options = ConnectOptions {
        bind: None,
        timeout: Duration::from_secs(7),
    };
    let error = world.net.connect(address, options).await.unwrap_err();
    assert_eq!(start.elapsed().as_secs(), 7);
    assert_eq!(error.to_string(), "192.0.2.7:25 did not answer within 7s");
    simulation.net.heal(address);
    let (near, _) = tokio::join!(connect(&world, address), listener.accept());
    near.unwrap();
}

#[tokio::test(start_paused = true)]
async fn scripted_refusals_come_as_scripted() {
    let (world, _, _listener, address) = faulty(Fault::Refuse).await;
    refused(&world, address).await;
    let (world, _, _listener, address) = faulty(Fault::Unreachable).await;
    let error = connect(&world, address).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "192.0.2.7:25 cannot be reached: no route to host"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reset_comes_after_as_many_bytes_as_scripted() {
    let (world, _, listener, address) = faulty(Fault::ResetAfterSent(4)).await;
    let (near, far) = tokio::join!(connect(&world, address), listener.accept());
    let (mut near, (mut far, _)) = (near.unwrap(), far.unwrap());
    let mut heard = [0; 4];
    near.write_all(b"four").await.unwrap();
    far.read_exact(&mut heard).await.unwrap();
    let cut = near.write_all(b"!").await.unwrap_err();
    assert_eq!(cut.kind(), io::ErrorKind::ConnectionReset);
    let cut = far.read(&mut heard).await.unwrap_err();
    assert_eq!(cut.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn a_reset_on_the_way_back_lets_the_question_through() {
    let (world, _, listener, address) = faulty(Fault::ResetAfterReceived(3)).await;
    let (near, far) = tokio::join!(connect(&world, address), listener.accept());
    let (mut near, (mut far, _)) = (near.unwrap(), far.unwrap());
    let mut heard = [0; 8];
    near.write_all(b"question").await.unwrap();
    far.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"question");
    far.write_all(b"answer").await.unwrap_err();
    near.read(&mut heard).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_stays_open_and_says_nothing() {
    let (world, _, listener, address) = faulty(Fault::SilentAfterReceived(3)).await;
    let (near, far) = tokio::join!(connect(&world, address), listener.accept());
    let (mut near, (mut far, _)) = (near.unwrap(), far.unwrap());
    far.write_all(b"250 ok").await.unwrap();
    let mut heard = [0; 8];
    near.read_exact(&mut heard[..3]).await.unwrap();
    assert_eq!(&heard[..3], b"250");
    let hour = Duration::from_secs(3600);
    let more = world.clock.timeout(hour, near.read(&mut heard)).await;
    assert!(more.is_err());
}

#[tokio::test(start_paused = true)]
async fn who_connected_panics_when_the_test_says_so_and_nobody_else_does() {
    let (world, simulation) = World::simulated(1);
    let (near, mut far) = ends(&world, "192.0.2.1:25").await;
    let (mut other, mut other_far) = ends(&world, "192.0.2.2:25").await;
    let (from, to) = (near.local_addr().unwrap(), near.peer_addr().unwrap());
    let reader = tokio::spawn(async move {
        let mut near = near;
        near.read_u8().await
    });
    simulation.net.panic_connector(from, to);
    assert!(reader.await.unwrap_err().is_panic());
    assert_eq!(far.read(&mut [0]).await.unwrap(), 0);
    other_far.write_all(b"x").await.unwrap();
    assert_eq!(other.read_u8().await.unwrap(), b'x');
}

#[tokio::test(start_paused = true)]
async fn connections_can_be_reset_from_outside() {
    let (world, simulation) = World::simulated(1);
    let (mut near, mut far) = ends(&world, "192.0.2.1:25").await;
    let (mut other, mut other_far) = ends(&world, "192.0.2.2:25").await;
    let address = at("192.0.2.1:25");
    assert_eq!(simulation.net.open_connections(address), 1);
    assert_eq!(simulation.net.reset_connections(address), 1);
    assert_eq!(simulation.net.reset_connections(address), 0);
    let mut heard = [0; 1];
    for cut in [
        near.read(&mut heard).await.unwrap_err(),
        far.write(b"x").await.unwrap_err(),
    ] {
        assert_eq!(cut.kind(), io::ErrorKind::ConnectionReset);
    }
    other.write_all(b"x").await.unwrap();
    other_far.read_exact(&mut heard).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn bytes_and_the_end_arrive_after_the_latency() {
    let (world, simulation) = World::simulated(1);
    let latency = Duration::from_millis(40);
    simulation.net.set_latency(latency);
    let start = Instant::now();
    let (mut near, mut far) = ends(&world, "192.0.2.1:25").await;
    assert_eq!(start.elapsed(), 2 * latency);
    near.write_all(b"slow").await.unwrap();
    assert_eq!(start.elapsed(), 2 * latency);
    let mut heard = [0; 4];
    far.read_exact(&mut heard).await.unwrap();
    assert_eq!(start.elapsed(), 3 * latency);
    drop(near);
    assert_eq!(far.read(&mut heard).await.unwrap(), 0);
    assert_eq!(start.elapsed(), 4 * latency);
}

#[tokio::test(start_paused = true)]
async fn a_writer_waits_for_a_slow_reader_and_loses_nothing() {
    let (world, _) = World::simulated(1);
    let (mut near, mut far) = ends(&world, "192.0.2.1:25").await;
    let sent: Vec<u8> = (0..4 * pipe::LANE_CAPACITY).map(|n| n as u8).collect();
    let expected = sent.clone();
    let writer = tokio::spawn(async move {
        near.write_all(&sent).await.unwrap();
    });
    tokio::task::yield_now().await;
    assert!(!writer.is_finished());
    let mut received = Vec::new();
    far.read_to_end(&mut received).await.unwrap();
    writer.await.unwrap();
    assert!(received == expected);
}

#[tokio::test(start_paused = true)]
async fn writing_to_who_is_gone_fails() {
    let (world, _) = World::simulated(1);
    let (mut near, far) = ends(&world, "192.0.2.1:25").await;
    let fill = vec![0; pipe::LANE_CAPACITY];
    near.write_all(&fill).await.unwrap();
    let writer = tokio::spawn(async move { near.write_all(b"x").await });
    tokio::task::yield_now().await;
    drop(far);
    let error = writer.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
}

#[tokio::test(start_paused = true)]
async fn a_simulated_wildcard_stands_for_loopback_only() {
    let (world, _) = World::simulated(1);
    let listener = listen(&world, "0.0.0.0:25").await;
    let (near, far) = tokio::join!(connect(&world, at("127.0.0.1:25")), listener.accept());
    assert_eq!(near.unwrap().peer_addr(), far.unwrap().0.local_addr());
    refused(&world, at("192.0.2.1:25")).await;
}

#[tokio::test(start_paused = true)]
async fn a_full_backlog_looks_like_no_answer() {
    let (world, _) = World::simulated(1);
    let address = at("192.0.2.1:25");
    let _listener = world
        .net
        .listen(address, ListenOptions { backlog: 1 })
        .await
        .unwrap();
    let _waiting = connect(&world, address).await.unwrap();
    let error = connect(&world, address).await.unwrap_err();
    assert!(matches!(error, ConnectError::TimedOut { .. }));
}

#[tokio::test(start_paused = true)]
async fn only_a_broken_listener_ends_accepting() {
    use rustix::io::Errno;
    let (clock, _) = Clock::simulated();
    for passing in [Errno::MFILE, Errno::NFILE, Errno::CONNABORTED, Errno::INTR] {
        wait_out(&clock, passing.into()).await.unwrap();
    }
    let start = Instant::now();
    wait_out(&clock, Errno::NFILE.into()).await.unwrap();
    assert!(start.elapsed() >= ACCEPT_PAUSE);
    wait_out(&clock, Errno::BADF.into()).await.unwrap_err();
}
