//! What a collector hears of a node in a simulated world, and how it is treated when it does not listen.

use std::collections::BTreeSet;

use bytes::Bytes;
use ground_settings::Settings;
use ground_store::bodies::NewBody;
use ground_store::{Options, Store};
use ground_world::World;
use ground_world::net::{ListenOptions, Listener, Stream};
use ground_world::supervise::{Kept, Supervisor};
use path_ledger::{Birth, Envelope, HopKey, LedgerOptions, NewMessage, NewRecipient, Origin};
use path_watch::WatchParts;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use wire_message::{Address, ReversePath};
use wire_smtp::command::BodyType;

use super::super::Measure;
use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

const OFF: &str = "hostname = \"mx.test\"\n[alarms]\nrepeat = \"1m\"\n";
const ON: &str = "hostname = \"mx.test\"\n[telemetry]\notlp = \"http://127.0.0.1:4318/base/\"\nauthorization = \"Bearer s3cret\"\n";

const YES: Says = Says::Answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");

/// What the collector does with a push.
#[derive(Clone, Copy)]
enum Says {
    Answer(&'static str),
    Hangs,
}

/// A push as the collector heard it.
struct Heard {
    at: Instant,
    head: String,
    content: Value,
}

struct Bench {
    world: World,
    ledger: Ledger,
    settings: watch::Sender<Arc<Settings>>,
    watch: Arc<Watch>,
    stop: CancellationToken,
    supervisor: Supervisor,
    kept: Kept,
}

impl Bench {
    async fn new(text: &str) -> Self {
        let (world, _simulation) = World::simulated(7);
        let store = Store::open("sqlite::memory:", Options::default(), &world);
        let settings = Arc::new(Settings::parse(text).unwrap());
        let options = LedgerOptions::from_settings("node1", &settings);
        let ledger = Ledger::open(store.await.unwrap(), world.clone(), options);
        let ledger = ledger.await.unwrap();
        let supervisor = Supervisor::new(world.clock.clone());
        let watch = Watch::start(WatchParts {
            ledger: ledger.apart(),
            settings: settings.clone(),
            supervisor: supervisor.clone(),
            runtime: Handle::current(),
        });
        let (watch, stop) = (Arc::new(watch.unwrap()), CancellationToken::new());
        let (settings, receiver) = watch::channel(settings);
        let parts = ExportParts {
            ledger: ledger.apart(),
            settings: receiver,
            watch: watch.clone(),
            since: world.clock.now(),
            stop: stop.clone(),
        };
        let work = move |pulse| export(parts.clone(), pulse);
        Self {
            kept: supervisor.keep("telemetry", EXPORT_PULSE, work),
            world,
            ledger,
            settings,
            watch,
            stop,
            supervisor,
        }
    }

    fn set(&self, text: &str) {
        let settings = Settings::parse(text).unwrap();
        self.settings.send_replace(Arc::new(settings));
    }

    async fn accept(&self) {
        let envelope = Envelope {
            received_at: self.ledger.now(),
            sender: ReversePath::Null,
            origin: Origin::Smtp,
            listener: String::new(),
            peer: String::new(),
            helo: String::new(),
            tls: String::new(),
            auth: String::new(),
            body_type: BodyType::SevenBit,
            smtputf8: false,
            ret: None,
            envid: None,
            message_id: String::new(),
            subject: String::new(),
            cause: None,
        };
        let recipient = NewRecipient {
            address: Address::parse("jo@far.test").unwrap(),
            orcpt: None,
            notify: None,
            parent: None,
            birth: Birth::Queued {
                next_hop: HopKey::mx("far.test"),
            },
        };
        let message = NewMessage {
            id: self.ledger.new_id(),
            envelope,
            body: NewBody::Inline(Bytes::from_static(b"Subject: a\r\n\r\nb\r\n")),
            recipients: vec![recipient],
        };
        self.ledger.accept(message).await.unwrap();
    }

    async fn page(&self) -> String {
        let (alarms, audited) = (self.watch.alarms(), self.watch.last_audit());
        super::super::text(&self.ledger, &alarms, audited)
            .await
            .unwrap()
    }

    /// A collector, which treats the first pushes as it is told, and takes all others.
    async fn collector(&self, says: &'static [Says]) -> mpsc::UnboundedReceiver<Heard> {
        let (tell, heard) = mpsc::unbounded_channel();
        let address = "127.0.0.1:4318".parse().unwrap();
        let listener = self.world.net.listen(address, ListenOptions::default());
        tokio::spawn(collect(listener.await.unwrap(), says, tell));
        heard
    }
}

async fn collect(listener: Listener, says: &[Says], tell: mpsc::UnboundedSender<Heard>) {
    let mut says = says.iter().copied();
    let mut held = Vec::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        let heard = request(&mut stream).await;
        match says.next().unwrap_or(YES) {
            Says::Answer(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
            Says::Hangs => held.push(stream),
        }
        tell.send(heard).unwrap();
    }
}

async fn request(stream: &mut Stream) -> Heard {
    let mut octets = Vec::new();
    loop {
        stream.read_buf(&mut octets).await.unwrap();
        let text = String::from_utf8_lossy(&octets);
        let Some((head, content)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let (_, length) = head.split_once("Content-Length: ").unwrap();
        let length: usize = length.lines().next().unwrap().parse().unwrap();
        if content.len() == length {
            return Heard {
                at: Instant::now(),
                head: head.to_owned(),
                content: serde_json::from_str(content).unwrap(),
            };
        }
    }
}

async fn next(heard: &mut mpsc::UnboundedReceiver<Heard>) -> Heard {
    let next = tokio::time::timeout(MINUTE * 120, heard.recv()).await;
    next.expect("a push").unwrap()
}

/// How long after each push the next one came.
async fn gaps(heard: &mut mpsc::UnboundedReceiver<Heard>, count: usize) -> Vec<Duration> {
    let mut before = next(heard).await.at;
    let mut gaps = Vec::new();
    for _ in 0..count {
        let now = next(heard).await.at;
        gaps.push(now - before);
        before = now;
    }
    gaps
}

fn metrics(push: &Value) -> &[Value] {
    let scope = &push["resourceMetrics"][0]["scopeMetrics"][0];
    scope["metrics"].as_array().unwrap()
}

/// Every sample of a push, as the page writes it.
fn samples(push: &Value) -> BTreeSet<String> {
    let mut samples = BTreeSet::new();
    for metric in metrics(push) {
        let name = metric["name"].as_str().unwrap();
        let (suffix, data) = match ["gauge", "sum", "histogram"].map(|kind| &metric[kind]) {
            [gauge, Value::Null, Value::Null] => ("", gauge),
            [Value::Null, sum, Value::Null] => {
                assert_eq!(sum["isMonotonic"], true);
                assert_eq!(sum["aggregationTemporality"], 2);
                ("_total", sum)
            }
            [Value::Null, Value::Null, times] => {
                assert_eq!(times["aggregationTemporality"], 2);
                ("", times)
            }
            other => panic!("{other:?}"),
        };
        for point in data["dataPoints"].as_array().unwrap() {
            let labels = labels(point);
            let named = |suffix: &str, labels: &[String]| match labels.is_empty() {
                true => format!("{name}{suffix}"),
                false => format!("{name}{suffix}{{{}}}", labels.join(",")),
            };
            let mut write = |suffix: &str, labels: &[String], value: String| {
                let new = samples.insert(format!("{} {value}", named(suffix, labels)));
                assert!(new, "{name} twice");
            };
            match (&point["asInt"], &point["asDouble"]) {
                (Value::String(whole), Value::Null) => write(suffix, &labels, whole.clone()),
                (Value::Null, Value::Number(real)) => {
                    write(suffix, &labels, real.as_f64().unwrap().to_string());
                }
                (Value::Null, Value::Null) => histogram(point, &labels, &mut write),
                other => panic!("{other:?}"),
            }
        }
    }
    samples
}

fn labels(point: &Value) -> Vec<String> {
    let attributes = point["attributes"].as_array().unwrap().iter();
    let label = |attribute: &Value| {
        let value = attribute["value"]["stringValue"].as_str().unwrap();
        format!("{}=\"{value}\"", attribute["key"].as_str().unwrap())
    };
    attributes.map(label).collect()
}

fn histogram(point: &Value, labels: &[String], write: &mut impl FnMut(&str, &[String], String)) {
    let list = |name: &str| point[name].as_array().unwrap().clone();
    let bounds = list("explicitBounds").into_iter();
    let bounds = bounds.map(|bound| bound.as_f64().unwrap().to_string());
    let counts = list("bucketCounts");
    let bounds: Vec<String> = bounds.chain(["+Inf".to_owned()]).collect();
    assert_eq!(bounds.len(), counts.len());
    let mut all: u64 = 0;
    for (bound, count) in bounds.iter().zip(&counts) {
        all += count.as_str().unwrap().parse::<u64>().unwrap();
        let labels = [labels, &[format!("le=\"{bound}\"")]].concat();
        write("_bucket", &labels, all.to_string());
    }
    assert_eq!(point["count"], all.to_string());
    write("_count", labels, all.to_string());
    write("_sum", labels, point["sum"].as_f64().unwrap().to_string());
}

#[tokio::test(start_paused = true)]
async fn a_push_has_every_measure_with_the_value_that_the_page_shows_at_that_moment() {
    let bench = Bench::new(OFF).await;
    let mut heard = bench.collector(&[]).await;
    bench.accept().await;
    // Until the first audit and sweeps are done, and ages are no round numbers.
    bench.world.clock.sleep(MINUTE * 90 + SECOND / 2).await;
    bench.set(ON);
    let push = next(&mut heard).await;
    let page = bench.page().await;
    assert_eq!(push.at, Instant::now());
    let shown = page.lines().filter(|line| !line.starts_with('#'));
    let shown: BTreeSet<String> = shown.map(str::to_owned).collect();
    assert_eq!(samples(&push.content), shown);
    let names = metrics(&push.content).iter();
    let names: Vec<&str> = names.map(|one| one["name"].as_str().unwrap()).collect();
    let declared: Vec<&str> = Measure::ALL.iter().map(|one| one.declared().name).collect();
    assert_eq!(names, declared);
    assert!(
        push.head
            .starts_with("POST /base/v1/metrics HTTP/1.1\r\nHost: 127.0.0.1:4318\r\n")
    );
    for field in [
        "Content-Type: application/json",
        "Authorization: Bearer s3cret",
    ] {
        assert!(push.head.contains(field), "{}", push.head);
    }
}

#[tokio::test(start_paused = true)]
async fn a_push_says_who_counts_since_when_and_in_which_unit() {
    let bench = Bench::new(OFF).await;
    let mut heard = bench.collector(&[]).await;
    let began = bench.world.clock.now();
    bench.world.clock.sleep(MINUTE).await;
    bench.set(ON);
    let push = next(&mut heard).await.content;
    let resource = &push["resourceMetrics"][0]["resource"];
    let version = env!("CARGO_PKG_VERSION");
    let who = [
        "service.name=\"postrider\"",
        "service.instance.id=\"node1\"",
    ]
    .map(str::to_owned);
    let [name, instance] = who;
    assert_eq!(
        labels(resource),
        [name, format!("service.version=\"{version}\""), instance]
    );
    let nanos = |at: Time| Value::String(format!("{}000000", at.as_millis()));
    let found = |name: &str| {
        let mut metrics = metrics(&push).iter();
        metrics.find(|one| one["name"] == name).unwrap()
    };
    for (name, kind, unit, since) in [
        ("postrider_units", "sum", "", nanos(began)),
        ("postrider_commit_seconds", "histogram", "s", nanos(began)),
        // Of the store, which is older than its processes.
        ("postrider_recipients", "sum", "", Value::Null),
        ("postrider_waiting", "gauge", "", Value::Null),
        ("postrider_oldest_due_seconds", "gauge", "s", Value::Null),
    ] {
        let (metric, point) = (found(name), &found(name)[kind]["dataPoints"][0]);
        assert_eq!(metric["unit"], unit, "{metric}");
        assert_eq!(point["startTimeUnixNano"], since, "{metric}");
        assert_eq!(
            point["timeUnixNano"],
            nanos(bench.world.clock.now()),
            "{metric}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_asks_for_a_pause_gets_it_and_one_that_refuses_is_asked_at_the_usual_time()
{
    const BUSY: Says = Says::Answer("HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n\r\n");
    const LATER: Says = Says::Answer("HTTP/1.1 429 Slow\r\nRetry-After: 300\r\n\r\n");
    const NEVER: Says = Says::Answer("HTTP/1.1 400 No\r\nRetry-After: 7\r\n\r\n");
    const FAR: Says = Says::Answer("HTTP/1.1 503 Busy\r\nRetry-After: 999999\r\n\r\n");
    let bench = Bench::new(ON).await;
    let mut heard = bench.collector(&[BUSY, LATER, NEVER, YES, FAR]).await;
    let (busy, later) = (SECOND * 7, SECOND * 300);
    let expected = [busy, later, MINUTE, MINUTE, RETRY_AFTER_MAX, MINUTE];
    assert_eq!(gaps(&mut heard, 6).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_hangs_or_leaves_is_asked_again_after_pauses_that_grow_and_harms_nothing()
{
    const GONE: Says = Says::Answer("");
    let bench = Bench::new(ON).await;
    let mut heard = bench
        .collector(&[Says::Hangs, GONE, GONE, GONE, GONE, GONE])
        .await;
    let gaps = gaps(&mut heard, 7).await;
    // The first one waited for the answer, too.
    let pauses: Vec<u64> = gaps.iter().map(Duration::as_secs).collect();
    let about = [15, 10, 20, 40, 60, 60, 60].map(|about: u64| about * 7 / 10..=about * 13 / 10);
    for (pause, about) in pauses.iter().zip(about) {
        assert!(about.contains(pause), "{pauses:?}");
    }
    assert_eq!(bench.supervisor.replaced(), []);
    assert_eq!(bench.watch.alarms(), []);
}

#[tokio::test(start_paused = true)]
async fn other_settings_hold_at_once_and_a_pause_outlives_settings_that_are_not_its_own() {
    const LATER: Says = Says::Answer("HTTP/1.1 429 Slow\r\nRetry-After: 1800\r\n\r\n");
    let bench = Bench::new(OFF).await;
    let mut heard = bench.collector(&[YES, YES, LATER]).await;
    bench.world.clock.sleep(MINUTE * 10).await;
    assert!(heard.is_empty());
    bench.set(ON);
    assert_eq!(gaps(&mut heard, 1).await, [MINUTE]);
    bench.set(OFF);
    bench.world.clock.sleep(MINUTE * 10).await;
    assert!(heard.is_empty());
    bench.set(ON);
    let asked = next(&mut heard).await.at;
    bench.world.clock.sleep(MINUTE).await;
    bench.set(&format!("{ON}[queue]\nlifetime = \"3d\"\n"));
    assert_eq!(next(&mut heard).await.at - asked, MINUTE * 30);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_pushes_once_more_and_waits_for_no_collector_that_hangs() {
    let mut bench = Bench::new(ON).await;
    let mut heard = bench.collector(&[YES, YES, Says::Hangs]).await;
    next(&mut heard).await;
    bench.world.clock.sleep(SECOND).await;
    bench.accept().await;
    bench.stop.cancel();
    bench.kept.ended().await;
    let last = next(&mut heard).await;
    assert_eq!(last.at, Instant::now());
    let accepted = samples(&last.content);
    assert!(accepted.contains("postrider_messages_accepted_total{origin=\"smtp\"} 1"));
}

#[test]
fn each_answer_means_what_the_protocol_says() {
    let now = Time::parse_rfc3339("2026-11-29T10:00:00Z").unwrap();
    let check = |status, retry_after: Option<&str>, content: &'static str, expected| {
        let reply = Reply {
            status,
            retry_after: retry_after.map(str::to_owned),
            content: content.into(),
        };
        assert_eq!(judge(Ok(reply), now), expected, "{status} {content}");
    };
    let said = |status| format!("it answered {status}");
    check(200, None, "{}", Pushed::Taken);
    check(200, None, "", Pushed::Taken);
    check(200, None, "{\"partialSuccess\":{}}", Pushed::Taken);
    let partial =
        "{\"partialSuccess\":{\"rejectedDataPoints\":\"3\",\"errorMessage\":\"too old\"}}";
    let complaint = Pushed::InPart("it rejected 3 points: \"too old\"".to_owned());
    check(200, None, partial, complaint);
    check(400, Some("5"), "", Pushed::GivenUp(said(400)));
    check(500, None, "", Pushed::GivenUp(said(500)));
    check(301, None, "", Pushed::GivenUp(said(301)));
    for status in [429, 502, 503, 504] {
        let later = |after: Option<u64>| {
            let after = after.map(Duration::from_secs);
            Pushed::Later(said(status), after)
        };
        check(status, None, "", later(None));
        check(status, Some("30"), "", later(Some(30)));
        check(status, Some("0"), "", later(Some(1)));
        check(
            status,
            Some("Sun, 29 Nov 2026 10:02:00 GMT"),
            "",
            later(Some(120)),
        );
        check(
            status,
            Some("Sun, 29 Nov 2026 09:00:00 GMT"),
            "",
            later(Some(1)),
        );
        check(status, Some("soon"), "", later(None));
    }
}
