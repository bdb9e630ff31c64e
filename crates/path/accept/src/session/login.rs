//! AUTH: who logs in, checked against the directory, slowly for those who guess and not at all for those who go on.

use std::time::Duration;

use ground_directory::{Account, Login};
use wire_smtp::command::Credentials;
use wire_smtp::reply::Reply;

use super::Session;
use crate::guard::{Attempt, Wait};

/// Refused logins in one session; then it is over.
const REFUSED_LOGINS_MAX: u32 = 3;

/// How much longer each wrong password of a client waits for its answer than the one before.
const GUESS_DELAY: Duration = Duration::from_secs(2);

/// The longest wait for an answer: a session is kept for it.
const GUESS_DELAY_MAX: Duration = Duration::from_secs(20);

impl Session {
    pub(super) async fn on_login(&mut self, credentials: Credentials) {
        let Credentials {
            authorize,
            user,
            password,
        } = credentials;
        let client = self.peer.map(|peer| peer.ip());
        let attempt = self.hall.guard.attempt(client, &user);
        let (rules, now) = (
            &self.settings.logins,
            self.hall.intake.world().clock.instant(),
        );
        if let Err(wait) = self.hall.guard.may_try(attempt, rules, now) {
            return self.keep_waiting(wait, &user);
        }
        let directory = &self.hall.intake.parts.directory;
        let found = directory.verify(&user, password.reveal().as_bytes()).await;
        match found {
            Ok(Login::Granted(account)) if is_themselves(&account, &user, &authorize) => {
                self.hall.guard.succeeded(attempt);
                let address = account.address.to_string();
                tracing::info!(peer = ?self.peer, login = %address, "logged in");
                self.login = Some(address);
                self.machine.accept();
            }
            Ok(Login::Granted(_) | Login::Refused) => self.refuse_login(attempt, &user).await,
            Err(error) => {
                tracing::warn!(peer = ?self.peer, %error, "a password could not be checked");
                let words = "4.7.0 The password cannot be checked right now; try again later";
                self.machine.refuse(Reply::plain(454, words));
            }
        }
    }

    /// A wrong password: the answer takes its time.
    async fn refuse_login(&mut self, attempt: Attempt, user: &str) {
        let clock = &self.hall.intake.world().clock;
        let rules = &self.settings.logins;
        let failures = self.hall.guard.failed(attempt, rules, clock.instant());
        tracing::warn!(peer = ?self.peer, login = ?user, failures, "login refused");
        let delay = GUESS_DELAY.saturating_mul(failures).min(GUESS_DELAY_MAX);
        tokio::select! {
            biased;
            () = clock.sleep(delay) => {}
            () = self.leave.cancelled() => {}
        }
        self.say_refused(Reply::plain(535, "5.7.8 Name or password is wrong"));
    }

    /// Nobody looks at the password: not even a right one is told apart (RFC 4954 s6).
    fn keep_waiting(&mut self, wait: Wait, user: &str) {
        tracing::warn!(peer = ?self.peer, login = ?user, ?wait, "login not looked at: too many wrong passwords before");
        let minutes = wait.how_long().as_secs().div_ceil(60);
        let words = format!("4.7.0 Too many wrong passwords; try again in {minutes} min");
        self.say_refused(Reply::plain(454, words));
    }

    fn say_refused(&mut self, reply: Reply) {
        self.refused_logins += 1;
        if self.refused_logins >= REFUSED_LOGINS_MAX {
            let words = "4.7.0 Too many refused logins";
            return self.machine.refuse(Reply::plain(421, words));
        }
        self.machine.refuse(reply);
    }
}

/// Nobody logs in to act as somebody else (RFC 4616 s2).
fn is_themselves(account: &Account, user: &str, authorize: &str) -> bool {
    authorize.is_empty()
        || authorize.eq_ignore_ascii_case(user)
        || authorize.eq_ignore_ascii_case(&account.address.to_string())
}
