//! Keys and answers in; questions out, and what the screen says.

use access_admin::{ActState, ActStatus, Group, Previewed};
use path_ledger::{
    Filter, HopState, Listed, MessageId, PreviewRow, QueueLine, RecipientId, Stage, State, Totals,
};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::{Value, json};
use wire_message::Time;

use super::asked::{Answered, Asked};
use super::machine::{Input, Key, PAGE, Top};
use super::screen;
use crate::control::{Answer, Answerer, Verb};

const NOW: Time = Time::from_millis(1_800_000_000_000);

/// What peers may say to steer a terminal.
const EVIL: &str = "450 \u{1b}[2Jlater\r\nno\u{9b}m\u{7}";

const SIZES: [(u16, u16); 2] = [(80, 24), (120, 40)];

fn ago(seconds: i64) -> Time {
    Time::from_millis(NOW.as_millis() - seconds * 1000)
}

fn line(hop: &str) -> QueueLine {
    QueueLine {
        next_hop: hop.to_owned(),
        state: HopState::Down,
        queued: 3,
        in_flight: 1,
        held: 2,
        categorizing: 0,
        oldest: Some(ago(7980)),
        next_try: Some(ago(-240)),
        last_reply: EVIL.to_owned(),
        failures: 4,
        paused_by: None,
        paused_until: None,
        pause_reason: None,
    }
}

fn paused(hop: &str) -> QueueLine {
    QueueLine {
        state: HopState::Paused,
        paused_by: Some("jo".to_owned()),
        paused_until: Some(ago(-3600)),
        pause_reason: Some("they move".to_owned()),
        ..line(hop)
    }
}

fn recipient(number: i64) -> Listed {
    Listed {
        id: MessageId::from_key(number),
        recipient_id: RecipientId::from_key(number + 1),
        recipient: format!("x{number}@away.test"),
        sender: "bob@far.test".to_owned(),
        state: State::Queued,
        stage: Stage::Queue,
        next_hop: "mx:away.test".to_owned(),
        attempts: 2,
        received_at: ago(60),
        deadline_at: None,
        expires_at: None,
        notify_at: None,
        next_try: Some(ago(1)),
        last_reply: EVIL.to_owned(),
        reason: String::new(),
        size: 1,
        node: "n".to_owned(),
    }
}

fn previewed() -> Previewed {
    Previewed {
        preview: "P1".to_owned(),
        filter: "--next-hop mx:away.test".to_owned(),
        count: 6,
        more: false,
        groups: vec![Group {
            state: State::Queued,
            next_hop: "mx:away.test".to_owned(),
            count: 6,
        }],
        rows: vec![PreviewRow {
            id: MessageId::from_key(1),
            recipient_id: RecipientId::from_key(2),
            recipient: "x@away.test".to_owned(),
            sender: "bob@far.test".to_owned(),
            state: State::Queued,
            next_hop: "mx:away.test".to_owned(),
        }],
    }
}

fn status(state: ActState, done: u64) -> ActStatus {
    ActStatus {
        act: "P1".to_owned(),
        verb: path_ledger::Verb::Hold,
        filter: String::new(),
        by: "jo".to_owned(),
        reason: String::new(),
        state,
        count: 6,
        done,
        escaped: 1,
        escapees: Vec::new(),
        trouble: None,
        began_at: NOW,
    }
}

fn one(thing: impl serde::Serialize) -> Result<Answer, String> {
    let fact = serde_json::to_value(thing).unwrap();
    Ok(Answer::One { fact })
}

fn rows<T: serde::Serialize>(list: &[T]) -> Result<Answer, String> {
    let rows = list.iter().map(|row| serde_json::to_value(row).unwrap());
    let rows = rows.collect();
    Ok(Answer::Rows { rows })
}

fn alarm() -> Value {
    json!({
        "kind": "held_forgotten", "since": ago(90_000).to_string(), "subject": EVIL, "messages": [], "all": 2,
        "detail": "two are held", "meaning": "", "remedy": ""
    })
}

/// What a server would answer.
fn answer_to(asked: &Asked) -> Result<Answer, String> {
    match asked {
        Asked::Totals => one(Totals {
            accepted: 10,
            delivered: 4,
            in_transit: 6,
            ..Totals::default()
        }),
        Asked::Alarms => rows(&[alarm()]),
        Asked::Queue => rows(&[line("mx:away.test"), paused("mx:far.test")]),
        Asked::List(Filter { after: None, .. }) => {
            rows(&(0..i64::from(PAGE)).map(recipient).collect::<Vec<_>>())
        }
        Asked::List(_) => rows(&[recipient(700)]),
        Asked::Explain(_) => rows(&[json!({ "id": "M1", "recipients": [
            { "recipient": "x0@away.test", "state": "queued", "reason": "hop_down", "why": EVIL }
        ]})]),
        Asked::Preview(_) => one(previewed()),
        Asked::Begin { .. } => one(status(ActState::Running, 2)),
        Asked::Progress(_) => one(status(ActState::Ended, 5)),
        Asked::Pause { .. } | Asked::Resume { .. } => one(json!({})),
    }
}

struct Seat {
    top: Top,
    by: Answerer,
    asked: Vec<Asked>,
}

impl Seat {
    /// Somebody who has looked once.
    fn before(by: Answerer) -> Self {
        let (top, asked) = (Top::new(NOW), Vec::new());
        let mut seat = Self { top, by, asked };
        seat.put(Input::Tick);
        seat.asked.clear();
        seat
    }

    /// Each question is answered at once.
    fn put(&mut self, input: Input) {
        for asked in self.top.take(input, NOW) {
            let answer = answer_to(&asked);
            self.asked.push(asked.clone());
            let by = Some(self.by);
            let answered = Box::new(Answered { asked, by, answer });
            assert_eq!(self.top.take(Input::Answered(answered), NOW), []);
        }
    }

    /// `<` Esc, `>` Enter, `v` and `^` down and up, `~` a tick; all else is a letter.
    fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            self.put(match key {
                '<' => Input::Key(Key::Escape),
                '>' => Input::Key(Key::Enter),
                'v' => Input::Key(Key::Down),
                '^' => Input::Key(Key::Up),
                '~' => Input::Tick,
                letter => Input::Key(Key::Char(letter)),
            });
        }
    }

    fn screen(&self, (width, height): (u16, u16)) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal
            .draw(|frame| screen::draw(frame, &self.top))
            .unwrap();
        terminal.backend().to_string()
    }
}

fn of_hop(hop: &str) -> Filter {
    Filter {
        next_hop: Some(hop.to_owned()),
        ..Filter::default()
    }
}

fn of_one(number: i64) -> Filter {
    Filter {
        ids: vec![MessageId::from_key(number + 1)],
        ..Filter::default()
    }
}

fn page(filter: Filter, after: Option<i64>) -> Asked {
    Asked::List(Filter {
        limit: Some(PAGE),
        after: after.map(|number| MessageId::from_key(number + 1)),
        ..filter
    })
}

fn begin(verb: Verb, reason: &str) -> Asked {
    Asked::Begin {
        preview: "P1".to_owned(),
        verb,
        reason: reason.to_owned(),
    }
}

/// Each: keys, what is asked, what is seen.
fn stories() -> Vec<(&'static str, Vec<Asked>, &'static [&'static str])> {
    let (away, far) = (of_hop("mx:away.test"), of_hop("mx:far.test"));
    let held = Filter {
        state: Some(State::Held),
        ..away.clone()
    };
    let preview = |filter: &Filter| Asked::Preview(filter.clone());
    let reroute = || Verb::Reroute {
        to: Some("mailbox".to_owned()),
    };
    let pause = Asked::Pause {
        hop: "mx:away.test".to_owned(),
        until: "1h0".to_owned(),
        reason: "w".to_owned(),
    };
    let resume = Asked::Resume {
        hop: "mx:far.test".to_owned(),
        reason: String::new(),
    };
    let open = page(away.clone(), None);
    let all = Filter {
        state: Some(State::Held),
        domain: Some("a.test".to_owned()),
        ..away.clone()
    };
    vec![
        (
            "",
            vec![],
            &[
                "accepted 10 = delivered 4",
                "difference 0",
                "ALARM held_forgotten",
                "mx:away.test",
                "down",
                "2h13m",
                "4m0s",
                "paused by jo",
            ],
        ),
        ("?", vec![], &["p   pause the hop"]),
        ("??", vec![], &["next hops: 1 of 2"]),
        (
            "/far>",
            vec![],
            &["next hops, with \"far\": 1 of 1", "mx:far.test"],
        ),
        ("/far><", vec![], &["next hops: 2 of 2"]),
        (
            ">",
            vec![open.clone()],
            &["mx:away.test, page 1: 1 of 100", "x0@away.test"],
        ),
        (
            ">n",
            vec![open.clone(), page(away.clone(), Some(99))],
            &["page 2: 1 of 1", "x700@away"],
        ),
        (
            ">nb",
            vec![open.clone(), page(away.clone(), Some(99)), open.clone()],
            &["page 1: 1 of 100"],
        ),
        (
            ">v>",
            vec![open.clone(), Asked::Explain(RecipientId::from_key(2))],
            &["to x0@away.test: queued", "why   hop_down: 450"],
        ),
        (
            ">/state=held a.test>D",
            vec![open.clone(), page(all.clone(), None), preview(&all)],
            &["discard 6 recipients"],
        ),
        (">/state=no>", vec![open.clone()], &["is not a state"]),
        (
            "h",
            vec![preview(&away)],
            &[
                "hold 6 recipients",
                "6 queued for mx:away.test",
                "Reason: _",
            ],
        ),
        (
            "hlook>",
            vec![preview(&away)],
            &["Reason: look", "y does it"],
        ),
        ("hlook>n", vec![preview(&away)], &["nothing was done"]),
        ("h<", vec![preview(&away)], &["nothing was done"]),
        (
            "hlook>y",
            vec![preview(&away), begin(Verb::Hold, "look")],
            &[
                "hold: 2 of 6 done",
                "[####################....................]",
            ],
        ),
        (
            "hlook>y~",
            vec![
                preview(&away),
                begin(Verb::Hold, "look"),
                Asked::Progress("P1".to_owned()),
                Asked::Totals,
                Asked::Alarms,
                Asked::Queue,
            ],
            &["hold: 5 of 6 done", "1 untouched", "done; any key"],
        ),
        ("l", vec![preview(&held)], &["release 6 recipients"]),
        (
            "emailbox>w>y",
            vec![preview(&away), begin(reroute(), "w")],
            &["of 6 done"],
        ),
        (
            ">vd>y",
            vec![open, preview(&of_one(1)), begin(Verb::Discard, "")],
            &["of 6 done"],
        ),
        ("vx", vec![preview(&far)], &["return 6 recipients"]),
        (
            "p",
            vec![],
            &["pause mx:away.test: 3 queued, 1 in flight, 2 held", "1h_"],
        ),
        ("p0>w>y", vec![pause], &["mx:away.test is paused: 1h0"]),
        ("vp>y", vec![resume], &["mx:far.test goes on"]),
    ]
}

#[test]
fn keys_ask_what_they_say_and_the_screen_tells_what_came_of_it() {
    for (keys, asked, seen) in stories() {
        let mut seat = Seat::before(Answerer::Server);
        seat.press(keys);
        assert_eq!(seat.asked, asked, "{keys:?}");
        for size in SIZES {
            let screen = seat.screen(size);
            for text in seen {
                assert!(screen.contains(text), "{keys:?}: no {text:?} in\n{screen}");
            }
            let steers = |letter: char| letter.is_control() && letter != '\n';
            assert!(!screen.contains(steers), "{keys:?}: {screen:?}");
        }
    }
}

#[test]
fn without_a_server_it_looks_and_says_so_to_acts() {
    for keys in ["h", "p", ">d"] {
        let mut seat = Seat::before(Answerer::Store);
        seat.press(keys);
        let acts = |asked: &Asked| !matches!(asked, Asked::List(_));
        assert!(!seat.asked.iter().any(acts), "{:?}", seat.asked);
        let screen = seat.screen((80, 24));
        assert!(
            screen.contains("no server runs, so this only looks"),
            "{screen}"
        );
    }
}

#[test]
fn it_looks_each_second_and_waits_for_its_answers() {
    let mut seat = Seat::before(Answerer::Server);
    seat.press("~~~");
    assert_eq!(seat.asked, []);
    seat.press("~");
    let look = [Asked::Totals, Asked::Alarms, Asked::Queue];
    assert_eq!(seat.asked, look);
    let asks = (0..40).flat_map(|_| seat.top.take(Input::Tick, NOW));
    assert_eq!(asks.collect::<Vec<_>>(), look);
}

#[test]
fn a_server_that_does_not_answer_is_told_above_what_was_seen_last() {
    let mut seat = Seat::before(Answerer::Server);
    let failed = Box::new(Answered::too_many(Asked::Queue));
    seat.top.take(Input::Answered(failed), NOW);
    let screen = seat.screen((80, 24));
    assert!(
        screen.contains("NO ANSWER: there is no answer yet"),
        "{screen}"
    );
    assert!(screen.contains("mx:away.test"), "{screen}");
}

#[test]
fn it_ends_by_q_and_from_anywhere_by_an_interrupt() {
    let mut seat = Seat::before(Answerer::Server);
    seat.press("hq");
    assert!(!seat.top.ended, "q is a letter of the reason");
    seat.put(Input::Key(Key::Interrupt));
    assert!(seat.top.ended);
    let mut seat = Seat::before(Answerer::Server);
    seat.press(">q");
    assert!(seat.top.ended);
}
