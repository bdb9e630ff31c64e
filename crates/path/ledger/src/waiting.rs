//! How much waits in all: a sum over counts that are kept with the rows, cheap whatever their number.

use crate::columns::Columns;
use crate::{Ledger, LedgerError};

const WAITING: &str = "SELECT CAST(coalesce(sum(n), 0) AS BIGINT) FROM tally";

impl Ledger {
    /// Recipients that are in no final state.
    ///
    /// # Errors
    /// The store's.
    pub async fn waiting(&self) -> Result<u64, LedgerError> {
        let rows = self.read(WAITING, Vec::new()).await?;
        match rows.first() {
            Some(row) => Ok(Columns::of(row).count()?),
            None => Ok(0),
        }
    }
}
