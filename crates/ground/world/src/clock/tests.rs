//! Promises of the clock, on its three twins.

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const HOUR_MILLIS: i64 = 3_600_000;

#[tokio::test(start_paused = true)]
async fn four_days_of_sleep_pass_at_once() {
    let outside = std::time::Instant::now();
    let (clock, _) = Clock::simulated();
    let before = clock.now();
    assert_eq!(before.as_millis(), SIMULATION_START_MILLIS);
    clock.sleep(96 * HOUR).await;
    assert_eq!(clock.now().since(before), 96 * HOUR);
    clock
        .sleep_until(Time::from_millis(before.as_millis() + 200 * HOUR_MILLIS))
        .await;
    assert_eq!(clock.now().since(before), 200 * HOUR);
    assert!(outside.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn what_is_due_on_the_way_happens_in_order() {
    let (clock, control) = Clock::simulated();
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    for hours in [3, 1, 2, 5] {
        let (clock, told) = (clock.clone(), told.clone());
        tokio::spawn(async move {
            clock.sleep(hours * HOUR).await;
            told.send(hours).unwrap();
        });
    }
    control.advance(4 * HOUR).await;
    assert_eq!(heard.recv().await, Some(1));
    assert_eq!(heard.recv().await, Some(2));
    assert_eq!(heard.recv().await, Some(3));
    assert!(heard.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_step_of_the_simulated_wall_clock_wakes_who_waits_for_it_and_nobody_else() {
    let (clock, control) = Clock::simulated();
    let start = Instant::now();
    let end = Time::from_millis(clock.now().as_millis() + HOUR_MILLIS);
    let waits_for_wall = spawn_sleep_until(&clock, end);
    let waits_for_while = spawn_sleep(&clock, HOUR);
    tokio::task::yield_now().await;
    control.step(2 * HOUR_MILLIS);
    waits_for_wall.await.unwrap();
    assert_eq!(start.elapsed(), Duration::ZERO);
    waits_for_while.await.unwrap();
    assert!(start.elapsed() >= HOUR);
}

#[tokio::test(start_paused = true)]
async fn a_step_back_lengthens_a_wait_for_the_wall_clock() {
    let (clock, control) = Clock::simulated();
    let start = Instant::now();
    let end = Time::from_millis(clock.now().as_millis() + HOUR_MILLIS);
    let waits = spawn_sleep_until(&clock, end);
    tokio::task::yield_now().await;
    control.step(-HOUR_MILLIS);
    waits.await.unwrap();
    assert!(start.elapsed() >= 2 * HOUR);
    assert!(clock.now() >= end);
}

#[tokio::test]
async fn a_step_of_the_steered_wall_clock_wakes_at_once() {
    let outside = std::time::Instant::now();
    let (clock, control) = Clock::steered(Duration::ZERO);
    let before = clock.now();
    let waits = spawn_sleep_until(&clock, Time::from_millis(before.as_millis() + HOUR_MILLIS));
    tokio::task::yield_now().await;
    control.step(HOUR_MILLIS);
    waits.await.unwrap();
    assert!(clock.now().since(before) >= HOUR);
    assert!(outside.elapsed() < WALL_RECHECK / 2);
}

#[tokio::test]
async fn an_advance_of_the_steered_clock_moves_both_clocks_and_wakes_all() {
    let outside = std::time::Instant::now();
    let (clock, control) = Clock::steered(Duration::ZERO);
    let start = clock.instant();
    let sleeper = spawn_sleep(&clock, 4 * HOUR);
    let on_instant = {
        let clock = clock.clone();
        tokio::spawn(async move { clock.sleep_until_instant(start + 2 * HOUR).await })
    };
    let on_wall = spawn_sleep_until(
        &clock,
        Time::from_millis(clock.now().as_millis() + 3 * HOUR_MILLIS),
    );
    tokio::task::yield_now().await;
    control.advance(4 * HOUR).await;
    sleeper.await.unwrap();
    on_instant.await.unwrap();
    on_wall.await.unwrap();
    assert!(clock.instant() - start >= 4 * HOUR);
    assert!(outside.elapsed() < WALL_RECHECK / 2);
}

#[tokio::test]
async fn a_steered_clock_can_start_ahead() {
    let (real, (clock, _)) = (Clock::real(), Clock::steered(4 * HOUR));
    assert!(clock.now().since(real.now()) >= 4 * HOUR - WALL_RECHECK);
    assert!(clock.instant() >= real.instant() + 4 * HOUR - WALL_RECHECK);
}

#[tokio::test]
async fn a_jump_is_no_work() {
    let (clock, control) = Clock::steered(Duration::ZERO);
    let (_, took) = clock.timed(control.advance(HOUR)).await;
    assert!(took < HOUR);
}

#[tokio::test(start_paused = true)]
async fn an_advance_of_the_steered_clock_does_not_shorten_what_a_peer_may_take() {
    let (clock, control) = Clock::steered(Duration::ZERO);
    let start = Instant::now();
    let limited = {
        let clock = clock.clone();
        tokio::spawn(async move { clock.timeout(HOUR, std::future::pending::<()>()).await })
    };
    tokio::task::yield_now().await;
    control.advance(4 * HOUR).await;
    assert_eq!(limited.await.unwrap(), Err(TimedOut { after: HOUR }));
    assert!(start.elapsed() >= HOUR);
}

#[tokio::test]
async fn the_real_clock_tells_the_systems_time_and_keeps_short_waits() {
    let clock = Clock::real();
    let before = system_millis();
    let now = clock.now();
    assert!((before..=system_millis()).contains(&now.as_millis()));
    clock
        .sleep_until(Time::from_millis(now.as_millis() + 5))
        .await;
    assert!(clock.now().since(now) >= Duration::from_millis(5));
    assert_eq!(clock.timeout(HOUR, async { 7 }).await, Ok(7));
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_ever_does_not_overflow() {
    let (clock, control) = Clock::steered(Duration::ZERO);
    let waits = spawn_sleep(&clock, Duration::MAX);
    tokio::task::yield_now().await;
    control.advance(HOUR).await;
    tokio::task::yield_now().await;
    assert!(!waits.is_finished());
    waits.abort();
}

fn spawn_sleep(clock: &Clock, duration: Duration) -> tokio::task::JoinHandle<()> {
    let clock = clock.clone();
    tokio::spawn(async move { clock.sleep(duration).await })
}

fn spawn_sleep_until(clock: &Clock, end: Time) -> tokio::task::JoinHandle<()> {
    let clock = clock.clone();
    tokio::spawn(async move { clock.sleep_until(end).await })
}
