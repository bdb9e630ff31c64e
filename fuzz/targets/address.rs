//! Mailboxes and domains: what is read can be printed and read again, in both its forms.
#![no_main]

use libfuzzer_sys::fuzz_target;
use postrider_fuzz::assert_reads_back;
use wire_message::address::{ADDRESS_MAX, Address, DOMAIN_MAX, Domain};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match Address::parse(text) {
        Ok(address) => check_address(&address),
        Err(error) => assert!(error.at <= text.len(), "{error}"),
    }
    match Domain::parse(text) {
        Ok(domain) => check_domain(&domain),
        Err(error) => assert!(error.at <= text.len(), "{error}"),
    }
});

fn check_address(address: &Address) {
    let shown = address.to_string();
    assert!(shown.len() <= ADDRESS_MAX && !shown.contains(char::is_control));
    assert_reads_back(address, &shown, Address::parse);
    assert_eq!(address.is_ascii(), shown.is_ascii());
    let again = Address::new(address.local(), address.domain().clone());
    assert_eq!(again.as_ref(), Ok(address));
    if let Some(ascii) = address.to_ascii() {
        assert!(ascii.to_string().is_ascii());
        assert_eq!((&ascii, ascii.key()), (address, address.key()));
        assert_reads_back(address, &ascii.to_string(), Address::parse);
    }
    check_domain(address.domain());
}

fn check_domain(domain: &Domain) {
    let shown = domain.to_string();
    assert!(shown.len() <= DOMAIN_MAX && !shown.contains(char::is_control));
    assert_reads_back(domain, &shown, Domain::parse);
    assert!(domain.to_ascii().is_ascii());
    assert_reads_back(domain, &domain.to_ascii(), Domain::parse);
    let people = domain.name().map(|name| name.unicode());
    if let Some(Ok(read)) = people.map(|people| Domain::parse(&people)) {
        assert_eq!(&read, domain);
    }
}
