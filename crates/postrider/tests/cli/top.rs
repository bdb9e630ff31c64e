//! The viewer in a terminal of its own (util-linux's `script` makes one).

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use super::house::{House, PATIENCE};

/// A terminal of 80 columns and 24 lines.
struct Seat {
    child: Child,
    keys: ChildStdin,
    drawn: Receiver<Vec<u8>>,
    screen: vt100::Parser,
}

impl Seat {
    fn before(house: &House) -> Self {
        let top = concat!(
            "stty cols 80 rows 24; exec ",
            env!("CARGO_BIN_EXE_postrider"),
            " top"
        );
        let mut command = Command::new("script");
        command
            .args(["-qec", top, "/dev/null"])
            .current_dir(house.folder.path())
            .env("TERM", "xterm")
            .env("USER", "tester")
            .env_remove("SUDO_USER")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (keys, mut out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (tell, drawn) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = out.read(&mut buffer) {
                tell.send(buffer[..length].to_vec()).unwrap_or_default();
            }
        });
        Self {
            child,
            keys,
            drawn,
            screen: vt100::Parser::new(24, 80, 0),
        }
    }

    /// Waits until this is seen.
    fn until(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.screen.screen().contents().contains(text) {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(more) = self.drawn.recv_timeout(left) else {
                panic!("no {text:?} in\n{}", self.screen.screen().contents());
            };
            self.screen.process(&more);
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// The exit code; the terminal was given back.
    fn ended(mut self) -> Option<i32> {
        let code = self.child.wait().unwrap().code();
        self.drawn
            .iter()
            .for_each(|more| self.screen.process(&more));
        assert!(!self.screen.screen().alternate_screen());
        code
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }
}

fn house_with_a_queue() -> House {
    let house = House::new();
    let sent = house.run_with(
        &["sendmail", "-f", "bob@far.test", "x@away.test"],
        "Subject: a\r\n\r\nb",
    );
    assert!(sent.status.success(), "{sent:?}");
    house
}

#[test]
fn a_queue_is_seen_acted_on_and_left_by_q() {
    let house = house_with_a_queue();
    let mut served = house.serve(&["serve"]);
    served.listening("mx");
    // An act leaves alone what is in flight.
    house.until(&["queue", "list"], |rows| rows[0]["last_reply"] != "");
    let mut seat = Seat::before(&house);
    seat.until("mx:away.test");
    seat.press("\r");
    seat.until("x@away.test");
    seat.press("h");
    seat.until("Reason:");
    seat.press("a look\ry");
    seat.until("any key");
    let held = &house.json(&["queue", "list"])[0];
    assert_eq!(
        (&held["state"], &held["reason"]),
        (&"held".into(), &"a look (by tester)".into())
    );
    seat.press(" q");
    assert_eq!(seat.ended(), Some(0));
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn a_queue_is_seen_when_no_server_runs_and_a_signal_gives_the_terminal_back() {
    let house = house_with_a_queue();
    let mut seat = Seat::before(&house);
    seat.until("mx:away.test");
    seat.press("h");
    seat.until("no server runs, so this only looks");
    // Ctrl-C
    seat.press("\u{3}");
    assert_eq!(seat.ended(), Some(0));
}

#[test]
fn where_there_is_no_terminal_it_says_what_to_use() {
    let refused = House::new().run(&["top"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(why.contains("postrider queue --json"), "{why}");
}
