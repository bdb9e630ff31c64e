//! Delivering: one message into one mailbox, exactly once.

use ground_directory::AccountId;
use ground_store::{Query, Sql, StoreError, Unit, Value};
use path_ledger::{MessageId, RecipientId};
use wire_message::{Class, EnhancedStatus, Time};

use crate::Mailboxes;

/// Where new mail goes (RFC 9051 s5.1).
pub const INBOX: &str = "INBOX";

/// The largest UID (RFC 9051 s2.3.1.1: 32 bits).
const UID_MAX: i64 = 0xffff_ffff;

/// One message for one mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Whose mailbox.
    pub account: AccountId,
    /// The body's row in the store.
    pub body: i64,
    /// Octets of the body.
    pub body_size: u64,
    /// Trace fields of this copy, each ended by CRLF; they stand before the body.
    pub prefix: String,
    /// The ledger's recipient; there is at most one mail for each.
    pub recipient: RecipientId,
    /// The ledger's message.
    pub message: MessageId,
    /// When the message was accepted.
    pub received_at: Time,
}

impl Delivery {
    fn size(&self) -> i64 {
        let prefix = u64::try_from(self.prefix.len()).unwrap_or(u64::MAX);
        i64::try_from(self.body_size.saturating_add(prefix)).unwrap_or(i64::MAX)
    }
}

/// Why a delivery met a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// The account is gone since the recipient was resolved. The directory must be asked again.
    NoSuchAccount,
    /// The mailbox would hold more than it may.
    OverQuota {
        /// Octets it holds.
        used: u64,
        /// Octets it may hold.
        quota: u64,
        /// Octets that were to come.
        size: u64,
    },
    /// This recipient has its mail: an earlier attempt succeeded, and this one must only say so.
    AlreadyDelivered,
    /// The body is not in the store. The operator's move.
    BodyGone,
    /// The folder has no UID left. The operator's move.
    NoUidLeft,
}

/// Whether a refusal may pass, which the caller decides by its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmness {
    /// Try again.
    Temporary,
    /// Return it.
    Final,
}

impl Obstacle {
    /// The reply code and status for the ledger and for reports; `None` for what is no failure.
    #[must_use]
    pub fn status(&self, firmness: Firmness) -> Option<(u16, EnhancedStatus)> {
        let class = match firmness {
            Firmness::Temporary => Class::Temporary,
            Firmness::Final => Class::Permanent,
        };
        let (temporary, last, subject, detail) = match self {
            Obstacle::AlreadyDelivered => return None,
            Obstacle::NoSuchAccount => (450, 550, 1, 1),
            Obstacle::OverQuota { .. } => (452, 552, 2, 2),
            Obstacle::BodyGone | Obstacle::NoUidLeft => (451, 554, 3, 0),
        };
        let code = match firmness {
            Firmness::Temporary => temporary,
            Firmness::Final => last,
        };
        Some((code, EnhancedStatus::new(class, subject, detail)))
    }
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Obstacle::NoSuchAccount => f.write_str("the account is gone"),
            Obstacle::OverQuota { used, quota, size } => write!(
                f,
                "the mailbox holds {used} of {quota} octets and has no room for {size} more"
            ),
            Obstacle::AlreadyDelivered => f.write_str("it is in the mailbox already"),
            Obstacle::BodyGone => f.write_str("its body is not in the store"),
            Obstacle::NoUidLeft => f.write_str("the folder has given out every UID"),
        }
    }
}

/// The first delivery makes the folder.
const MAKE_INBOX: Sql = Sql::new(
    "INSERT INTO folder (account, name, uid_validity, uid_next)
     SELECT id, $2, $3, 1 FROM account WHERE id = $1
     ON CONFLICT (account, name) DO NOTHING",
);

/// Takes the next UID and the room, when the account is there and has room.
const TAKE_ROOM: Sql = Sql::new(
    "UPDATE folder SET uid_next = uid_next + 1, messages = messages + 1, octets = octets + $3
     WHERE account = $1 AND name = $2 AND uid_next <= $4 AND EXISTS (
         SELECT 1 FROM account WHERE account.id = $1 AND (account.quota IS NULL
             OR account.quota >= $3 + (SELECT CAST(sum(every.octets) AS BIGINT) FROM folder AS every
                 WHERE every.account = $1)))",
);

/// The copy counts itself in `body.refs`. Without the body, and for a recipient that has its mail, nothing changes, and so
/// the unit is undone. The row has the recipient's number, which is never used again: no stale number names other mail.
const PUT: Sql = Sql::new(
    "INSERT INTO mail (id, folder, uid, body, size, prefix, received_at, recipient, message)
     SELECT $7, id, uid_next - 1, $3, $4, $5, $6, $7, $8 FROM folder
     WHERE account = $1 AND name = $2 AND EXISTS (SELECT 1 FROM body WHERE body.id = $3)
     ON CONFLICT DO NOTHING",
);

/// The delivery as writes, to be joined in front of the ledger's settlement: both happen, or neither.
///
/// A unit that meets [`StoreError::Conflict`] was either not welcome here, which [`Mailboxes::obstacle`] explains, or the
/// settlement's claim was lost.
#[must_use]
pub fn deliver_unit(delivery: &Delivery) -> Unit {
    let account = || Value::Int(delivery.account.0);
    let inbox = || Value::from(INBOX);
    let size = || Value::Int(delivery.size());
    let mut unit = Unit::new();
    let validity = uid_validity(delivery.received_at);
    unit.write(MAKE_INBOX, vec![account(), inbox(), validity.into()]);
    let room = vec![account(), inbox(), size(), UID_MAX.into()];
    unit.write_exactly(1, TAKE_ROOM, room);
    let mail = vec![
        account(),
        inbox(),
        delivery.body.into(),
        size(),
        delivery.prefix.as_str().into(),
        delivery.received_at.as_millis().into(),
        delivery.recipient.key().into(),
        delivery.message.key().into(),
    ];
    unit.write_exactly(1, PUT, mail);
    unit
}

/// Seconds since 1970: rises from one folder of a name to the next (RFC 9051 s2.3.1.1), and is never 0.
fn uid_validity(now: Time) -> i64 {
    (now.as_millis() / 1000).clamp(1, UID_MAX)
}

/// Columns: the account's number, quota, octets used, uid_next of INBOX, mail of this recipient, the body's number.
const LOOK: &str = "
SELECT (SELECT id FROM account WHERE id = $1), (SELECT quota FROM account WHERE id = $1),
    (SELECT CAST(sum(octets) AS BIGINT) FROM folder WHERE account = $1),
    (SELECT uid_next FROM folder WHERE account = $1 AND name = $2),
    (SELECT id FROM mail WHERE recipient = $3), (SELECT id FROM body WHERE id = $4)";

impl Mailboxes {
    /// Why the unit of `delivery` met a conflict; `None` when nothing here stands in its way.
    ///
    /// # Errors
    /// The store's.
    pub async fn obstacle(&self, delivery: &Delivery) -> Result<Option<Obstacle>, StoreError> {
        let values = vec![
            delivery.account.0.into(),
            INBOX.into(),
            delivery.recipient.key().into(),
            delivery.body.into(),
        ];
        let rows = self.store.read(Query::new(LOOK, values)).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        if row.optional_int(4)?.is_some() {
            return Ok(Some(Obstacle::AlreadyDelivered));
        }
        if row.optional_int(0)?.is_none() {
            return Ok(Some(Obstacle::NoSuchAccount));
        }
        if row.optional_int(5)?.is_none() {
            return Ok(Some(Obstacle::BodyGone));
        }
        let (used, size) = (row.optional_int(2)?.unwrap_or(0), delivery.size());
        if let Some(quota) = row.optional_int(1)?
            && used.saturating_add(size) > quota
        {
            return Ok(Some(Obstacle::OverQuota {
                used: octets(used),
                quota: octets(quota),
                size: octets(size),
            }));
        }
        let exhausted = row.optional_int(3)?.is_some_and(|next| next > UID_MAX);
        Ok(exhausted.then_some(Obstacle::NoUidLeft))
    }
}

fn octets(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}
