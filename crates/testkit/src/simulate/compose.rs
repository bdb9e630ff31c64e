//! A story from a seed: who sends what to whom, and everything that goes wrong meanwhile.
//!
//! The story is text in the scenario language, so what a seed does can be read, shortened and kept as a scenario.

/// Times of a simulated server, a thousandth part of those of a real one: minutes stand for days.
pub(crate) const SETTINGS: &str = r#"settings
  [queue]
  lifetime = "10m"
  report_lifetime = "6m"
  delay_notice = ["1m", "4m"]
  retry = ["10s", "20s", "40s", "1m"]
  lease = "20s"
  hold_alarm = "3m"
  poll_interval = "2s"
  late_after = "2m"
  poison_attempts = 3
  [watch]
  sweep_interval = "3s"
  reconcile_interval = "10s"
  audit_interval = "1m"
  slack = "30s"
  [timeouts]
  server_command = "30s"
  server_data_block = "30s"
  connect = "10s"
  greeting = "20s"
  ehlo = "20s"
  mail = "20s"
  rcpt = "20s"
  data_init = "20s"
  data_block = "20s"
  data_end = "30s"
  attempt = "60s"
  [[connector]]
  name = "partner"
  address_space = ["partner.test"]
  next_hop = "192.0.2.28:26"
"#;

/// Who exists here, and what the DNS says.
const STAGE: &str = "domain here.test
account ada@here.test
account bob@here.test
account cy@here.test quota 4000
alias team@here.test to ada@here.test, bob@here.test, eve@far.test
alias alone@here.test to gil@near.test
alias lost@here.test to gone@here.test
dns mx far.test 10 far1.test, 20 far2.test
dns a far1.test 192.0.2.25
dns a far2.test 192.0.2.26
dns a near.test 192.0.2.27
dns mx dead.test 10 dead1.test
dns a dead1.test 192.0.2.99
dns mx null.test 0 .
peer far1 at 192.0.2.25:25
peer far2 at 192.0.2.26:25
peer near at 192.0.2.27:25
peer partner at 192.0.2.28:26
";

const PEERS: [&str; 4] = ["far1", "far2", "near", "partner"];

const RECIPIENTS: [&str; 15] = [
    "ada@here.test",
    "bob@here.test",
    "cy@here.test",
    "ada+list@here.test",
    "team@here.test",
    "alone@here.test",
    "lost@here.test",
    "eve@far.test",
    "fay@far.test",
    "gil@near.test",
    "hal@partner.test",
    "ida@dead.test",
    "joe@null.test",
    "kay@nowhere.test",
    "lee@near.test",
];

const SENDERS: [&str; 4] = ["ada@here.test", "bob@here.test", "mia@near.test", "<>"];

const WISHES: [&str; 5] = [
    "NEVER",
    "FAILURE",
    "SUCCESS,FAILURE",
    "DELAY",
    "SUCCESS,FAILURE,DELAY",
];

/// How many things happen in a story, at least and at most.
const ACTS: (u64, u64) = (12, 45);

/// The story of a seed.
pub(crate) fn compose(seed: u64) -> String {
    Composer {
        dice: fastrand::Rng::with_seed(seed),
        text: String::new(),
        nodes: Vec::new(),
        clock: Wall::Right,
        acts: 0,
    }
    .whole()
}

struct Composer {
    dice: fastrand::Rng,
    text: String,
    /// Each node, and whether it runs.
    nodes: Vec<(String, Life)>,
    /// Whether the wall clock shows what it should.
    clock: Wall,
    /// Operators' acts so far: each has a reason of its own.
    acts: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wall {
    Right,
    /// It was stepped forward a day, or back.
    Stepped(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Runs,
    IsDown,
}

impl Composer {
    fn whole(mut self) -> String {
        self.line("simulated only \"a seed made it\"");
        self.text.push_str(SETTINGS);
        self.text.push_str(STAGE);
        let nodes = if self.one_in(4) { 2 } else { 1 };
        for number in 1..=nodes {
            self.nodes.push((format!("node{number}"), Life::Runs));
            self.line(&format!("start node{number}"));
        }
        for _ in 0..self.dice.u64(ACTS.0..=ACTS.1) {
            self.act();
        }
        self.heal();
        self.text
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.dice.u64(..times) == 0
    }

    fn pick<T: Copy>(&mut self, of: &[T], otherwise: T) -> T {
        let at = self.dice.usize(..of.len().max(1));
        of.get(at).copied().unwrap_or(otherwise)
    }

    /// Something happens.
    fn act(&mut self) {
        match self.dice.u64(..100) {
            0..=34 => self.letter(),
            35..=59 => self.wait(),
            60..=71 => self.peer(),
            72..=75 => self.dns(),
            76..=83 => self.node(),
            84..=90 => self.mishap(),
            91..=92 => self.disk(),
            93..=96 => self.operate(),
            97 => self.clock(),
            _ => self.settings(),
        }
    }

    fn wait(&mut self) {
        let seconds = match self.dice.u64(..10) {
            0..=5 => self.dice.u64(1..=15),
            6..=8 => self.dice.u64(15..=60),
            _ => self.dice.u64(60..=240),
        };
        self.line(&format!("wait {seconds}s"));
    }

    fn letter(&mut self) {
        let from = self.pick(&SENDERS, "<>");
        let count = if self.one_in(3) {
            self.dice.usize(2..=5)
        } else {
            1
        };
        let mut to: Vec<&str> = Vec::new();
        for _ in 0..count {
            let one = self.pick(&RECIPIENTS, "ada@here.test");
            if !to.contains(&one) {
                to.push(one);
            }
        }
        let mut rest = format!("from {from} to {}", to.join(", "));
        if self.one_in(12) {
            rest.push_str(" size 300000");
        }
        if self.one_in(4) {
            let wish = self.pick(&WISHES, "NEVER");
            rest.push_str(&format!(" notify {wish}"));
        }
        if self.one_in(3) {
            return self.line(&format!("send {rest} whatever"));
        }
        let over = self.pick(&["inside", "inside", "mx", "lmtp"], "inside");
        let mut how = format!("mail over {over}");
        if self.one_in(5) {
            let pace = self.dice.u64(1..=8);
            how.push_str(&format!(" pace {pace}s"));
        }
        if self.one_in(10) {
            let lines = self.dice.u64(..8);
            how.push_str(&format!(" leaves after {lines}"));
        }
        self.line(&format!("{how} {rest}"));
    }

    fn peer(&mut self) {
        let peer = self.pick(&PEERS, "near");
        let octets = self.dice.u64(1..=900);
        match self.dice.u64(..12) {
            0 => self.line(&format!("peer {peer} refuses")),
            1 => self.line(&format!("peer {peer} hangs")),
            2 => self.line(&format!("peer {peer} breaks after {octets}")),
            3 => self.line(&format!("peer {peer} silent after {octets}")),
            4..=5 => self.line(&format!("peer {peer} recovers")),
            6 => self.line(&format!("peer {peer} now")),
            _ => {
                let mut script = format!("peer {peer} now");
                for _ in 0..self.dice.u64(1..=3) {
                    let rule = self.rule();
                    script.push_str("\n  ");
                    script.push_str(&rule);
                }
                self.line(&script);
            }
        }
    }

    fn rule(&mut self) -> String {
        let often = match self.dice.u64(..3) {
            0 => String::new(),
            _ => format!("first {}: ", self.dice.u64(1..=4)),
        };
        let moments = [
            "CONNECT", "EHLO", "MAIL", "RCPT", "RCPT", "DATA", "END", "END",
        ];
        let moment = self.pick(&moments, "RCPT");
        let deed = match self.dice.u64(..12) {
            0..=3 => "450 4.7.1 Later".to_owned(),
            4..=5 => "550 5.1.1 Never".to_owned(),
            6 => "421 4.3.2 Closing".to_owned(),
            7 => "drop".to_owned(),
            8 => "hang".to_owned(),
            9 => "half-close".to_owned(),
            10 => "drip 450 4.2.0 Slow".to_owned(),
            _ => format!("after {}s 450 4.2.0 Busy", self.dice.u64(1..=90)),
        };
        format!("{often}{moment} -> {deed}")
    }

    fn dns(&mut self) {
        let name = self.pick(
            &["far.test", "near.test", "far1.test", "dead.test"],
            "far.test",
        );
        match self.dice.u64(..6) {
            0 => self.line(&format!("dns servfail {name}")),
            1 => self.line(&format!("dns timeout {name}")),
            2..=3 => self.line(&format!("dns heals {name}")),
            4 => self.line("dns down"),
            _ => self.line("dns up"),
        }
    }

    /// The wall clock is stepped by a day, and later back. A restart takes the wall clock as it is, so none comes meanwhile.
    fn clock(&mut self) {
        let alone = matches!(self.nodes.as_slice(), [(_, Life::Runs)]);
        match self.clock {
            Wall::Right if alone => {
                let (there, back) = self.pick(&[("+1d", "-1d"), ("-1d", "+1d")], ("+1d", "-1d"));
                self.line(&format!("clock steps {there}"));
                self.clock = Wall::Stepped(back);
            }
            Wall::Right => {}
            Wall::Stepped(back) => {
                self.line(&format!("clock steps {back}"));
                self.clock = Wall::Right;
            }
        }
    }

    fn node(&mut self) {
        if self.clock != Wall::Right {
            return;
        }
        let at = self.dice.usize(..self.nodes.len().max(1));
        let Some((name, life)) = self.nodes.get(at).cloned() else {
            return;
        };
        let (verb, after) = match (life, self.dice.u64(..4)) {
            (Life::IsDown, _) => ("start", Life::Runs),
            (Life::Runs, 0) => ("stop", Life::IsDown),
            (Life::Runs, 1) => ("crash", Life::IsDown),
            (Life::Runs, _) => ("forget", Life::Runs),
        };
        self.line(&format!("{verb} {name}"));
        if let Some(node) = self.nodes.get_mut(at) {
            node.1 = after;
        }
    }

    fn mishap(&mut self) {
        let running = self.nodes.iter().filter(|(_, life)| *life == Life::Runs);
        let running: Vec<String> = running.map(|(name, _)| name.clone()).collect();
        let at = self.dice.usize(..running.len().max(1));
        let Some(node) = running.get(at) else { return };
        let after = self.dice.u64(..400);
        let times = self.dice.u64(1..=4);
        let trouble = match self.dice.u64(..12) {
            0..=3 => format!("panic after {after}"),
            4..=5 => format!("hang after {after}"),
            6 => "hang at attempt".to_owned(),
            7 => "panic at attempt".to_owned(),
            8 => "no-hints".to_owned(),
            9 => format!("store refuses {times}"),
            10 => format!("store loses {times}"),
            _ => "store hangs".to_owned(),
        };
        self.line(&format!("mishap {node} {trouble}"));
        if self.one_in(2) {
            self.wait();
            self.line(&format!("mishap {node} over"));
        }
    }

    fn disk(&mut self) {
        self.line("disk full");
        self.wait();
        self.line("disk free");
    }

    fn operate(&mut self) {
        self.acts += 1;
        let filters = [
            "",
            " --state queued",
            " --state held",
            " --domain far.test",
            " --sender ada@here.test",
            " --state categorizing",
        ];
        let filter = self.pick(&filters, "");
        let verbs = [
            "retries", "holds", "holds", "releases", "releases", "returns", "discards", "reroutes",
        ];
        let verb = self.pick(&verbs, "retries");
        let act = self.acts;
        self.line(&format!(
            "operator {verb} any{filter} --reason \"act {act}\""
        ));
    }

    /// A reload in the middle of everything.
    fn settings(&mut self) {
        let changes = [
            ("lease = \"20s\"", "lease = \"35s\""),
            (
                "retry = [\"10s\", \"20s\", \"40s\", \"1m\"]",
                "retry = [\"5s\", \"90s\"]",
            ),
            ("poison_attempts = 3", "poison_attempts = 1"),
            ("poll_interval = \"2s\"", "poll_interval = \"7s\""),
            ("sweep_interval = \"3s\"", "sweep_interval = \"8s\""),
            (
                "poison_attempts = 3",
                "poison_attempts = 3\n  hop_max_concurrency = 1\n  hop_initial_concurrency = 1",
            ),
            (
                "poison_attempts = 3",
                "poison_attempts = 3\n  ready_limit = 2",
            ),
            (
                "poison_attempts = 3",
                "poison_attempts = 3\n  late_policy = \"hold\"",
            ),
            ("", ""),
        ];
        let (old, new) = self.pick(&changes, ("", ""));
        self.text
            .push_str(&SETTINGS.replacen(old, new, usize::from(!old.is_empty())));
    }

    /// Everything works again.
    fn heal(&mut self) {
        self.line("# Everything works again.");
        if self.clock != Wall::Right {
            self.clock();
        }
        for peer in PEERS {
            self.line(&format!("peer {peer} recovers\npeer {peer} now"));
        }
        self.line("dns up\ndisk free");
        for name in ["far.test", "near.test", "far1.test", "dead.test"] {
            self.line(&format!("dns heals {name}"));
        }
        for (name, life) in std::mem::take(&mut self.nodes) {
            match life {
                Life::Runs => self.line(&format!("mishap {name} over")),
                Life::IsDown => self.line(&format!("start {name}")),
            }
        }
    }
}
