//! Answers kept for as long as the directory has not changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::lookup::{Found, Question};

/// Answers kept at most: a few hundred octets each, so about 10 MiB when full.
pub const CACHE_ENTRIES: usize = 32_768;

/// Two generations: what is asked again while the younger fills moves into it, the rest is forgotten with the older.
#[derive(Default)]
pub(crate) struct Cache {
    generations: Mutex<Generations>,
}

#[derive(Default)]
struct Generations {
    /// The version of the directory that every entry was read at.
    version: i64,
    young: HashMap<Question, Arc<Found>>,
    old: HashMap<Question, Arc<Found>>,
}

impl Cache {
    /// The answer to `question` as of `version`, when it is known.
    pub(crate) fn get(&self, version: i64, question: &Question) -> Option<Arc<Found>> {
        let mut generations = self.hold();
        if generations.version != version {
            return None;
        }
        if let Some(found) = generations.young.get(question) {
            return Some(found.clone());
        }
        let (question, found) = generations.old.remove_entry(question)?;
        generations.insert(question, found.clone());
        Some(found)
    }

    /// Keeps an answer that was read at `version`. Answers of an older version than the cache's are not kept.
    pub(crate) fn put(&self, version: i64, question: Question, found: Arc<Found>) {
        let mut generations = self.hold();
        if version < generations.version {
            return;
        }
        if version > generations.version {
            *generations = Generations {
                version,
                ..Generations::default()
            };
        }
        generations.insert(question, found);
    }

    fn hold(&self) -> MutexGuard<'_, Generations> {
        self.generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let generations = self.hold();
        generations.young.len() + generations.old.len()
    }
}

impl Generations {
    fn insert(&mut self, question: Question, found: Arc<Found>) {
        if self.young.len() >= CACHE_ENTRIES / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(question, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookup::Question;

    fn question(n: usize) -> Question {
        Question::Address {
            exact: format!("user{n}@a.test"),
            base: None,
        }
    }

    #[test]
    fn the_cache_stays_within_its_bound_and_keeps_what_is_asked_for() {
        let cache = Cache::default();
        for n in 0..CACHE_ENTRIES * 2 {
            cache.put(1, question(n), Arc::new(Found::NoSuchUser));
            cache.get(1, &question(0));
            assert!(cache.len() <= CACHE_ENTRIES);
        }
        assert!(cache.get(1, &question(0)).is_some());
        assert!(cache.get(1, &question(1)).is_none());
    }

    #[test]
    fn an_answer_counts_only_for_the_version_it_was_read_at() {
        let cache = Cache::default();
        cache.put(1, question(0), Arc::new(Found::NoSuchUser));
        assert!(cache.get(1, &question(0)).is_some());
        assert!(cache.get(2, &question(0)).is_none());
        cache.put(2, question(1), Arc::new(Found::NotLocal));
        assert!(cache.get(2, &question(0)).is_none());
        // A slow reader brings an old answer: it is not kept.
        cache.put(1, question(2), Arc::new(Found::NotLocal));
        assert!(cache.get(2, &question(2)).is_none());
        assert_eq!(cache.len(), 1);
    }
}
