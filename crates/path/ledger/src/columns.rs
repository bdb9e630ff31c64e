//! Reads a row's columns in order, as the ledger's types; what does not fit is damage, never a default.

use std::str::FromStr;

use ground_store::{Row, StoreError};
use wire_message::Time;

/// What of a damaged row can be read all the same, by place: nothing here fails.
pub(crate) struct Remains<'a>(pub(crate) &'a Row);

impl Remains<'_> {
    pub(crate) fn int(&self, at: usize) -> Option<i64> {
        self.0.optional_int(at).ok().flatten()
    }

    /// Zero when it is none.
    pub(crate) fn count(&self, at: usize) -> u64 {
        self.int(at)
            .and_then(|count| u64::try_from(count).ok())
            .unwrap_or(0)
    }

    pub(crate) fn time(&self, at: usize) -> Option<Time> {
        self.int(at).map(Time::from_millis)
    }

    /// As in the listing of a whole row, where every time is one.
    pub(crate) fn time_or_epoch(&self, at: usize) -> Time {
        self.time(at).unwrap_or(Time::EPOCH)
    }

    pub(crate) fn maybe_text(&self, at: usize) -> Option<String> {
        let text = self.0.optional_text(at).ok().flatten();
        text.map(str::to_owned)
    }

    /// Empty when it is none.
    pub(crate) fn text(&self, at: usize) -> String {
        self.maybe_text(at).unwrap_or_default()
    }
}

/// A place in a row. Each read takes the next column.
pub(crate) struct Columns<'a> {
    row: &'a Row,
    next: usize,
}

impl<'a> Columns<'a> {
    pub(crate) fn of(row: &'a Row) -> Self {
        Self { row, next: 0 }
    }

    fn take(&mut self) -> usize {
        let at = self.next;
        self.next += 1;
        at
    }

    pub(crate) fn int(&mut self) -> Result<i64, StoreError> {
        self.row.int(self.take())
    }

    pub(crate) fn maybe_int(&mut self) -> Result<Option<i64>, StoreError> {
        self.row.optional_int(self.take())
    }

    pub(crate) fn count(&mut self) -> Result<u64, StoreError> {
        let count = self.int()?;
        u64::try_from(count).map_err(|_| StoreError::Damaged(format!("a count of {count}")))
    }

    pub(crate) fn flag(&mut self) -> Result<bool, StoreError> {
        self.row.flag(self.take())
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, StoreError> {
        self.row.text(self.take())
    }

    pub(crate) fn string(&mut self) -> Result<String, StoreError> {
        self.text().map(str::to_owned)
    }

    pub(crate) fn maybe_string(&mut self) -> Result<Option<String>, StoreError> {
        let text = self.row.optional_text(self.take())?;
        Ok(text.map(str::to_owned))
    }

    pub(crate) fn time(&mut self) -> Result<Time, StoreError> {
        self.int().map(Time::from_millis)
    }

    pub(crate) fn maybe_time(&mut self) -> Result<Option<Time>, StoreError> {
        Ok(self.maybe_int()?.map(Time::from_millis))
    }

    /// A word of a closed set.
    pub(crate) fn word<T>(
        &mut self,
        of: &str,
        find: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        let word = self.text()?;
        find(word).ok_or_else(|| StoreError::Damaged(format!("{word:?} is not the word of {of}")))
    }

    /// Text in a form that can be read.
    pub(crate) fn parsed<T>(&mut self) -> Result<T, StoreError>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        let text = self.text()?;
        text.parse()
            .map_err(|error| StoreError::Damaged(format!("{text:?}: {error}")))
    }
}
