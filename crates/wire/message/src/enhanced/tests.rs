//! Known codes, and there-and-back.

use proptest::prelude::*;

use super::*;

fn check(text: &str, wanted: Option<(Class, u16, u16)>) {
    let got = text.parse::<EnhancedStatus>().ok();
    let got = got.map(|status| (status.class(), status.subject(), status.detail()));
    assert_eq!(got, wanted, "{text:?}");
}

#[test]
fn codes_are_read_as_rfc_3463_writes_them() {
    check("2.0.0", Some((Class::Success, 0, 0)));
    check("4.7.1", Some((Class::Temporary, 7, 1)));
    check("5.1.999", Some((Class::Permanent, 1, 999)));
    for text in [
        "", "5", "5.1", "5.1.", "5..1", "3.0.0", "05.1.1", "5.1.1000", "5.1.1.1", "5.+1.1",
        "5.1.1 ",
    ] {
        check(text, None);
    }
}

#[test]
fn a_reply_gives_its_code_and_its_text() {
    let status = EnhancedStatus::new(Class::Permanent, 1, 1);
    assert_eq!(
        EnhancedStatus::split("5.1.1 No such user"),
        Some((status, "No such user"))
    );
    assert_eq!(EnhancedStatus::split("5.1.1"), Some((status, "")));
    assert_eq!(EnhancedStatus::split("No such user"), None);
    assert_eq!(
        EnhancedStatus::from_reply_code(450).unwrap().to_string(),
        "4.0.0"
    );
    assert_eq!(EnhancedStatus::from_reply_code(354), None);
    assert_eq!(
        EnhancedStatus::new(Class::Success, 1000, 1000).to_string(),
        "2.0.0"
    );
}

proptest! {
    #[test]
    fn every_code_comes_back(class in 0usize..3, subject in 0u16..1000, detail in 0u16..1000) {
        let class = [Class::Success, Class::Temporary, Class::Permanent][class];
        let status = EnhancedStatus::new(class, subject, detail);
        prop_assert_eq!(status.to_string().parse(), Ok(status));
    }

    #[test]
    fn what_is_accepted_is_a_code(text in "[0-9. ]{0,12}|\\PC{0,12}") {
        if let Ok(status) = text.parse::<EnhancedStatus>() {
            prop_assert!(status.subject() <= NUMBER_MAX && status.detail() <= NUMBER_MAX);
        }
    }
}
