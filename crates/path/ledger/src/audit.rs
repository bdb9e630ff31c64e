//! Does the book add up? One snapshot, counted in three independent ways: totals, tally, and a scan of the rows.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use ground_store::{Query, Row, StoreError, Value};
use serde::{Deserialize, Serialize};

use crate::columns::Columns;
use crate::damage::DAMAGED;
use crate::envelope::{Message, message_columns};
use crate::listing::{TOTALS, totals_of};
use crate::recipient::{Recipient, recipient_columns};
use crate::{Ledger, LedgerError, MessageId, RecipientId, State};

#[cfg(test)]
mod tests;

/// Rows of one kind of finding that are named; more are the same trouble.
const NAMED: u32 = 100;

/// The book, added up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Audit {
    /// Recipients ever accepted.
    pub accepted: u64,
    /// Ever delivered here.
    pub delivered: u64,
    /// Ever relayed.
    pub relayed: u64,
    /// Ever expanded.
    pub expanded: u64,
    /// Ever returned.
    pub returned: u64,
    /// Ever discarded.
    pub discarded: u64,
    /// Ever failed with nobody to tell.
    pub dead_letter: u64,
    /// Not final, by a scan of the rows.
    pub in_transit: u64,
    /// Accepted, less everything else. Not 0: mail has vanished, or appeared.
    pub difference: i64,
    /// Rows and files that belong to nothing.
    pub orphans: u64,
    /// Everything that is not as it should be.
    pub findings: Vec<Finding>,
}

impl Audit {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        self.difference == 0 && self.orphans == 0 && self.findings.is_empty()
    }
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// Which rows, in words.
    pub detail: String,
    /// Of a tally: of which state and next hop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<[String; 2]>")]
    pub of: Option<(String, String)>,
}

crate::words! {
    /// What an audit can find.
    pub enum FindingKind {
        /// The tally of a state and hop is not what the rows say.
        Tally = "tally",
        /// There are more rows in a final state than ever reached it.
        Total = "total",
        /// A body's count of references is not the number of rows that refer to it.
        BodyReferences = "body_references",
        /// A body that no message and no mail refers to.
        BodyWithoutUse = "body_without_use",
        /// A file of the bodies folder without a row.
        FileWithoutBody = "file_without_body",
        /// A message without recipients.
        MessageWithoutRecipients = "message_without_recipients",
        /// A recipient without its message.
        RecipientWithoutMessage = "recipient_without_message",
        /// A recipient that is not final and whose message has no body.
        RecipientWithoutBody = "recipient_without_body",
        /// A claim by an epoch that is no node's.
        ClaimOfDeadEpoch = "claim_of_dead_epoch",
        /// A deadline that passed longer than the slack ago.
        Overdue = "overdue",
        /// A recipient on the way that cannot be read, or whose message or body cannot: it is held, or will be when it is due.
        Damaged = "damaged",
    }
}

impl FindingKind {
    const fn is_orphan(self) -> bool {
        match self {
            FindingKind::BodyWithoutUse
            | FindingKind::FileWithoutBody
            | FindingKind::MessageWithoutRecipients
            | FindingKind::RecipientWithoutMessage => true,
            FindingKind::Tally
            | FindingKind::Total
            | FindingKind::BodyReferences
            | FindingKind::RecipientWithoutBody
            | FindingKind::ClaimOfDeadEpoch
            | FindingKind::Overdue
            | FindingKind::Damaged => false,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

const SCAN: &str = "SELECT state, next_hop, count(*) FROM recipient WHERE finished_at IS NULL GROUP BY state, next_hop";
const TALLY: &str =
    "SELECT state, next_hop, CAST(sum(n) AS BIGINT) FROM tally GROUP BY state, next_hop";
const ENDED: &str =
    "SELECT state, '', count(*) FROM recipient WHERE finished_at IS NOT NULL GROUP BY state";

const BODIES: &str = "SELECT body.id, body.refs, coalesce(used.n, 0) FROM body LEFT JOIN (\
       SELECT body, count(*) AS n FROM (\
         SELECT body FROM message WHERE body IS NOT NULL UNION ALL SELECT body FROM mail) AS uses GROUP BY body\
     ) AS used ON used.body = body.id WHERE coalesce(used.n, 0) <> body.refs OR used.n IS NULL LIMIT $1";

const CHILDLESS: &str = "SELECT id FROM message WHERE NOT EXISTS \
     (SELECT 1 FROM recipient WHERE recipient.message = message.id) LIMIT $1";

const STRAY: &str = "SELECT id FROM recipient WHERE NOT EXISTS \
     (SELECT 1 FROM message WHERE message.id = recipient.message) LIMIT $1";

const BODYLESS: &str = "SELECT recipient.id FROM recipient JOIN message ON message.id = recipient.message \
     WHERE recipient.finished_at IS NULL AND message.body IS NULL LIMIT $1";

const DEAD_CLAIMS: &str = "SELECT id, claimed_by FROM recipient WHERE state = 'in_flight' \
     AND claimed_by NOT IN (SELECT epoch FROM node) LIMIT $1";

/// A live claim past its lifetime is the node's to end, within its lease.
const OVERDUE: &str = "SELECT id, state, deadline_at FROM recipient WHERE deadline_at IS NOT NULL AND deadline_at < $2 \
     AND (state <> 'in_flight' OR claimed_until < $2) ORDER BY deadline_at LIMIT $1";

/// Rows read at a time.
const A_PAGE: u32 = 1000;

/// The place of its next hop among the columns of a recipient.
const NEXT_HOP: usize = 7;

/// Hop by hop, as one index has it.
const ON_THE_WAY: &str = concat!(
    "SELECT ",
    recipient_columns!(),
    ", ",
    message_columns!(),
    " FROM recipient JOIN message ON message.id = recipient.message \
     WHERE recipient.finished_at IS NULL AND (recipient.next_hop, recipient.id) > ($1, $2) \
     ORDER BY recipient.next_hop, recipient.id LIMIT $3"
);

type Counts = BTreeMap<(String, String), u64>;

impl Ledger {
    /// Adds up the whole book. Reads every row that is not final, to its last letter, and every body's key: about ten seconds
    /// for a million. What comes and goes meanwhile is read as it is then.
    ///
    /// # Errors
    /// The store's.
    pub async fn audit(&self) -> Result<Audit, LedgerError> {
        let slack: Duration = self.options().slack;
        let late = (self.now() - slack).as_millis();
        let named = || vec![Value::from(NAMED)];
        let queries = vec![
            Query::new(TOTALS, Vec::new()),
            Query::new(SCAN, Vec::new()),
            Query::new(TALLY, Vec::new()),
            Query::new(ENDED, Vec::new()),
            Query::new(BODIES, named()),
            Query::new(CHILDLESS, named()),
            Query::new(STRAY, named()),
            Query::new(BODYLESS, named()),
            Query::new(DEAD_CLAIMS, named()),
            Query::new(OVERDUE, vec![NAMED.into(), late.into()]),
        ];
        let mut answers = self.store().read_snapshot(queries).await?.into_iter();
        let mut next = || answers.next().unwrap_or_default();
        let totals = totals_of(&next())?;
        let (scan, tally, ended) = (counts(&next())?, counts(&next())?, counts(&next())?);
        let mut findings = compare(&scan, &tally);
        findings.extend(too_many(&ended, |state| totals.of(state)));
        findings.extend(bodies(&next())?);
        findings.extend(named_rows(&next(), FindingKind::MessageWithoutRecipients)?);
        findings.extend(named_rows(&next(), FindingKind::RecipientWithoutMessage)?);
        findings.extend(named_rows(&next(), FindingKind::RecipientWithoutBody)?);
        findings.extend(named_rows(&next(), FindingKind::ClaimOfDeadEpoch)?);
        findings.extend(named_rows(&next(), FindingKind::Overdue)?);
        findings.extend(self.stray_files().await?);
        findings.extend(self.unreadable().await?);
        let in_transit = scan.values().sum();
        let mut audit = Audit {
            accepted: totals.accepted,
            delivered: totals.delivered,
            relayed: totals.relayed,
            expanded: totals.expanded,
            returned: totals.returned,
            discarded: totals.discarded,
            dead_letter: totals.dead_letter,
            in_transit,
            difference: 0,
            orphans: findings.iter().filter(|one| one.kind.is_orphan()).count() as u64,
            findings,
        };
        audit.difference = difference(&audit);
        Ok(audit)
    }

    /// Everything on the way is read once, page by page, as those do who treat it.
    async fn unreadable(&self) -> Result<Vec<Finding>, LedgerError> {
        let (mut found, mut after) = (Vec::new(), (Value::from(""), 0));
        loop {
            let values = vec![after.0.clone(), after.1.into(), A_PAGE.into()];
            let rows = self.read(ON_THE_WAY, values).await?;
            for row in &rows {
                let mut columns = Columns::of(row);
                let read = Recipient::from_columns(&mut columns)
                    .and_then(|recipient| Message::from_columns(&mut columns).map(|_| recipient));
                let detail = match read {
                    Ok(recipient) => held_as_damaged(&recipient),
                    Err(error) => {
                        let id = RecipientId::from_key(row.int(0)?);
                        Some(format!("recipient {id} cannot be read: {error}"))
                    }
                };
                let kind = FindingKind::Damaged;
                found.extend(detail.map(|detail| Finding {
                    kind,
                    detail,
                    of: None,
                }));
            }
            let last = rows.last().filter(|_| rows.len() == A_PAGE as usize);
            let Some(last) = last.filter(|_| found.len() < NAMED as usize) else {
                return Ok(found);
            };
            // A hop that is no text stands among the findings, and nothing sensible stands behind it.
            let Ok(hop) = last.text(NEXT_HOP) else {
                return Ok(found);
            };
            after = (hop.into(), last.int(0)?);
        }
    }

    async fn stray_files(&self) -> Result<Vec<Finding>, LedgerError> {
        let stray = match self.store().orphan_body_files().await {
            Ok(stray) => stray,
            // A store in memory has no files.
            Err(StoreError::Refused(_)) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let finding = |file: ground_store::bodies::Orphan| Finding {
            kind: FindingKind::FileWithoutBody,
            detail: format!(
                "the file {} of {} octets belongs to no body",
                file.name, file.size
            ),
            of: None,
        };
        Ok(stray.into_iter().map(finding).collect())
    }
}

/// What is on the way and held because its row, message or body could not be read.
fn held_as_damaged(recipient: &Recipient) -> Option<String> {
    let hold = recipient.hold.as_ref()?;
    let why = hold.reason.starts_with(DAMAGED);
    why.then(|| format!("recipient {} is held: {}", recipient.id, hold.reason))
}

fn difference(audit: &Audit) -> i64 {
    let accounted = audit.delivered
        + audit.relayed
        + audit.expanded
        + audit.returned
        + audit.discarded
        + audit.dead_letter
        + audit.in_transit;
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    signed(audit.accepted) - signed(accounted)
}

fn counts(rows: &[Row]) -> Result<Counts, StoreError> {
    let mut counts = Counts::new();
    for row in rows {
        let mut columns = Columns::of(row);
        let of = (columns.string()?, columns.string()?);
        counts.insert(of, columns.count()?);
    }
    Ok(counts)
}

fn compare(scan: &Counts, tally: &Counts) -> Vec<Finding> {
    let all: std::collections::BTreeSet<_> = scan.keys().chain(tally.keys()).collect();
    let mut findings = Vec::new();
    for of in all {
        let count = |counts: &Counts| counts.get(of).copied().unwrap_or(0);
        let (rows, counted) = (count(scan), count(tally));
        if rows != counted {
            let (state, hop) = of;
            let detail = format!("{state} for {hop:?}: {rows} rows, but {counted} in the tally");
            findings.push(Finding {
                kind: FindingKind::Tally,
                detail,
                of: Some(of.clone()),
            });
        }
    }
    findings
}

/// History is pruned, totals are not: rows can only be fewer.
fn too_many(ended: &Counts, ever: impl Fn(State) -> u64) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ((word, _), rows) in ended {
        let total = State::from_word(word).map_or(0, &ever);
        if *rows > total {
            findings.push(Finding {
                kind: FindingKind::Total,
                detail: format!("{word}: {rows} rows, but only {total} ever"),
                of: None,
            });
        }
    }
    findings
}

fn bodies(rows: &[Row]) -> Result<Vec<Finding>, StoreError> {
    let finding = |row: &Row| {
        let mut columns = Columns::of(row);
        let (id, refs, used) = (
            MessageId::from_key(columns.int()?),
            columns.int()?,
            columns.int()?,
        );
        Ok(match used {
            0 => Finding {
                kind: FindingKind::BodyWithoutUse,
                detail: format!("body {id} belongs to no message and no mail"),
                of: None,
            },
            _ => Finding {
                kind: FindingKind::BodyReferences,
                detail: format!("body {id} counts {refs} references, but has {used}"),
                of: None,
            },
        })
    };
    rows.iter().map(finding).collect()
}

fn named_rows(rows: &[Row], kind: FindingKind) -> Result<Vec<Finding>, StoreError> {
    let finding = |row: &Row| {
        let id = row.int(0)?;
        let (message, recipient) = (MessageId::from_key(id), RecipientId::from_key(id));
        let detail = match kind {
            FindingKind::MessageWithoutRecipients => format!("message {message} has no recipients"),
            FindingKind::RecipientWithoutMessage => format!("recipient {recipient} has no message"),
            FindingKind::RecipientWithoutBody => {
                format!("recipient {recipient} waits, but its message has no body any more")
            }
            FindingKind::ClaimOfDeadEpoch => {
                format!(
                    "recipient {recipient} is claimed by epoch {}, which is no node's",
                    row.int(1)?
                )
            }
            FindingKind::Overdue => {
                let since = wire_message::Time::from_millis(row.int(2)?);
                format!(
                    "recipient {recipient} is {}; something was due at {since}",
                    row.text(1)?
                )
            }
            FindingKind::Tally
            | FindingKind::Total
            | FindingKind::BodyReferences
            | FindingKind::BodyWithoutUse
            | FindingKind::FileWithoutBody
            | FindingKind::Damaged => format!("row {id}"),
        };
        let of = None;
        Ok(Finding { kind, detail, of })
    };
    rows.iter().map(finding).collect()
}
