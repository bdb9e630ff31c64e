//! What every engine must do, as one list of cases that runs against each of them.
//!
//! A case gets an empty place, does what callers do, and panics or answers an error when the engine breaks a promise. It uses
//! nothing but what callers use: raw SQL goes through [`Store::write`] like anybody's.

mod bodies;
mod counts;
mod fresh;
mod operators;
mod populate;
mod reopen;
mod rules;
mod sample;
mod tables;
mod writes;

pub use fresh::{Database, fresh};
pub use populate::{Populate, populate};

use std::pin::Pin;
use std::sync::Arc;

use crate::{Query, Store, StoreError};

/// Where one case's store lives.
pub trait Place: Send + Sync {
    /// Opens the store; again and again the same rows.
    fn open(&self) -> Opening<'_>;
}

/// A store being opened.
pub type Opening<'a> = Pin<Box<dyn Future<Output = Result<Store, StoreError>> + Send + 'a>>;

/// A case being run.
pub type Running = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

/// One promise.
#[derive(Clone, Copy)]
pub struct Case {
    /// The promise, as a sentence.
    pub name: &'static str,
    /// Puts it to the test in an empty place.
    pub run: fn(Arc<dyn Place>) -> Running,
}

macro_rules! cases {
    ($($module:ident :: $name:ident),* $(,)?) => {
        [$(Case { name: stringify!($name), run: |place| Box::pin($module::$name(place)) }),*]
    };
}

/// All cases.
pub const CASES: [Case; 38] = cases![
    writes::every_type_of_value_comes_back_as_it_was,
    writes::parameters_are_known_by_their_number_not_their_order,
    writes::returning_gives_rows_and_changes_are_counted,
    writes::every_unit_that_is_committed_is_counted_and_so_is_each_commit,
    writes::a_statement_with_the_wrong_number_of_values_is_refused,
    writes::a_unit_is_stored_whole_or_not_at_all,
    writes::a_conflict_leaves_its_neighbours_untouched,
    writes::concurrent_units_all_count,
    writes::a_snapshot_is_of_one_moment,
    writes::a_query_cannot_write,
    writes::a_write_that_hangs_ends_at_its_deadline,
    writes::a_scripted_failure_stores_nothing_and_a_lost_answer_does,
    rules::no_state_is_without_an_alarm_clock,
    rules::no_deadline_lies_after_the_expiry,
    rules::a_final_state_needs_cause_actor_and_time,
    rules::a_state_outside_the_list_is_refused,
    rules::final_is_final,
    rules::what_is_not_final_cannot_vanish,
    rules::age_is_never_reset,
    rules::a_claim_has_an_owner_and_an_end,
    rules::an_attempt_has_begun_only_in_flight_and_counted,
    counts::counts_equal_a_scan_after_any_history,
    counts::references_cannot_be_given,
    counts::a_count_too_small_never_costs_a_body,
    bodies::a_small_body_comes_back,
    bodies::a_large_body_comes_back_in_bounded_chunks,
    bodies::a_body_lives_as_long_as_someone_needs_it,
    bodies::a_dead_letter_keeps_its_body_until_it_is_pruned,
    bodies::a_body_that_changed_is_reported_as_damaged,
    bodies::files_are_removed_after_their_rows_and_orphans_are_found,
    bodies::a_spool_that_is_given_up_leaves_nothing,
    operators::rights_are_known_words_each_once_and_in_one_order,
    operators::an_operator_is_well_named_and_takes_its_sessions_along,
    operators::an_account_takes_its_sessions_along_and_a_secret_is_made_once,
    reopen::what_was_answered_is_there_after_a_kill,
    reopen::a_store_from_the_future_is_refused,
    reopen::a_store_with_another_past_is_refused,
    tables::every_table_and_every_column_moves_or_is_said_not_to,
];

/// The first column of the first row of a query without values.
async fn one_int(store: &Store, text: &'static str) -> Result<i64, StoreError> {
    let rows = store.read(Query::new(text, Vec::new())).await?;
    let row = rows
        .first()
        .ok_or_else(|| StoreError::Damaged(format!("no row: {text}")))?;
    row.int(0)
}
