//! The closed catalogue of measures: each with its name, type, unit, labels and what it tells. The page, `docs/metrics.md` and
//! the tests of dashboards and rules come from it.

/// What kind of measure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It goes up and down.
    Gauge,
    /// It only grows, and starts anew with its process unless it says otherwise.
    Counter,
    /// How many took how long; starts anew with its process.
    Histogram,
}

impl Kind {
    /// Its word in the text.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
            Kind::Histogram => "histogram",
        }
    }

    /// What comes after the name of a plain sample.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Kind::Counter => "_total",
            Kind::Gauge | Kind::Histogram => "",
        }
    }
}

/// What is declared of a measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declared {
    /// Its name, to which samples add a suffix by their kind.
    pub name: &'static str,
    /// What kind it is.
    pub kind: Kind,
    /// Its unit, with which its name ends; empty: a plain number.
    pub unit: &'static str,
    /// Its labels: see [`LABELS`].
    pub labels: &'static [&'static str],
    /// What it tells.
    pub help: &'static str,
}

macro_rules! measures {
    ($($measure:ident = $kind:ident $name:literal in $unit:literal by [$($label:literal),*], $help:literal;)*) => {
        /// Something that is measured.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Measure {
            $(#[doc = $help] $measure,)*
        }

        impl Measure {
            /// Every one, in the order of the page.
            pub const ALL: &'static [Measure] = &[$(Measure::$measure,)*];

            /// What is declared of it.
            #[must_use]
            pub const fn declared(self) -> Declared {
                match self {
                    $(Measure::$measure => Declared {
                        name: $name,
                        kind: Kind::$kind,
                        unit: $unit,
                        labels: &[$($label),*],
                        help: $help,
                    },)*
                }
            }
        }
    };
}

measures! {
    Recipients = Counter "postrider_recipients" in "" by ["became"],
        "Recipients since the store was made: all that were accepted, and those that came to each final state.";
    Waiting = Gauge "postrider_waiting" in "" by ["state"],
        "Recipients in transit.";
    WaitingOldest = Gauge "postrider_waiting_oldest_seconds" in "seconds" by ["state"],
        "Age of the oldest recipient in transit, counted from its acceptance; 0 when there is none.";
    OldestDue = Gauge "postrider_oldest_due_seconds" in "seconds" by [],
        "How long the oldest mail that is due, and whose next hop is open, has been due.";
    HopUp = Gauge "postrider_hop_up" in "" by ["next_hop"],
        "Whether a next hop with mail is up: 1, down: 0, paused: -1.";
    Messages = Counter "postrider_messages_accepted" in "" by ["origin"],
        "Messages that this node has accepted.";
    Attempts = Counter "postrider_attempts" in "" by ["way", "outcome"],
        "Attempts at a recipient that have ended on this node.";
    TimeToFinal = Histogram "postrider_time_to_final_seconds" in "seconds" by ["became"],
        "From acceptance to a final state that this node has written.";
    CommitTime = Histogram "postrider_commit_seconds" in "seconds" by [],
        "How long each commit of the store took, with its flush.";
    Units = Counter "postrider_units" in "" by [],
        "Units of writing that were in those commits: what waits at the same moment shares one.";
    Alarms = Gauge "postrider_alarm" in "" by ["kind"],
        "Alarms that stand.";
    AuditDifference = Gauge "postrider_audit_difference" in "" by [],
        "Accepted, less everything else, by this node's last audit. Not 0: mail has vanished, or appeared.";
    AuditTime = Gauge "postrider_audit_timestamp_seconds" in "seconds" by [],
        "When this node's last audit was made, in Unix time.";
    Alive = Gauge "postrider_alive" in "" by [],
        "Whether this node may begin attempts and take mail.";
    SignOfLife = Gauge "postrider_sign_of_life_age_seconds" in "seconds" by [],
        "How long ago this node gave the last sign of life that the store has taken.";
    Build = Gauge "postrider_build_info" in "" by ["version"],
        "Which version this is; always 1.";
}

/// Counters that are read from the store: they go on when their process starts anew.
pub const LASTING: &[Measure] = &[Measure::Recipients];

/// Every label, and what its values are.
pub const LABELS: &[(&str, &str)] = &[
    (
        "became",
        "a final state of [words.md](words.md#states); of `postrider_recipients` also `accepted`",
    ),
    (
        "state",
        "a state of [words.md](words.md#states) that is not final",
    ),
    (
        "next_hop",
        "its key, as `postrider queue` shows it; empty for what is not routed yet",
    ),
    ("origin", "a way in of [words.md](words.md#ways-in)"),
    (
        "way",
        "`mailbox`, `mx` (the mail exchangers of a domain) or `connector` (one with a fixed next hop)",
    ),
    (
        "outcome",
        "an outcome of [words.md](words.md#outcomes-of-attempts)",
    ),
    ("kind", "a kind of [alarms.md](alarms.md)"),
    ("version", "the version of the program"),
];

const INTRODUCTION: &str = "# Metrics

What Postrider measures, for Prometheus and whatever else reads OpenMetrics or takes OpenTelemetry. This page is written by
`cargo run -p access-admin --example metrics > docs/metrics.md` from the one place where each measure is declared; a test compares them.

The text is at `GET /api/v1/metrics` of an `http` listener, for an operator or token with the right to view, and `postrider metrics` prints
it. What is said of all mail (recipients, what waits, next hops) is read from the store at that moment: every node says the same, and a
restart changes nothing. What is said of this node is counted in memory and starts anew with it; a command that finds no server has
counted nothing. Each measure costs the same however much mail waits, and histograms are for all: `histogram_quantile(0.99,
sum by (le) (rate(postrider_time_to_final_seconds_bucket[5m])))`.

```yaml
scrape_configs:
  - job_name: postrider
    metrics_path: /api/v1/metrics
    authorization:
      credentials_file: /etc/prometheus/postrider.token   # postrider token add prometheus --rights view
    static_configs:
      - targets: [\"mx1.example.test:8080\"]
rule_files: [postrider.rules.yml]
```

Instead of being asked, or besides, each node can push the same measures to an OpenTelemetry collector, by OTLP/HTTP as JSON to
`/v1/metrics` below its address ([settings.md](settings.md#telemetry)). Names and labels are those below, without `_total`; counters
are cumulative sums; the resource says `service.name` postrider, `service.version`, and the node's name as `service.instance.id`. A
collector that is down, or says that it has too much to do, is asked again later; the log says once that it does not take the metrics.

```toml
[telemetry]
otlp = \"http://127.0.0.1:4318\"
```

A dashboard for Grafana and rules for alerts are in [demo/monitoring](../demo/monitoring): import `postrider.dashboard.json`, and give
Prometheus `postrider.rules.yml`.
";

/// The reference manual of the measures, in Markdown: the text of `docs/metrics.md`.
#[must_use]
pub fn manual() -> String {
    let mut text = INTRODUCTION.to_owned();
    text.push_str(
        "\n## Measures\n\n| measure | type | labels | what it tells |\n|---|---|---|---|\n",
    );
    for measure in Measure::ALL {
        let Declared {
            name,
            kind,
            labels,
            help,
            ..
        } = measure.declared();
        let (kind, suffix) = (kind.word(), kind.suffix());
        let labels = labels.iter().map(|label| format!("`{label}`"));
        let labels = labels.collect::<Vec<_>>().join(" ");
        text.push_str(&format!(
            "| `{name}{suffix}` | {kind} | {labels} | {help} |\n"
        ));
    }
    text.push_str("\n## Labels\n\n| label | its values |\n|---|---|\n");
    for (label, values) in LABELS {
        text.push_str(&format!("| `{label}` | {values} |\n"));
    }
    text
}
