//! AUTH: who logs in, checked against the directory, slowly for those who guess.

use std::time::Duration;

use ground_directory::Login;
use wire_smtp::command::Credentials;
use wire_smtp::reply::Reply;

use super::Session;

/// Wrong passwords in one session; then it is over.
const REFUSED_LOGINS_MAX: u32 = 3;

/// How much longer each wrong password in a session waits for its answer than the one before.
const GUESS_DELAY: Duration = Duration::from_secs(2);

impl Session {
    pub(super) async fn on_login(&mut self, credentials: Credentials) {
        let Credentials {
            authorize,
            user,
            password,
        } = credentials;
        let directory = &self.hall.intake.parts.directory;
        let found = directory.verify(&user, password.reveal().as_bytes()).await;
        match found {
            Ok(Login::Granted(account)) => {
                let address = account.address.to_string();
                let themselves = authorize.is_empty()
                    || authorize.eq_ignore_ascii_case(&user)
                    || authorize.eq_ignore_ascii_case(&address);
                if !themselves {
                    return self.refuse_login(&user).await;
                }
                tracing::info!(peer = ?self.peer, login = %address, "logged in");
                self.login = Some(address);
                self.machine.accept();
            }
            Ok(Login::Refused) => self.refuse_login(&user).await,
            Err(error) => {
                tracing::warn!(peer = ?self.peer, %error, "a password could not be checked");
                let words = "4.7.0 The password cannot be checked right now; try again later";
                self.machine.refuse(Reply::plain(454, words));
            }
        }
    }

    async fn refuse_login(&mut self, user: &str) {
        self.refused_logins += 1;
        tracing::warn!(peer = ?self.peer, login = ?user, refused = self.refused_logins, "login refused");
        let delay = GUESS_DELAY * self.refused_logins;
        tokio::select! {
            () = self.hall.intake.world().clock.sleep(delay) => {}
            () = self.leave.cancelled() => {}
        }
        if self.refused_logins >= REFUSED_LOGINS_MAX {
            let words = "4.7.0 Too many refused logins";
            return self.machine.refuse(Reply::plain(421, words));
        }
        let words = "5.7.8 Name or password is wrong";
        self.machine.refuse(Reply::plain(535, words));
    }
}
