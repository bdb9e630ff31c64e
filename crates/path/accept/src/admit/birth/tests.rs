//! The promises of birth that need no store.

use super::*;

#[test]
fn of_a_lists_members_no_success_is_told() {
    let on = |success, failure, delay| {
        Some(Notify::On {
            success,
            failure,
            delay,
        })
    };
    for (asked, kept) in [
        (None, None),
        (Some(Notify::Never), Some(Notify::Never)),
        (on(true, false, false), Some(Notify::Never)),
        (on(true, true, false), on(false, true, false)),
        (on(true, false, true), on(false, false, true)),
        (on(false, true, true), on(false, true, true)),
    ] {
        assert_eq!(of_child(asked), kept, "{asked:?}");
    }
}
