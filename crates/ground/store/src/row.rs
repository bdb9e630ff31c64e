//! Values and rows, the same for every engine.

use std::sync::Arc;

use bytes::Bytes;

use crate::StoreError;

/// One value of a row or a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// An integer; times are UTC milliseconds.
    Int(i64),
    /// Text.
    Text(Arc<str>),
    /// Octets.
    Blob(Bytes),
}

impl Value {
    /// About how many octets this value holds, for the bounds of a group.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Null | Self::Int(_) => 8,
            Self::Text(text) => text.len(),
            Self::Blob(octets) => octets.len(),
        }
    }

    /// What it is, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Int(_) => "an integer",
            Self::Text(_) => "text",
            Self::Blob(_) => "octets",
        }
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}

impl From<u16> for Value {
    fn from(value: u16) -> Self {
        Self::Int(value.into())
    }
}

impl From<u8> for Value {
    fn from(value: u8) -> Self {
        Self::Int(value.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(value.into())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value.into())
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(value.as_str().into())
    }
}

impl From<Arc<str>> for Value {
    fn from(value: Arc<str>) -> Self {
        Self::Text(value)
    }
}

impl From<Bytes> for Value {
    fn from(value: Bytes) -> Self {
        Self::Blob(value)
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Blob(value.into())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row: its values in the order of the query's columns.
///
/// The getters count columns from 0 and answer [`StoreError::Damaged`] when the column is not of the type asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    values: Vec<Value>,
}

impl Row {
    pub(crate) fn new(values: Vec<Value>) -> Self {
        Self { values }
    }

    /// The values in column order.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// An integer.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the column holds something else.
    pub fn int(&self, column: usize) -> Result<i64, StoreError> {
        self.optional_int(column)?
            .ok_or_else(|| self.wrong(column, "an integer"))
    }

    /// An integer that is 0 or 1, as a yes or no.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the column holds something else.
    pub fn flag(&self, column: usize) -> Result<bool, StoreError> {
        match self.int(column)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.wrong(column, "0 or 1")),
        }
    }

    /// Text.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the column holds something else.
    pub fn text(&self, column: usize) -> Result<&str, StoreError> {
        self.optional_text(column)?
            .ok_or_else(|| self.wrong(column, "text"))
    }

    /// Octets.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the column holds something else.
    pub fn blob(&self, column: usize) -> Result<&Bytes, StoreError> {
        self.optional_blob(column)?
            .ok_or_else(|| self.wrong(column, "octets"))
    }

    /// An integer or NULL.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the column holds something else.
    pub fn optional_int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        match self.values.get(column) {
            Some(Value::Int(value)) => Ok(Some(*value)),
            Some(Value::Null) => Ok(None),
            Some(Value::Text(_) | Value::Blob(_)) | None => {
                Err(self.wrong(column, "an integer or NULL"))
            }
        }
    }

    /// Text or NULL.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the column holds something else.
    pub fn optional_text(&self, column: usize) -> Result<Option<&str>, StoreError> {
        match self.values.get(column) {
            Some(Value::Text(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            Some(Value::Int(_) | Value::Blob(_)) | None => Err(self.wrong(column, "text or NULL")),
        }
    }

    /// Octets or NULL.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the column holds something else.
    pub fn optional_blob(&self, column: usize) -> Result<Option<&Bytes>, StoreError> {
        match self.values.get(column) {
            Some(Value::Blob(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            Some(Value::Int(_) | Value::Text(_)) | None => {
                Err(self.wrong(column, "octets or NULL"))
            }
        }
    }

    fn wrong(&self, column: usize, wanted: &str) -> StoreError {
        let found = self.values.get(column).map_or("missing", Value::kind);
        StoreError::Damaged(format!("column {column} of a row is {found}, not {wanted}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_getter_of_the_wrong_type_says_damaged_and_why() {
        let row = Row::new(vec![Value::Null, 7.into(), "x".into(), vec![1_u8].into()]);
        assert_eq!(row.int(1).unwrap(), 7);
        assert_eq!(row.text(2).unwrap(), "x");
        assert_eq!(row.blob(3).unwrap().as_ref(), [1]);
        assert_eq!(row.optional_int(0).unwrap(), None);
        assert_eq!(row.optional_text(0).unwrap(), None);
        assert_eq!(row.optional_blob(0).unwrap(), None);
        for wrong in [
            row.int(0).map(drop),
            row.int(2).map(drop),
            row.int(9).map(drop),
            row.text(1).map(drop),
            row.blob(2).map(drop),
            row.flag(1).map(drop),
        ] {
            assert!(matches!(wrong, Err(StoreError::Damaged(_))), "{wrong:?}");
        }
        let said = row.int(2).unwrap_err().to_string();
        assert_eq!(
            said,
            "damaged: column 2 of a row is text, not an integer or NULL"
        );
    }
}
