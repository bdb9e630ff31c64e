//! Promises of the configuration file.

use std::time::Duration;

use crate::*;

/// The example of the design: what outside scripts rely on.
const EXAMPLE: &str = r#"
hostname = "mx.example.test"
store = "sqlite:./data/postrider.db"          # or "postgres://..."
[[listener]]
name = "mx"
protocol = "smtp"                             # smtp | submission | lmtp
address = "127.0.0.1:2525"
[[connector]]
name = "partner"
address_space = ["partner.test", "*.partner.test"]
next_hop = "127.0.0.1:2526"                   # or "mx" (DNS)
cost = 10
[queue]
lifetime = "4d"
delay_notice = ["1h", "24h"]
retry = ["1m", "3m", "5m", "10m", "15m", "30m", "1h"]
[dns]
servers = ["127.0.0.1:5353"]
"#;

const HOST: &str = "hostname = \"mx.example.test\"\n";

fn host(name: &str) -> Hostname {
    name.parse().expect("a host name")
}

fn refused(text: &str) -> Vec<Problem> {
    Settings::parse(text).expect_err("the file is wrong")
}

/// Checks that `text`, under a hostname in line 1, has exactly this problem.
fn check(text: &str, line: usize, name: &str, what: &str, remedy: &str) {
    let problems = refused(&format!("{HOST}{text}"));
    let [problem] = problems.as_slice() else {
        panic!("{text}\nhas not one problem, but {problems:#?}");
    };
    let found = (
        problem.line,
        problem.name.as_str(),
        problem.what.as_str(),
        problem.remedy.as_str(),
    );
    assert_eq!(found, (line, name, what, remedy), "\n{text}");
}

#[test]
fn the_example_of_the_design_parses_to_what_it_says() {
    let settings = Settings::parse(EXAMPLE).expect("the example is right");
    let expected = Settings {
        server: Server {
            hostname: host("mx.example.test"),
            store: Store::Sqlite("./data/postrider.db".into()),
            data_directory: None,
            node: None,
            web_address: None,
        },
        listeners: vec![Listener {
            name: "mx".to_owned(),
            protocol: Protocol::Smtp,
            address: Endpoint::Tcp(([127, 0, 0, 1], 2525).into()),
            ..Listener::default()
        }],
        connectors: vec![Connector {
            name: "partner".to_owned(),
            address_space: vec![
                AddressSpace::Exact(host("partner.test")),
                AddressSpace::Below(host("partner.test")),
            ],
            next_hop: NextHop::Address(([127, 0, 0, 1], 2526).into()),
            cost: 10,
            ..Connector::default()
        }],
        queue: Queue {
            lifetime: Duration::from_secs(4 * 86_400),
            delay_notice: vec![Duration::from_secs(3600), Duration::from_secs(86_400)],
            retry: [1, 3, 5, 10, 15, 30, 60]
                .map(|minutes| Duration::from_secs(minutes * 60))
                .to_vec(),
            ..Queue::default()
        },
        dns: Dns {
            servers: vec![([127, 0, 0, 1], 5353).into()],
            ..Dns::default()
        },
        ..Settings::default()
    };
    assert_eq!(settings, expected);
    assert_eq!(settings.node_name(), "mx.example.test");
}

#[test]
fn a_file_with_only_a_hostname_has_every_default() {
    let settings = Settings::parse("hostname = \"localhost\"\n").expect("nothing else is required");
    assert_eq!(settings, Settings::default());
}

#[test]
fn every_setting_can_be_written_as_the_manual_shows_it() {
    let mut lines = Vec::new();
    for page in catalogue() {
        if !page.name.is_empty() {
            lines.push(page.heading.clone());
        }
        let shown = page.rows.iter().filter(|row| row.value != "unset");
        lines.extend(shown.map(|row| format!("{} = {}", row.name, row.value)));
    }
    let settings = Settings::parse(&lines.join("\n")).expect("each default passes its own check");
    let expected = Settings {
        listeners: vec![Listener::default()],
        connectors: vec![Connector::default()],
        ..Settings::default()
    };
    assert_eq!(settings, expected);
}

/// The pages stand at the root of their host.
#[test]
fn the_address_of_the_web_is_a_host_alone() {
    for text in ["https://mail.example.test", "http://127.0.0.1:2580/"] {
        let settings = Settings::parse(&format!("{HOST}web_address = {text:?}\n"));
        let web = settings.unwrap().server.web_address.unwrap();
        assert_eq!(web.at("/x"), format!("{}/x", text.trim_end_matches('/')));
    }
    check(
        "web_address = \"https://example.test/mail/\"\n",
        2,
        "web_address",
        "the pages are at the root of their host, and https://example.test/mail/ goes on after it",
        "write the host alone, such as \"https://mail.example.org\"",
    );
}

#[test]
fn the_printed_manual_is_the_one_in_the_docs_folder() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/settings.md");
    let printed = std::fs::read_to_string(path).expect("docs/settings.md is there");
    let same = printed == manual();
    assert!(
        same,
        "run: cargo run -p ground-settings --example manual > docs/settings.md"
    );
}

#[test]
fn every_problem_is_reported_in_the_order_of_the_file() {
    let problems = refused(
        r#"hostnam = "mx.example.test"
store = "mysql:db"
[queue]
lifetime = 4
retry = ["1m", "soon", "2x"]
[[listener]]
name = "mx"
"#,
    );
    let found: Vec<(usize, usize, &str)> = problems
        .iter()
        .map(|problem| (problem.line, problem.column, problem.name.as_str()))
        .collect();
    let expected = vec![
        (1, 1, "hostname"),
        (1, 1, "hostnam"),
        (2, 9, "store"),
        (4, 12, "queue.lifetime"),
        (5, 16, "queue.retry"),
        (5, 24, "queue.retry"),
        (6, 1, "listener.protocol"),
        (6, 1, "listener.address"),
    ];
    assert_eq!(found, expected, "{problems:#?}");
}

#[test]
fn a_problem_reads_as_one_line() {
    let problems = refused(&format!("{HOST}[queue]\nlifetme = \"4d\"\n"));
    assert_eq!(
        problems.first().map(ToString::to_string).as_deref(),
        Some(
            "line 3, column 1: queue.lifetme: there is no setting lifetme in [queue]; did you mean lifetime?"
        )
    );
}

#[test]
fn columns_count_characters_not_bytes() {
    let problems = refused("hostname = \"mx.test\"\nstore = [\"ü\", 1] \nnode = \"ü\"\n");
    let places: Vec<_> = problems.iter().map(|p| (p.line, p.column)).collect();
    assert_eq!(places, [(2, 9), (3, 8)]);
    let problems = refused("hostname = \"mx.test\"\ndns = { servers = [\"ü\", \"1.2.3.4\"] }\n");
    let places: Vec<_> = problems.iter().map(|p| (p.line, p.column)).collect();
    assert_eq!(places, [(2, 20), (2, 25)]);
}

#[test]
fn unknown_names_are_answered_with_what_was_meant() {
    for (text, line, name, what, remedy) in [
        (
            "[quue]\n",
            2,
            "quue",
            "there is no setting or section quue",
            "did you mean queue?",
        ),
        (
            "[limits]\nmax-session = 5\n",
            3,
            "limits.max-session",
            "there is no setting max-session in [limits]",
            "did you mean max_sessions?",
        ),
        (
            "[dns]\nlease = \"1m\"\n",
            3,
            "dns.lease",
            "there is no setting lease in [dns]",
            "move it to [queue]",
        ),
        (
            "[dns]\nstore = \"sqlite:x\"\n",
            3,
            "dns.store",
            "there is no setting store in [dns]",
            "move it to the top of the file, above the first section",
        ),
        (
            "[dns]\ncolour = \"red\"\n",
            3,
            "dns.colour",
            "there is no setting colour in [dns]",
            "remove it; known here: servers, timeout, attempts",
        ),
    ] {
        check(text, line, name, what, remedy);
    }
}

#[test]
fn wrong_types_say_what_is_written_and_what_to_write() {
    for (text, line, name, what, remedy) in [
        (
            "[queue]\nlifetime = 4\n",
            3,
            "queue.lifetime",
            r#"it is a whole number, expected a length of time such as "90s", "1h30m" or "4d""#,
            r#"say which unit, such as "4s""#,
        ),
        (
            "[storage]\ninline_body = 1000\n",
            3,
            "storage.inline_body",
            r#"it is a whole number, expected a size such as "25MB" or "256KiB""#,
            r#"say which unit, such as "1000B""#,
        ),
        (
            "[limits]\nmax_errors = \"20\"\n",
            3,
            "limits.max_errors",
            "it is a string, expected a whole number",
            "write digits, without quotes",
        ),
        (
            "[limits]\nmax_errors = -1\n",
            3,
            "limits.max_errors",
            "-1 does not fit",
            "write a number from 0 to 4294967295",
        ),
        (
            "[test]\nclock_control = \"yes\"\n",
            3,
            "test.clock_control",
            "it is a string, expected true or false",
            "write true or false, without quotes",
        ),
        (
            "[queue]\nretry_jitter = \"0.1\"\n",
            3,
            "queue.retry_jitter",
            "it is a string, expected a fraction such as 0.1",
            "write digits, without quotes",
        ),
        (
            "[dns]\nservers = \"127.0.0.1:53\"\n",
            3,
            "dns.servers",
            r#"it is a string, expected list; each is an IP address with a port such as "127.0.0.1:53" or "[::1]:53""#,
            "put it in brackets: [...]",
        ),
        (
            "queue = 1\n",
            2,
            "queue",
            "it is a whole number, not a section",
            "write it once, as a section: [queue]",
        ),
        (
            "[listener]\nname = \"mx\"\n",
            2,
            "listener",
            "it is a section, not a list of sections",
            "write two brackets on each side: [[listener]]",
        ),
        (
            "[[queue]]\nlifetime = \"4d\"\n",
            2,
            "queue",
            "it is a list, not a section",
            "write it once, as a section: [queue]",
        ),
        (
            "listener = [1]\n",
            2,
            "listener",
            "it is a whole number, not a section",
            "write two brackets on each side: [[listener]]",
        ),
    ] {
        check(text, line, name, what, remedy);
    }
}

#[test]
fn values_out_of_bounds_are_answered_with_the_bounds() {
    for (text, name, what, remedy) in [
        (
            "[limits]\nmax_recipients = 0\n",
            "limits.max_recipients",
            "0 is below 1",
            "choose a value from 1 to 100000",
        ),
        (
            "[queue]\nlifetime = \"61d\"\n",
            "queue.lifetime",
            r#""61d" is above "60d""#,
            r#"choose a value from "1s" to "60d""#,
        ),
        (
            "[queue]\nretry = []\n",
            "queue.retry",
            "the list is empty",
            "give at least one value",
        ),
        (
            "[queue]\nretry = [\"1m\", \"2d\"]\n",
            "queue.retry",
            r#""2d" is above "1d""#,
            r#"choose a value from "1s" to "1d""#,
        ),
        (
            "[queue]\ndelay_notice = [\"2h\", \"1h\"]\n",
            "queue.delay_notice",
            "the values do not rise",
            "put each once, smallest first",
        ),
        (
            "[queue]\nretry_jitter = nan\n",
            "queue.retry_jitter",
            "nan is not a finite number",
            "write one such as 0.1",
        ),
        (
            "[queue]\nlate_policy = \"deliver\"\n",
            "queue.late_policy",
            r#""deliver" is not one of "deliver_with_notice", "hold" or "return""#,
            "choose one of them",
        ),
        (
            "[log]\nlevel = \"infos\"\n",
            "log.level",
            r#""infos" is not one of "error", "warn", "info", "debug" or "trace""#,
            r#"did you mean "info"?"#,
        ),
        (
            "[test]\ndetours = [\"192.0.2.25 -> 127.0.0.1\"]\n",
            "test.detours",
            r#""192.0.2.25 -> 127.0.0.1" is not a detour"#,
            r#"write one such as "192.0.2.25:25 -> 127.0.0.1:40025""#,
        ),
        (
            "[delivery]\nsubaddress_separator = \"++\"\n",
            "delivery.subaddress_separator",
            r#""++" cannot separate a subaddress"#,
            "write one of + - = _ # ! or empty",
        ),
        (
            "[tls]\ncertificate = \"\"\n",
            "tls.certificate",
            r#""" is not a path"#,
            "write a path",
        ),
    ] {
        check(text, 3, name, what, remedy);
    }
}

#[test]
fn names_written_twice_are_found() {
    check(
        "[queue]\nlifetime = \"4d\"\nlease = \"60s\"\nlifetime = \"5d\"\n",
        5,
        "lifetime",
        "lifetime is written twice",
        "keep one of the two",
    );
    check(
        "[queue]\nlifetime = \"4d\"\n[dns]\n[queue]\nlease = \"60s\"\n",
        5,
        "queue",
        "queue is written twice",
        "keep one of the two",
    );
    let two = |a: &str, b: &str, c: &str, d: &str| {
        format!(
            "[[listener]]\nname = \"{a}\"\nprotocol = \"smtp\"\naddress = \"{b}\"\n\
             [[listener]]\nname = \"{c}\"\nprotocol = \"smtp\"\naddress = \"{d}\"\n"
        )
    };
    check(
        &two("a", "127.0.0.1:25", "b", "127.0.0.1:25"),
        9,
        "listener.address",
        "another listener has the address 127.0.0.1:25 already",
        "give each its own",
    );
    check(
        &two("a", "127.0.0.1:25", "a", "127.0.0.1:26"),
        7,
        "listener.name",
        "another listener has the name a already",
        "give each its own",
    );
    let chosen = format!("{HOST}{}", two("a", "127.0.0.1:0", "b", "127.0.0.1:0"));
    assert!(Settings::parse(&chosen).is_ok(), "port 0 is never the same");
}

#[test]
fn a_protocol_that_nobody_serves_is_no_good_listener() {
    let read = "remove this listener; mail is read with: postrider mail";
    for (protocol, remedy) in [("imap", read), ("pop3", read)] {
        let text = format!(
            "[[listener]]\nname = \"x\"\nprotocol = \"{protocol}\"\naddress = \"127.0.0.1:1\"\n"
        );
        let what = format!(
            r#"this version has no "{protocol}", only "smtp", "submission", "lmtp" or "http""#
        );
        check(&text, 4, "listener.protocol", &what, remedy);
    }
}

#[test]
fn contradictions_in_telemetry_are_found_and_its_secret_is_shown_nowhere() {
    let secret = "authorization = \"Bearer s3cret\"";
    for (rest, line, name, what, remedy) in [
        (
            secret.to_owned(),
            3,
            "telemetry.authorization",
            "there is nobody to send it to",
            "say where the collector is with otlp, or remove authorization",
        ),
        (
            format!("otlp = \"http://collector.test:4318\"\n{secret}"),
            4,
            "telemetry.authorization",
            "secrets never cross the wire in the clear",
            "write https:// in otlp, or remove authorization",
        ),
        (
            "otlp = \"https://collector.test/?a=b\"".to_owned(),
            3,
            "telemetry.otlp",
            "v1/metrics cannot be put below an address with a question mark",
            "write the collector's address alone, such as \"http://127.0.0.1:4318\"",
        ),
        (
            "otlp = \"https://a.test\"\nauthorization = \"s3cret\\n\"".to_owned(),
            4,
            "telemetry.authorization",
            "it cannot stand in a field of HTTP",
            "write one line of printable ASCII such as \"Bearer TOKEN\"",
        ),
    ] {
        check(&format!("[telemetry]\n{rest}\n"), line, name, what, remedy);
    }
    for host in [
        "http://127.0.0.1:4318",
        "http://[::1]:4318",
        "http://localhost:4318",
        "https://a.test",
    ] {
        let text = format!("{HOST}[telemetry]\notlp = \"{host}\"\n{secret}\n");
        let settings = Settings::parse(&text).unwrap();
        assert!(!format!("{settings:?}").contains("s3cret"));
    }
}

#[test]
fn contradictions_in_listeners_are_found() {
    let listener = |protocol: &str, rest: &str| {
        format!("[[listener]]\nname = \"x\"\nprotocol = \"{protocol}\"\n{rest}\n")
    };
    let tcp = "address = \"127.0.0.1:1\"";
    for (protocol, rest, line, name, what, remedy) in [
        (
            "submission",
            format!("{tcp}\ntls = \"off\""),
            6,
            "listener.tls",
            "clients log in here, and passwords never cross the wire in the clear",
            r#"set tls = "starttls" or "implicit", or auth = "off""#,
        ),
        (
            "lmtp",
            format!("{tcp}\nauth = \"optional\""),
            6,
            "listener.auth",
            "clients log in here, and passwords never cross the wire in the clear",
            r#"set tls = "starttls" or "implicit", or auth = "off""#,
        ),
        (
            "smtp",
            "address = \"unix:./smtp\"".to_owned(),
            5,
            "listener.address",
            "a Unix socket is for LMTP, and this listener speaks smtp",
            r#"write an IP address and a port, or protocol = "lmtp""#,
        ),
        (
            "lmtp",
            "address = \"unix:./lmtp\"\nproxy_protocol = true".to_owned(),
            6,
            "listener.proxy_protocol",
            "a Unix socket has no proxy before it",
            "remove proxy_protocol",
        ),
        (
            "http",
            "address = \"0.0.0.0:8025\"\ntls = \"off\"".to_owned(),
            6,
            "listener.tls",
            "operators log in here, and passwords never cross the wire in the clear",
            r#"set tls = "implicit", or listen on 127.0.0.1 behind a proxy that encrypts"#,
        ),
        (
            "http",
            format!("{tcp}\ntls = \"starttls\""),
            6,
            "listener.tls",
            "HTTP has no STARTTLS",
            r#"set tls = "implicit""#,
        ),
        (
            "http",
            format!("{tcp}\nauth = \"required\"\ntls = \"implicit\""),
            6,
            "listener.auth",
            "auth is about sending mail; operators always log in",
            "remove auth",
        ),
        (
            "smtp",
            format!("{tcp}\nmax_sessions = 6000"),
            6,
            "listener.max_sessions",
            "6000 sessions are allowed here, and 5000 on all listeners together",
            "lower it, or raise max_sessions in [limits]",
        ),
    ] {
        check(&listener(protocol, &rest), line, name, what, remedy);
    }
}

#[test]
fn contradictions_in_connectors_are_found() {
    let missing = "[[connector]]\nname = \"x\"\naddress_space = [\"*\"]\n";
    check(
        missing,
        2,
        "connector.next_hop",
        "it is required and missing",
        r#"add it, for example: next_hop = "mx""#,
    );
    let hop = "next_hop = \"smart.test:587\"";
    for (rest, line, name, what, remedy) in [
        (
            "next_hop = \"mx\"\nprotocol = \"lmtp\"".to_owned(),
            5,
            "connector.next_hop",
            "LMTP is not spoken between domains (RFC 2033 s5)",
            r#"name the host and port, or set protocol = "smtp""#,
        ),
        (
            "next_hop = \"unix:/run/lmtp\"".to_owned(),
            5,
            "connector.next_hop",
            "a Unix socket is for LMTP, and this connector speaks smtp",
            r#"set protocol = "lmtp", or name a host and port"#,
        ),
        (
            "next_hop = \"127.0.0.1:25\"\nsource_address = \"::1\"".to_owned(),
            6,
            "connector.source_address",
            "one is an IPv4 address and the other an IPv6 address",
            "remove source_address, or write one of the next hop's kind",
        ),
        (
            format!("{hop}\ntls = \"required\"\nusername = \"u\""),
            7,
            "connector.username",
            "there is a username and no password",
            "add password or password_file",
        ),
        (
            format!("{hop}\npassword = \"p\""),
            6,
            "connector.password",
            "there is a password and no username",
            "add username",
        ),
        (
            format!(
                "{hop}\ntls = \"verify\"\nusername = \"u\"\npassword = \"p\"\npassword_file = \"f\""
            ),
            8,
            "connector.password",
            "the password is given twice",
            "keep password or password_file",
        ),
        (
            format!("{hop}\nusername = \"u\"\npassword = \"p\""),
            6,
            "connector.username",
            "a password never crosses the wire in the clear, and tls is opportunistic",
            r#"set tls = "verify" or "required""#,
        ),
        (
            format!("{hop}\ntls = \"off\"\nimplicit_tls = true"),
            7,
            "connector.implicit_tls",
            "TLS is to start at the first byte, and is off",
            r#"remove implicit_tls, or set tls = "required" or "verify""#,
        ),
        (
            format!("{hop}\ndelay_notice = [\"1h\", \"5d\"]"),
            6,
            "connector.delay_notice",
            r#"a notice at "5d" never comes: mail is returned at "4d""#,
            "remove the notice, or raise lifetime",
        ),
    ] {
        let text = format!("[[connector]]\nname = \"x\"\naddress_space = [\"*\"]\n{rest}\n");
        check(&text, line, name, what, remedy);
    }
}

#[test]
fn contradictions_in_other_sections_are_found() {
    for (text, line, name, what, remedy) in [
        (
            "[queue]\nlifetime = \"12h\"\ndelay_notice = [\"1h\", \"24h\"]\n",
            4,
            "queue.delay_notice",
            r#"a notice at "1d" never comes: mail is returned at "12h""#,
            "remove the notice, or raise lifetime",
        ),
        (
            "[queue]\nhop_max_concurrency = 2\nhop_initial_concurrency = 5\n",
            4,
            "queue.hop_initial_concurrency",
            "a new next hop starts with 5 connections, and 2 are allowed",
            "lower hop_initial_concurrency, or raise hop_max_concurrency",
        ),
        (
            "[tls]\nkey = \"key.pem\"\n",
            3,
            "tls.key",
            "there is a key and no certificate",
            "add certificate, or remove key",
        ),
        (
            "[tls]\ncertificate = \"cert.pem\"\n",
            3,
            "tls.certificate",
            "there is a certificate and no key",
            "add key, or remove certificate",
        ),
        (
            "[test]\nclock_ahead = \"4h\"\n",
            3,
            "test.clock_ahead",
            "clock_ahead is for tests, and this is no server under test",
            "remove it, or add clock_control = true",
        ),
        (
            "[test]\ndetours = [\"192.0.2.25:25 -> 127.0.0.1:40025\"]\n",
            3,
            "test.detours",
            "detours is for tests, and this is no server under test",
            "remove it, or add clock_control = true",
        ),
    ] {
        check(text, line, name, what, remedy);
    }
}

#[test]
fn a_default_never_contradicts_what_is_written() {
    let text = format!("{HOST}[queue]\nlifetime = \"30m\"\nhop_max_concurrency = 2\n");
    let queue = Settings::parse(&text).expect("the rest is defaults").queue;
    assert_eq!(queue.schedule().delay_notice, []);
    assert_eq!(queue.initial_concurrency(queue.hop_max_concurrency), 2);
}

#[test]
fn a_refused_value_makes_no_second_complaint() {
    check(
        "[queue]\nlifetime = \"9x\"\ndelay_notice = [\"5d\"]\n",
        3,
        "queue.lifetime",
        r#""9x" is not a length of time"#,
        r#"write numbers with the units w, d, h, m, s, ms, largest first, such as "90s", "1h30m" or "4d""#,
    );
}

#[test]
fn broken_toml_is_told_once_a_line_and_nothing_is_guessed_after_it() {
    for (text, expected) in [
        ("hostname = mx.test\n", vec![(1, "")]),
        (
            "hostname = \"mx.test\"\nstore = 1\n[dns]\nservers = [\"1.1.1.1:53\"\ntimeout = \"1s\"\n",
            vec![(2, "store"), (5, "")],
        ),
        (
            "hostname = \"mx.test\"\n[queue\nlifetime = 4\n",
            vec![(2, "")],
        ),
        (
            "hostname = \"mx.test\"\n[queue]\nlifetime\n[dns]\ntimeout = = 4\n",
            vec![(3, ""), (5, "")],
        ),
    ] {
        let problems = refused(text);
        let found: Vec<_> = problems.iter().map(|p| (p.line, p.name.as_str())).collect();
        assert_eq!(found, expected, "{text}\n{problems:#?}");
        let broken = problems.iter().filter(|problem| problem.name.is_empty());
        for problem in broken {
            assert!(problem.what.starts_with("this is not TOML: "), "{problem}");
        }
    }
}

#[test]
fn nothing_an_operator_writes_panics() {
    let mut text = EXAMPLE.to_owned();
    while text.pop().is_some() {
        drop(Settings::parse(&text));
    }
    for (at, _) in EXAMPLE.char_indices() {
        for wrong in ["\"", "[", "]", "=", "\n", "ü", "0", "\r"] {
            let (before, after) = EXAMPLE.split_at(at);
            drop(Settings::parse(&format!("{before}{wrong}{after}")));
        }
    }
}

#[test]
fn secrets_never_show() {
    let text = format!(
        "store = \"postgres://u:hunter2@db/mail\"\n{HOST}[[connector]]\nname = \"x\"\naddress_space = [\"*\"]\n\
         next_hop = \"smart.test:587\"\ntls = \"verify\"\nusername = \"u\"\npassword = \"hunter2\"\n"
    );
    let settings = Settings::parse(&text).expect("a right file");
    assert!(!format!("{settings:?}").contains("hunter2"));
    let password = settings.connectors.first().and_then(|c| c.password.clone());
    assert_eq!(password.as_ref().map(Secret::reveal), Some("hunter2"));
}

#[test]
fn an_own_value_wins_over_the_general_one() {
    let text = format!(
        "{HOST}[limits]\nmax_errors = 7\n[[listener]]\nname = \"x\"\nprotocol = \"submission\"\n\
         address = \"[::1]:587\"\nmessage_size = \"1MB\"\n[[connector]]\nname = \"y\"\naddress_space = [\"*\"]\n\
         next_hop = \"mx\"\nlifetime = \"2h\"\nmax_connections = 3\n"
    );
    let settings = Settings::parse(&text).expect("a right file");
    let listener = settings.listeners.first().expect("a listener");
    let limits = listener.limits(&settings.limits);
    assert_eq!(
        (limits.message_size, limits.max_errors),
        (Size(1_000_000), 7)
    );
    assert_eq!(listener.auth(), Auth::Required);
    assert_eq!(listener.tls(), ListenerTls::Starttls);
    let connector = settings.connectors.first().expect("a connector");
    let schedule = connector.schedule(&settings.queue);
    assert_eq!(schedule.lifetime, Duration::from_secs(7200));
    assert_eq!(schedule.delay_notice, [Duration::from_secs(3600)]);
    assert_eq!(schedule.retry, settings.queue.retry);
    assert_eq!(connector.max_connections(&settings.queue), 3);
}

#[test]
fn relative_paths_count_from_the_folder_of_the_file() {
    let folder = Path::new("/etc/postrider");
    let with = |text: &str| Settings::parse(&format!("{HOST}{text}")).expect("a right file");
    for (text, expected) in [
        ("", "/etc/postrider/data"),
        ("store = \"sqlite:book.db\"", "/etc/postrider"),
        ("store = \"sqlite:/var/lib/p/book.db\"", "/var/lib/p"),
        ("store = \"postgres://db/p\"", "/etc/postrider/data"),
        ("data_directory = \"here\"", "/etc/postrider/here"),
        ("data_directory = \"/there\"", "/there"),
    ] {
        let found = with(text).data_directory(folder);
        assert_eq!(
            found.components().collect::<PathBuf>(),
            PathBuf::from(expected),
            "{text}"
        );
    }
}
