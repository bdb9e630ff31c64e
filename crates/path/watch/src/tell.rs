//! Who is told: a webhook by HTTP, and an address by mail. Beside the sweeps, bounded, and never in their way.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use ground_settings::{Secured, WebAddress};
use ground_store::bodies::NewBody;
use ground_world::World;
use ground_world::http::{Over, Post};
use path_ledger::{Birth, Envelope, NewMessage, NewRecipient, Origin};
use tokio::sync::watch;
use tokio::time::Instant;
use wire_message::{Address, ReversePath};
use wire_smtp::command::{BodyType, Notify};

use crate::Room;
use crate::alarm::{Alarm, Standing};
use crate::catalogue::AlarmKind;

/// News that waits to be told, at most; of more, the oldest is dropped, and the log says so.
const NEWS_MAX: usize = 1000;

/// Between two tries of a webhook that did not take its news.
const AGAIN: Duration = Duration::from_secs(60);

/// After so many it is dropped: an hour's worth.
const TRIES_MAX: u32 = 60;

/// What happened to an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    Begun,
    Stands,
    Ended,
}

impl News {
    const fn word(self) -> &'static str {
        match self {
            News::Begun => "begun",
            News::Stands => "stands",
            News::Ended => "ended",
        }
    }
}

/// Those who were told, and what is still to be told.
#[derive(Default)]
struct Teller {
    told: BTreeMap<(AlarmKind, String), (Alarm, Instant)>,
    news: VecDeque<(News, Alarm)>,
    tries: u32,
    /// After a try that failed: when the next one is due, however many alarms change until then.
    again_at: Option<Instant>,
}

pub(crate) async fn run(room: Room, mut standing: watch::Receiver<Standing>) {
    let mut teller = Teller::default();
    loop {
        let settings = room.settings();
        let (alarms, clock) = (&settings.alarms, &room.ledger.world().clock);
        let now = standing.borrow_and_update().clone();
        let begun = teller.news.len();
        teller.compare(&now, alarms.repeat);
        if let Some(to) = &alarms.mail {
            let fresh = teller.news.iter().skip(begun);
            for (news, alarm) in fresh.filter(|(news, _)| *news != News::Stands) {
                room.beat();
                mail(&room, to, *news, alarm).await;
            }
        }
        room.beat();
        match &alarms.webhook {
            None => teller.news.clear(),
            Some(at) => {
                let world = room.ledger.world();
                teller.tell(&room, world, at, alarms.webhook_timeout).await;
            }
        }
        room.pulse.beat_within("rest", AGAIN + crate::PULSE);
        tokio::select! {
            biased;
            changed = standing.changed() => if changed.is_err() {
                return room.sleep(AGAIN).await;
            },
            () = clock.sleep(AGAIN) => {}
        }
    }
}

impl Teller {
    fn compare(&mut self, standing: &Standing, repeat: Duration) {
        let now = Instant::now();
        let ended: Vec<_> = self
            .told
            .keys()
            .filter(|key| !standing.contains_key(*key))
            .cloned()
            .collect();
        for key in ended {
            if let Some((alarm, _)) = self.told.remove(&key) {
                self.put(News::Ended, alarm);
            }
        }
        for (key, alarm) in standing {
            let news = match self.told.get(key) {
                None => News::Begun,
                Some((_, at)) if now.duration_since(*at) >= repeat => News::Stands,
                Some(_) => continue,
            };
            self.told.insert(key.clone(), (alarm.clone(), now));
            self.put(news, alarm.clone());
        }
    }

    fn put(&mut self, news: News, alarm: Alarm) {
        if self.news.len() >= NEWS_MAX {
            self.news.pop_front();
            tracing::error!("the webhook does not take its news; the oldest is dropped");
        }
        self.news.push_back((news, alarm));
    }

    async fn tell(&mut self, room: &Room, world: &World, at: &WebAddress, limit: Duration) {
        if self.again_at.is_some_and(|at| Instant::now() < at) {
            return;
        }
        self.again_at = None;
        while let Some((news, alarm)) = self.news.front() {
            room.pulse.beat_within("post", limit + crate::PULSE);
            let posted = post(world, at, *news, alarm, limit).await;
            let Err(why) = posted else {
                self.news.pop_front();
                self.tries = 0;
                continue;
            };
            self.tries += 1;
            self.again_at = Some(Instant::now() + AGAIN);
            tracing::warn!(webhook = %at, why, tries = self.tries, "the webhook did not take an alarm");
            if self.tries >= TRIES_MAX {
                self.news.pop_front();
                self.tries = 0;
            }
            return;
        }
    }
}

/// The alarm as `postrider alarms --json` has it, and its state.
fn json(news: News, alarm: &Alarm, node: Option<&str>) -> Result<String, String> {
    let mut value = serde_json::to_value(alarm).map_err(|error| error.to_string())?;
    if let Some(object) = value.as_object_mut() {
        object.insert("state".into(), news.word().into());
        object.extend(node.map(|node| ("node".to_owned(), node.into())));
    }
    Ok(value.to_string())
}

/// Its answer says yes or no by its head alone.
async fn post(
    world: &World,
    at: &WebAddress,
    news: News,
    alarm: &Alarm,
    limit: Duration,
) -> Result<(), String> {
    let body = json(news, alarm, None)?;
    let over = match at.secured {
        Secured::Plain => Over::Plain,
        Secured::Tls => Over::Tls,
    };
    let post = Post {
        host: &at.host,
        port: at.port,
        over,
        authority: &at.authority(),
        path: &at.path,
        fields: &[("content-type", "application/json")],
        answer_max: 0,
        limit,
    };
    let reply = world.post(&post, body.into()).await;
    match reply.map_err(|error| error.to_string())? {
        reply if reply.is_taken() => Ok(()),
        reply => Err(format!("it answered {}", reply.status)),
    }
}

/// A message from nobody, so that it is never answered by a report.
async fn mail(room: &Room, to: &str, news: News, alarm: &Alarm) {
    let Ok(address) = to.parse::<Address>() else {
        return;
    };
    let ledger = &room.ledger;
    let (id, now) = (ledger.new_id(), ledger.now());
    let hostname = room.settings().server.hostname.clone();
    let kind = alarm.kind.word();
    let subject = format!("[postrider {}] {kind} {}", ledger.node_name(), news.word());
    let body = json(news, alarm, Some(&ledger.node_name())).unwrap_or_default();
    let text = format!(
        "From: Postrider <MAILER-DAEMON@{hostname}>\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <{id}@{hostname}>\r\n\
         Date: {}\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n{}",
        now.rfc5322(),
        quoted_printable(&body)
    );
    let message = NewMessage {
        id,
        envelope: Envelope {
            received_at: now,
            sender: ReversePath::Null,
            origin: Origin::Report,
            listener: String::new(),
            peer: String::new(),
            helo: String::new(),
            tls: String::new(),
            auth: String::new(),
            body_type: BodyType::SevenBit,
            smtputf8: false,
            ret: None,
            envid: None,
            message_id: format!("<{id}@{hostname}>"),
            subject,
            cause: None,
        },
        body: NewBody::Inline(Bytes::from(text)),
        recipients: vec![NewRecipient {
            address,
            orcpt: None,
            notify: Some(Notify::Never),
            parent: None,
            birth: Birth::Categorizing {
                reason: "an alarm".to_owned(),
            },
        }],
    };
    if let Err(error) = ledger.accept(message).await {
        tracing::warn!(%error, "an alarm could not be mailed");
    }
}

/// RFC 2045 s6.7, with soft line ends before the bound of a line.
fn quoted_printable(text: &str) -> String {
    const LINE_MAX: usize = 72;
    let (mut out, mut line) = (String::new(), 0);
    for byte in text.bytes() {
        let one = match byte {
            b'=' | 0..=31 | 127.. => format!("={byte:02X}"),
            plain => char::from(plain).to_string(),
        };
        if line + one.len() > LINE_MAX {
            out.push_str("=\r\n");
            line = 0;
        }
        line += one.len();
        out.push_str(&one);
    }
    out.push_str("\r\n");
    out
}
