//! Settings: any text is a configuration or a list of problems, each in its place with its remedy.
#![no_main]

use ground_settings::{
    AddressSpace, Cidr, Endpoint, Fault, Hostname, NextHop, Period, Problem, Settings, Size, Store,
};
use libfuzzer_sys::fuzz_target;
use postrider_fuzz::assert_reads_back;
use std::fmt::{Debug, Display};
use std::path::Path;
use std::str::FromStr;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match Settings::parse(text) {
        Ok(settings) => {
            assert!(!settings.node_name().is_empty());
            settings.data_directory(Path::new("folder"));
        }
        Err(problems) => check_problems(text, &problems),
    }
    check_form::<AddressSpace>(text);
    check_form::<Cidr>(text);
    check_form::<Endpoint>(text);
    check_form::<Hostname>(text);
    check_form::<NextHop>(text);
    check_form::<Period>(text);
    check_form::<Size>(text);
    if let Err(fault) = Store::from_str(text) {
        check_fault(&fault);
    }
});

fn check_problems(text: &str, problems: &[Problem]) {
    assert!(!problems.is_empty());
    let places: Vec<_> = problems.iter().map(|p| (p.line, p.column)).collect();
    assert!(places.is_sorted(), "{problems:#?}");
    let lines = text.matches('\n').count() + 1;
    for problem in problems {
        assert!(
            (1..=lines).contains(&problem.line) && problem.column > 0,
            "{problem:?}"
        );
        assert!(!problem.what.is_empty() && !problem.remedy.is_empty());
    }
}

/// One way to write a value: refused with a remedy, or printed so that it is read as the same.
fn check_form<T>(text: &str)
where
    T: FromStr<Err = Fault> + Display + Debug + PartialEq,
{
    match T::from_str(text) {
        Ok(value) => assert_reads_back(&value, &value.to_string(), T::from_str),
        Err(fault) => check_fault(&fault),
    }
}

fn check_fault(fault: &Fault) {
    assert!(!fault.what.is_empty() && !fault.remedy.is_empty());
}
