//! OpenMetrics text: alarms, totals, ages and the states of next hops. Nothing is counted here; all of it is read.

use std::fmt::Write as _;

use path_ledger::{HopState, Ledger, LedgerError};
use path_watch::{Alarm, AlarmKind};

/// Next hops that are shown one by one: more would be too many for whoever collects them.
const HOPS_SHOWN: usize = 1000;

/// Writes one family.
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# TYPE {name} {kind}"));
        self.line(format_args!("# HELP {name} {help}"));
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels = labels
            .iter()
            .map(|(label, text)| format!("{label}=\"{}\"", escaped(text)));
        let labels: Vec<_> = labels.collect();
        match labels.is_empty() {
            true => self.line(format_args!("{name} {value}")),
            false => self.line(format_args!("{name}{{{}}} {value}", labels.join(","))),
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // A string takes everything.
        if writeln!(self.0, "{line}").is_err() {
            self.0.clear();
        }
    }
}

/// As the format has it: backslash, quote and line end.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    text.replace('\n', "\\n")
}

/// The whole page.
///
/// # Errors
/// The store's.
pub async fn text(ledger: &Ledger, alarms: &[Alarm]) -> Result<String, LedgerError> {
    let mut page = Page(String::new());
    page.family("postrider_alarm", "gauge", "Alarms that stand, by kind.");
    for kind in AlarmKind::ALL {
        let standing = alarms.iter().filter(|alarm| alarm.kind == *kind).count();
        page.value("postrider_alarm", &[("kind", kind.word())], standing);
    }
    let totals = ledger.totals().await?;
    page.family(
        "postrider_recipients",
        "counter",
        "Recipients ever, by what became of them.",
    );
    for (what, n) in [
        ("accepted", totals.accepted),
        ("delivered", totals.delivered),
        ("relayed", totals.relayed),
        ("expanded", totals.expanded),
        ("returned", totals.returned),
        ("discarded", totals.discarded),
        ("dead_letter", totals.dead_letter),
    ] {
        page.value("postrider_recipients_total", &[("became", what)], n);
    }
    page.family(
        "postrider_waiting",
        "gauge",
        "Recipients in transit, by state.",
    );
    for (state, n) in [
        ("categorizing", totals.categorizing),
        ("queued", totals.queued),
        ("in_flight", totals.in_flight),
        ("held", totals.held),
    ] {
        page.value("postrider_waiting", &[("state", state)], n);
    }
    oldest(ledger, &mut page).await?;
    hops(ledger, &mut page).await?;
    let alive = u8::from(ledger.is_alive());
    page.family(
        "postrider_alive",
        "gauge",
        "Whether this node may begin attempts.",
    );
    page.value("postrider_alive", &[], alive);
    page.line(format_args!("# EOF"));
    Ok(page.0)
}

async fn oldest(ledger: &Ledger, page: &mut Page) -> Result<(), LedgerError> {
    let now = ledger.now();
    let ready = ledger.ready_hops(now).await?;
    let oldest = ready.iter().map(|hop| hop.due_at()).min();
    let age = oldest.map_or(0.0, |at| now.since(at).as_secs_f64());
    let help = "How long the oldest mail that is due, and whose next hop is open, has been due.";
    page.family("postrider_oldest_due_seconds", "gauge", help);
    page.value("postrider_oldest_due_seconds", &[], age);
    Ok(())
}

async fn hops(ledger: &Ledger, page: &mut Page) -> Result<(), LedgerError> {
    let lines = ledger.queue_lines().await?;
    page.family(
        "postrider_hop_up",
        "gauge",
        "Whether a next hop with mail is up: 1, down: 0, paused: -1.",
    );
    for line in lines.iter().take(HOPS_SHOWN) {
        let state = match line.state {
            HopState::Up => 1,
            HopState::Down => 0,
            HopState::Paused => -1,
        };
        page.value(
            "postrider_hop_up",
            &[("next_hop", line.next_hop.as_str())],
            state,
        );
    }
    Ok(())
}
