//! What the sink has seen, and which of it twice.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// The sink's counters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Connections made to us.
    pub connections: u64,
    /// Connections that broke.
    pub broken: u64,
    /// Messages taken.
    pub messages: u64,
    /// Recipients of the messages taken.
    pub deliveries: u64,
    /// Different pairs of message id and recipient.
    pub distinct: u64,
    /// Deliveries whose pair had been here before.
    pub duplicates: u64,
    /// Deliveries of messages without our id; neither distinct nor duplicate.
    pub without_id: u64,
    /// Recipients refused, by reply code.
    pub refused: BTreeMap<String, u64>,
    /// Unix time of the first message, in seconds.
    pub first_at: f64,
    /// Unix time of the last message, in seconds.
    pub last_at: f64,
}

/// Counters with the memory that finds duplicates: 8 bytes for each different delivery.
#[derive(Default)]
pub struct Tally {
    counts: Counts,
    /// Hashes of id and recipient; among ten million, two fall together by chance once in 300,000 runs.
    seen: HashSet<u64>,
    hasher: RandomState,
}

impl Tally {
    /// The counters now.
    pub fn counts(&self) -> Counts {
        self.counts.clone()
    }

    /// Somebody connected.
    pub fn connected(&mut self) {
        self.counts.connections += 1;
    }

    /// A connection broke.
    pub fn broken(&mut self) {
        self.counts.broken += 1;
    }

    /// A recipient was refused with `line`.
    pub fn refused(&mut self, line: &str) {
        let code = line.get(..3).unwrap_or(line).to_owned();
        *self.counts.refused.entry(code).or_default() += 1;
    }

    /// A message was taken.
    pub fn message(&mut self, id: Option<&[u8]>, recipients: &[Vec<u8>]) {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0.0, |since| since.as_secs_f64());
        if self.counts.messages == 0 {
            self.counts.first_at = now;
        }
        self.counts.last_at = now;
        self.counts.messages += 1;
        self.counts.deliveries += recipients.len() as u64;
        let Some(id) = id else {
            self.counts.without_id += recipients.len() as u64;
            return;
        };
        for recipient in recipients {
            if self.seen.insert(self.hasher.hash_one((id, recipient))) {
                self.counts.distinct += 1;
            } else {
                self.counts.duplicates += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_message_to_another_recipient_is_no_duplicate() {
        let mut tally = Tally::default();
        let (a, b) = (b"a@x.test".to_vec(), b"b@x.test".to_vec());
        tally.message(Some(b"1"), &[a.clone(), b.clone()]);
        tally.message(Some(b"2"), std::slice::from_ref(&a));
        assert_eq!((tally.counts.distinct, tally.counts.duplicates), (3, 0));
        tally.message(Some(b"1"), &[b]);
        tally.message(Some(b"1"), std::slice::from_ref(&a));
        tally.message(None, &[a]);
        let counts = tally.counts();
        assert_eq!((counts.messages, counts.deliveries), (5, 6));
        assert_eq!(
            (counts.distinct, counts.duplicates, counts.without_id),
            (3, 2, 1)
        );
        assert_eq!(
            counts.deliveries,
            counts.distinct + counts.duplicates + counts.without_id
        );
    }
}
