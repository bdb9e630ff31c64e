//! Promises of the guard, without sessions.

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

/// A guard with its rules, and a time that a test moves.
struct Post {
    guard: Guard,
    rules: Logins,
    now: Instant,
}

impl Post {
    fn new() -> Self {
        Self {
            guard: Guard::default(),
            rules: Logins::default(),
            now: Instant::now(),
        }
    }

    fn attempt(&self, client: &str, user: &str) -> Attempt {
        self.guard.attempt(Some(client.parse().unwrap()), user)
    }

    fn fails(&self, times: u32, client: &str, user: &str) {
        for _ in 0..times {
            let attempt = self.attempt(client, user);
            self.guard.failed(attempt, &self.rules, self.now);
        }
    }

    fn tries(&self, client: &str, user: &str) -> Result<(), Wait> {
        let attempt = self.attempt(client, user);
        self.guard.may_try(attempt, &self.rules, self.now)
    }
}

#[test]
fn each_wrong_password_beyond_the_limit_doubles_the_wait_up_to_the_longest() {
    let mut post = Post::new();
    post.fails(9, "192.0.2.1", "jo@here.test");
    assert_eq!(post.tries("192.0.2.1", "jo@here.test"), Ok(()));
    for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
        post.fails(1, "192.0.2.1", "jo@here.test");
        let wait = Duration::from_secs(minutes * 60);
        assert_eq!(
            post.tries("192.0.2.1", "ada@here.test"),
            Err(Wait::Client(wait))
        );
        post.now += wait;
        assert_eq!(post.tries("192.0.2.1", "jo@here.test"), Ok(()));
    }
    post.now += 23 * HOUR;
    post.fails(9, "192.0.2.1", "jo@here.test");
    assert_eq!(post.tries("192.0.2.1", "jo@here.test"), Ok(()), "forgotten");
}

#[test]
fn a_client_is_an_ipv4_address_or_an_ipv6_network_however_it_is_written() {
    for (guesser, same, other) in [
        ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1"),
    ] {
        let post = Post::new();
        post.fails(10, guesser, "jo@here.test");
        assert!(post.tries(same, "jo@here.test").is_err(), "{same}");
        assert_eq!(post.tries(other, "jo@here.test"), Ok(()), "{other}");
    }
}

#[test]
fn an_account_under_attack_is_closed_to_those_who_failed_and_open_to_everybody_else() {
    let post = Post::new();
    for client in 1..=20 {
        post.fails(1, &format!("192.0.2.{client}"), "Jo@Here.test");
    }
    let wait = Wait::Account(Duration::from_secs(60));
    assert_eq!(post.tries("192.0.2.1", "jo@here.test"), Err(wait));
    assert_eq!(post.tries("192.0.2.1", "ada@here.test"), Ok(()));
    assert_eq!(post.tries("203.0.113.1", "jo@here.test"), Ok(()));
}

#[test]
fn a_right_password_clears_what_it_explains_and_nothing_else() {
    let post = Post::new();
    post.fails(9, "192.0.2.1", "jo@here.test");
    post.guard
        .succeeded(post.attempt("192.0.2.1", "jo@here.test"));
    post.fails(9, "192.0.2.1", "jo@here.test");
    assert_eq!(post.tries("192.0.2.1", "jo@here.test"), Ok(()));

    // A guesser at jo's password has an account of his own.
    let post = Post::new();
    post.fails(9, "192.0.2.1", "jo@here.test");
    post.guard
        .succeeded(post.attempt("192.0.2.1", "evil@here.test"));
    post.fails(1, "192.0.2.1", "jo@here.test");
    assert!(post.tries("192.0.2.1", "jo@here.test").is_err());
}

#[test]
fn memory_is_bounded_and_a_flood_does_not_cover_a_guesser() {
    let mut post = Post::new();
    post.fails(10, "192.0.2.1", "jo@here.test");
    for client in 0..REMEMBERED_MAX + 10 {
        let user = format!("{client}@here.test");
        let attempt = post.guard.attempt(
            Some(Ipv6Addr::from_bits((client as u128) << 64).into()),
            &user,
        );
        post.guard.failed(attempt, &post.rules, post.now);
        // A later one each time: otherwise it takes a long time to find the oldest, and only tests fill it so fast.
        post.now += Duration::from_millis(1);
    }
    assert_eq!(post.guard.book().clients.len(), REMEMBERED_MAX);
    assert_eq!(post.guard.book().accounts.len(), REMEMBERED_MAX);
    assert!(
        post.guard
            .book()
            .clients
            .values()
            .any(|count| count.failures == 10)
    );
}
