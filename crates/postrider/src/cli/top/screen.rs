//! What is seen. Peers choose parts of it: every text goes through [`plain`], so that none of it steers the terminal.

use std::time::Duration;

use access_admin::{ActState, ActStatus, Previewed};
use path_ledger::{Listed, QueueLine, Totals};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style, Stylize};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Block, Clear, Paragraph, Row, Table, TableState, Wrap};
use wire_message::Time;

use super::dialog::{Deed, Dialog, Typed};
use super::machine::{Pick, Recipients, Story, Top};
use crate::cli::print;
use crate::control::{Answerer, Verb};

/// Alarms that are shown; more are counted.
const ALARMS_SHOWN: usize = 3;

/// Groups and rows of a preview that are shown; all are counted.
const GROUPS_SHOWN: usize = 4;
const ROWS_SHOWN: usize = 4;

/// Columns of a dialog, the frame with them.
const DIALOG_WIDTH: u16 = 76;

/// Parts of the bar that shows how far an act is.
const BAR: u64 = 40;

const HELP: &str = "\
Up Down PgUp PgDn Home End   move          Enter  open        Esc  back
/   show only what has a text; recipients: a domain, an address, or
    conditions as state=held sender=x@far.test older-than=2h
n b next and previous page of recipients
r retry   h hold   l release   e reroute   x return   d discard
    of all that waits for the chosen hop; in a hop, of the chosen
    recipient; with Shift, of all in the list
p   pause the hop, or let it go on
q   quit
Every act shows first whom it reaches, and asks for a reason and a yes.";

pub(super) fn draw(frame: &mut Frame<'_>, top: &Top) {
    let alarms = alarms(top);
    let totals = Paragraph::new(plain(&totals(&top.totals))).wrap(Wrap { trim: true });
    let heights = [
        Constraint::Length(1),
        Constraint::Length(2),
        Constraint::Length(u16::try_from(alarms.lines.len()).unwrap_or(1)),
        Constraint::Fill(1),
        Constraint::Length(1),
        Constraint::Length(1),
    ];
    let [head, sums, alarming, body, notice, keys] = Layout::vertical(heights).areas(frame.area());
    frame.render_widget(title(top), head);
    frame.render_widget(totals, sums);
    frame.render_widget(alarms, alarming);
    match (&top.story, &top.recipients) {
        (Some(story), _) => draw_story(frame, body, story),
        (None, Some(list)) => draw_recipients(frame, body, list, top.now),
        (None, None) => draw_hops(frame, body, top),
    }
    frame.render_widget(said(top), notice);
    frame.render_widget(Line::from(keys_of(top)).dim(), keys);
    if top.help {
        draw_box(frame, " help ", HELP.lines().map(str::to_owned).collect());
    } else if let Some(dialog) = &top.dialog {
        draw_box(frame, " postrider ", told(dialog));
    }
}

/// What anybody wrote, without power over the terminal, in one line.
fn plain(text: &str) -> String {
    print::safe(text).replace(['\n', '\t'], " ")
}

fn title(top: &Top) -> Line<'static> {
    let who = match top.by {
        Some((Answerer::Server, _)) => "a server runs",
        Some((Answerer::Store, _)) => "no server runs; this is the store",
        None => "asking",
    };
    let age = top.by.map(|(_, at)| span(top.now.since(at)));
    let age = age.map_or(String::new(), |age| format!(", seen {age} ago"));
    let line = format!("postrider top   {who}{age}");
    match &top.trouble {
        None => Line::from(line).bold(),
        Some(why) => Line::from(plain(&format!("{line}; NO ANSWER: {why}"))).red(),
    }
}

/// P3, as it stands.
fn totals(totals: &Totals) -> String {
    let Totals {
        accepted,
        delivered,
        relayed,
        expanded,
        returned,
        discarded,
        dead_letter,
        in_transit,
        ..
    } = totals;
    let difference = totals.difference();
    format!(
        "accepted {accepted} = delivered {delivered} + relayed {relayed} + expanded {expanded} + returned {returned} \
         + discarded {discarded} + dead letters {dead_letter} + in transit {in_transit}; difference {difference}"
    )
}

fn alarms(top: &Top) -> Text<'static> {
    if top.alarms.is_empty() {
        return Text::from("no alarms");
    }
    let line = |alarm: &path_watch::Alarm| {
        let age = span(top.now.since(alarm.since));
        let (kind, subject, detail) = (alarm.kind.word(), &alarm.subject, &alarm.detail);
        Line::from(plain(&format!("ALARM {kind} {subject}, {age}: {detail}"))).red()
    };
    let mut lines: Vec<_> = top.alarms.iter().take(ALARMS_SHOWN).map(line).collect();
    if let Some(more @ 1..) = top.alarms.len().checked_sub(ALARMS_SHOWN) {
        lines.push(Line::from(format!("and {more} more: postrider alarms")).red());
    }
    Text::from(lines)
}

/// What was just said; or else all of the last column of the chosen line, which has little room.
fn said(top: &Top) -> Line<'static> {
    let why = match (&top.story, &top.recipients) {
        (Some(_), _) => None,
        (None, Some(list)) => list.pick.chosen().map(why_of),
        (None, None) => top.hops.chosen().map(why_of_hop),
    };
    match (top.notice.as_str(), why) {
        ("", why) => Line::from(plain(&why.unwrap_or_default())),
        (notice, _) => Line::from(plain(notice)).yellow(),
    }
}

fn why_of_hop(line: &QueueLine) -> String {
    let reason = line.pause_reason.as_deref().unwrap_or_default();
    match &line.paused_by {
        Some(by) => format!("paused by {by}: {reason}"),
        None => line.last_reply.clone(),
    }
}

fn why_of(row: &Listed) -> String {
    let why = [&row.reason, &row.last_reply];
    let why = why.into_iter().find(|text| !text.is_empty());
    why.cloned().unwrap_or_default()
}

fn keys_of(top: &Top) -> &'static str {
    match (&top.story, &top.recipients) {
        (Some(_), _) => "Esc back  r h l e x d act on it  p pause  ? help  q quit",
        (None, Some(_)) => {
            "Enter why  r h l e x d act  n b pages  / filter  Esc back  ? help  q quit"
        }
        (None, None) => "Enter open  r h l e x d act  p pause  / filter  ? help  q quit",
    }
}

fn heading(text: String, sought: &str) -> String {
    match sought {
        "" => text,
        sought => format!("{text}, with {sought:?}"),
    }
}

fn draw_hops(frame: &mut Frame<'_>, area: Rect, top: &Top) {
    let titles = [
        "NEXT HOP", "STATE", "QUEUED", "FLIGHT", "HELD", "OLDEST", "NEXT", "WHY",
    ];
    let widths = [
        Constraint::Fill(1),
        Constraint::Length(6),
        Constraint::Length(7),
        Constraint::Length(6),
        Constraint::Length(6),
        Constraint::Length(6),
        Constraint::Length(6),
        Constraint::Fill(1),
    ];
    let row = |line: &QueueLine| hop_row(line, top.now);
    let title = heading("next hops".to_owned(), &top.sought);
    draw_table(frame, area, &title, titles, widths, &top.hops, row);
}

fn hop_row(line: &QueueLine, now: Time) -> [String; 8] {
    let hop = match line.next_hop.as_str() {
        "" => "(not routed yet)",
        hop => hop,
    };
    [
        hop.to_owned(),
        line.state.to_string(),
        (line.queued + line.categorizing).to_string(),
        line.in_flight.to_string(),
        line.held.to_string(),
        age(line.oldest, now),
        until(line.next_try, now),
        why_of_hop(line),
    ]
}

fn draw_recipients(frame: &mut Frame<'_>, area: Rect, list: &Recipients, now: Time) {
    let titles = [
        "STATE",
        "RECIPIENT",
        "SENDER",
        "TRIES",
        "AGE",
        "NEXT",
        "WHY",
    ];
    let widths = [
        Constraint::Length(9),
        Constraint::Fill(3),
        Constraint::Fill(2),
        Constraint::Length(5),
        Constraint::Length(6),
        Constraint::Length(6),
        Constraint::Fill(3),
    ];
    let row = |row: &Listed| {
        [
            row.state.to_string(),
            row.recipient.clone(),
            format!("<{}>", row.sender),
            row.attempts.to_string(),
            age(Some(row.received_at), now),
            until(row.next_try, now),
            why_of(row),
        ]
    };
    let (hop, page) = (&list.hop, list.pages.len());
    let title = heading(format!("{hop}, page {page}"), &list.sought);
    draw_table(frame, area, &title, titles, widths, &list.pick, row);
}

fn draw_table<T, const N: usize>(
    frame: &mut Frame<'_>,
    area: Rect,
    title: &str,
    titles: [&'static str; N],
    widths: [Constraint; N],
    pick: &Pick<T>,
    row: impl Fn(&T) -> [String; N],
) {
    let rows = pick.rows.iter();
    let rows = rows.map(|one| Row::new(row(one).map(|cell| plain(&cell))));
    let (at, all) = (pick.at + 1, pick.rows.len());
    let title = match all {
        0 => format!(" {}: nothing ", plain(title)),
        all => format!(" {}: {at} of {all} ", plain(title)),
    };
    let table = Table::new(rows, widths)
        .header(Row::new(titles).bold())
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .block(Block::bordered().title(title));
    let mut state = TableState::new().with_selected(Some(pick.at));
    frame.render_stateful_widget(table, area, &mut state);
}

fn draw_story(frame: &mut Frame<'_>, area: Rect, story: &Story) {
    let lines = story.lines.iter().skip(story.from);
    let lines: Vec<_> = lines.map(|line| Line::from(plain(line))).collect();
    let title = format!(" why {} is where it is ", story.id);
    let told = Paragraph::new(lines).wrap(Wrap { trim: false });
    frame.render_widget(told.block(Block::bordered().title(title)), area);
}

fn draw_box(frame: &mut Frame<'_>, title: &'static str, lines: Vec<String>) {
    let lines: Vec<_> = lines.iter().map(|line| Line::from(plain(line))).collect();
    let area = frame.area();
    let width = DIALOG_WIDTH.min(area.width);
    let inner = usize::from(width.saturating_sub(2)).max(1);
    let height: usize = lines
        .iter()
        .map(|line| line.width().div_ceil(inner).max(1))
        .sum();
    let height = u16::try_from(height + 2).unwrap_or(area.height);
    let area = area.centered(Constraint::Length(width), Constraint::Length(height));
    let told = Paragraph::new(lines).wrap(Wrap { trim: false });
    frame.render_widget(Clear, area);
    frame.render_widget(told.block(Block::bordered().title(title)), area);
}

/// A dialog in words.
fn told(dialog: &Dialog) -> Vec<String> {
    match dialog {
        Dialog::Typing { what, text } => {
            let (mut lines, label) = asked_for(what);
            lines.push(format!("{label}: {text}_"));
            lines.push("Enter goes on, Esc stops".to_owned());
            lines
        }
        Dialog::Previewing { .. } => vec!["looking whom it reaches ...".to_owned()],
        Dialog::Sure { deed, reason } => {
            let mut lines = deed_of(deed);
            lines.push(format!("Reason: {reason}"));
            lines.push("y does it, any other key does not".to_owned());
            lines
        }
        Dialog::Beginning => vec!["the server was told ...".to_owned()],
        Dialog::Progress { status, .. } => progress(status),
    }
}

fn asked_for(what: &Typed) -> (Vec<String>, &'static str) {
    match what {
        Typed::Seek => (Vec::new(), "Show only what has"),
        Typed::Way { .. } => {
            let ways = "via:CONNECTOR, mx:DOMAIN or mailbox; nothing: as the routes say now";
            (vec![format!("Another next hop ({ways})")], "To")
        }
        Typed::Until { line } => {
            let line = format!("pause {}: {}", line.next_hop, waiting(line));
            (vec![line], "For how long (2h), or until when (RFC 3339)")
        }
        Typed::Reason { deed } => (deed_of(deed), "Reason"),
    }
}

fn waiting(line: &QueueLine) -> String {
    let QueueLine {
        queued,
        in_flight,
        held,
        ..
    } = line;
    format!("{queued} queued, {in_flight} in flight, {held} held")
}

fn deed_of(deed: &Deed) -> Vec<String> {
    match deed {
        Deed::Act { verb, previewed } => preview(verb, previewed),
        Deed::Pause { line, until } => {
            let hop = &line.next_hop;
            vec![format!("pause {hop}, {until}: {}", waiting(line))]
        }
        Deed::Resume { line } => {
            vec![format!(
                "end the pause of {}: {}",
                line.next_hop,
                waiting(line)
            )]
        }
    }
}

/// Whom an act reaches: how many exactly, where they stand, and the first of them.
fn preview(verb: &Verb, previewed: &Previewed) -> Vec<String> {
    let Previewed {
        count,
        filter,
        groups,
        rows,
        more,
        ..
    } = previewed;
    let to = match verb {
        Verb::Reroute { to } => format!(" to {}", to.as_deref().unwrap_or("where the routes say")),
        Verb::Retry | Verb::Hold | Verb::Release | Verb::Return | Verb::Discard | Verb::Export => {
            String::new()
        }
    };
    let verb = verb.ledgers();
    let mut lines = vec![format!("{verb} {count} recipients{to}: {filter}")];
    if *more {
        lines.push("the filter means more than one preview holds: act, and again".to_owned());
    }
    let group = |group: &access_admin::Group| {
        format!("  {} {} for {}", group.count, group.state, group.next_hop)
    };
    lines.extend(groups.iter().take(GROUPS_SHOWN).map(group));
    let row = |row: &path_ledger::PreviewRow| format!("  {} from <{}>", row.recipient, row.sender);
    lines.extend(rows.iter().take(ROWS_SHOWN).map(row));
    if groups.len() > GROUPS_SHOWN || *count > ROWS_SHOWN as u64 {
        lines.push("  ...".to_owned());
    }
    lines
}

fn progress(status: &ActStatus) -> Vec<String> {
    let ActStatus {
        verb,
        done,
        escaped,
        count,
        ..
    } = status;
    let through = (done + escaped).min(*count);
    let full = (through * BAR).checked_div(*count).unwrap_or(BAR);
    let full = usize::try_from(full).unwrap_or(0);
    let empty = usize::try_from(BAR).unwrap_or(0).saturating_sub(full);
    let mut lines = vec![
        format!("{verb}: {done} of {count} done"),
        format!("[{}{}]", "#".repeat(full), ".".repeat(empty)),
    ];
    if *escaped > 0 {
        lines.push(format!(
            "{escaped} untouched: not as the preview showed them any more, or not in a state that allows it"
        ));
    }
    lines.extend(status.trouble.clone());
    lines.push(match status.state {
        ActState::Running => "Esc: look at other things; the act goes on".to_owned(),
        ActState::Ended => "done; any key".to_owned(),
        ActState::Failed => "stopped half way; what was done stays done; any key".to_owned(),
    });
    lines
}

fn age(moment: Option<Time>, now: Time) -> String {
    moment.map_or("-".to_owned(), |moment| span(now.since(moment)))
}

fn until(moment: Option<Time>, now: Time) -> String {
    match moment.map(|moment| moment.since(now)) {
        None => "-".to_owned(),
        Some(Duration::ZERO) => "now".to_owned(),
        Some(left) => span(left),
    }
}

/// A length of time in its two largest units.
fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{}s", seconds % 60),
        (0, _, _) => format!("{hours}h{}m", minutes % 60),
        (_, _, _) => format!("{days}d{}h", hours % 24),
    }
}
