//! The envelope's two paths: read, printed, read again, and cut out of a command's argument.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postrider_fuzz::assert_reads_back;
use wire_message::address::{Domain, ForwardPath, ReversePath, split_path};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Some((path, tail)) = split_path(text) {
        assert_eq!([path, tail].concat(), text);
        assert!(path.starts_with('<') && path.ends_with('>'));
    }
    match ReversePath::parse(text) {
        Ok(path) => {
            check_cut(text);
            check_cut(&path.to_string());
            assert_reads_back(&path, &path.to_string(), ReversePath::parse);
        }
        Err(error) => assert!(error.at <= text.len(), "{error}"),
    }
    match ForwardPath::parse(text) {
        Ok(path) => {
            check_cut(text);
            assert_reads_back(&path, &path.to_string(), ForwardPath::parse);
            let home = Domain::parse("mx.test").expect("a domain");
            path.into_address(&home).expect("a short home");
        }
        Err(error) => assert!(error.at <= text.len(), "{error}"),
    }
});

/// A path alone is all path.
fn check_cut(path: &str) {
    assert_eq!(split_path(path), Some((path, "")));
}
