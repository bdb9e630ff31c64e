//! Known addresses, good and bad, and there-and-back.

use proptest::prelude::*;

use super::*;

/// What an address prints as and is looked up by, or what is wrong with it.
fn check(text: &str, wanted: Result<(&str, &str), (AddressProblem, usize)>) {
    let got = Address::parse(text).map(|address| (address.to_string(), address.key()));
    let wanted = wanted
        .map(|(wire, key)| (wire.to_owned(), key.to_owned()))
        .map_err(|(problem, at)| problem.at(at));
    assert_eq!(got, wanted, "{text:?}");
}

#[test]
fn good_addresses_print_as_they_go_on_the_wire() {
    for (text, wire, key) in [
        ("jo@a.example", "jo@a.example", "jo@a.example"),
        ("Jo.Do@A.Example", "Jo.Do@a.example", "jo.do@a.example"),
        ("\"jo\"@a.example", "jo@a.example", "jo@a.example"),
        ("\"a b\"@c", "\"a b\"@c", "\"a b\"@c"),
        ("\"\"@c", "\"\"@c", "\"\"@c"),
        ("\".a\"@c", "\".a\"@c", "\".a\"@c"),
        (r#""\a\"\\@>"@c"#, r#""a\"\\@>"@c"#, r#""a\"\\@>"@c"#),
        (
            "a+b=c@[192.0.2.1]",
            "a+b=c@[192.0.2.1]",
            "a+b=c@[192.0.2.1]",
        ),
        (
            "a@[ipv6:2001:DB8::1]",
            "a@[IPv6:2001:db8::1]",
            "a@[IPv6:2001:db8::1]",
        ),
        (
            "jürgen@MÜNCHEN.example",
            "jürgen@münchen.example",
            "jürgen@xn--mnchen-3ya.example",
        ),
        (
            "a@xn--mnchen-3ya.example",
            "a@xn--mnchen-3ya.example",
            "a@xn--mnchen-3ya.example",
        ),
        ("a@host_1.example", "a@host_1.example", "a@host_1.example"),
    ] {
        check(text, Ok((wire, key)));
    }
}

#[test]
fn bad_addresses_say_what_is_wrong_and_where() {
    use AddressProblem::*;
    for (text, problem, at) in [
        ("", LocalEmpty, 0),
        ("@a", LocalEmpty, 0),
        ("jo", NoDomain, 2),
        (".jo@a", LocalDot, 0),
        ("jo.@a", LocalDot, 2),
        ("j..o@a", LocalDot, 1),
        ("a b@c", LocalCharacter, 1),
        ("a\r\n@c", LocalCharacter, 1),
        ("\"a\0\"@c", LocalCharacter, 2),
        ("a\u{85}b@c", LocalCharacter, 1),
        ("\"a\\\u{fc}\"@c", LocalCharacter, 2),
        ("\"a@c", QuoteOpen, 4),
        ("\"a\"b@c", LocalCharacter, 3),
        ("a@", DomainEmptyLabel, 2),
        ("a@b.", DomainEmptyLabel, 4),
        ("a@b..c", DomainEmptyLabel, 4),
        ("a@b c", DomainCharacter, 3),
        ("a@b@c", DomainCharacter, 3),
        ("a@-b", DomainHyphen, 2),
        ("a@b-.c", DomainHyphen, 2),
        ("a@[1.2.3]", Literal, 2),
        ("a@[1.2.3.4", Literal, 2),
        ("a@[IPv6:1.2.3.4]", Literal, 2),
        ("a@[x:y]", Literal, 2),
        ("a@\u{ad}", DomainEmptyLabel, 2),
        ("a@ü..example", DomainEmptyLabel, 2),
    ] {
        check(text, Err((problem, at)));
    }
}

#[test]
fn lengths_are_limited_where_the_rfc_says() {
    let local = "l".repeat(LOCAL_MAX);
    let label = "d".repeat(LABEL_MAX);
    assert!(Address::parse(&format!("{local}@{label}")).is_ok());
    check(
        &format!("{local}l@d"),
        Err((AddressProblem::LocalTooLong, 64)),
    );
    check(
        &format!("a@{label}d"),
        Err((AddressProblem::LabelTooLong, 2)),
    );
    let long = format!("a@{label}.{label}.{label}.{}", "e".repeat(60));
    assert_eq!(long.len(), ADDRESS_MAX);
    assert!(Address::parse(&long).is_ok());
    check(
        &format!("{long}e"),
        Err((AddressProblem::AddressTooLong, 254)),
    );
    assert!(Address::new(&"\"".repeat(40), Domain::parse("a").unwrap()).is_err());
}

#[test]
fn the_two_forms_of_a_name_are_one_domain() {
    let u = Address::parse("jo@MÜNCHEN.example").unwrap();
    let a = Address::parse("jo@XN--mnchen-3ya.EXAMPLE").unwrap();
    assert_eq!(u, a);
    assert_ne!(u, Address::parse("Jo@münchen.example").unwrap());
    assert!(!u.is_ascii() && a.is_ascii());
    assert_eq!(
        u.to_ascii().unwrap().to_string(),
        "jo@xn--mnchen-3ya.example"
    );
    assert_eq!(a.domain().name().unwrap().unicode(), "münchen.example");
    assert_eq!(Address::parse("jö@a.example").unwrap().to_ascii(), None);
}

#[test]
fn paths_are_read_with_their_brackets_and_without_their_route() {
    assert_eq!(ReversePath::parse("<>"), Ok(ReversePath::Null));
    let routed = "<@one.example,@[IPv6:::1]:jo@a.example>";
    assert_eq!(
        ReversePath::parse(routed).unwrap().to_string(),
        "<jo@a.example>"
    );
    assert_eq!(
        ForwardPath::parse(routed).unwrap().to_string(),
        "<jo@a.example>"
    );
    assert_eq!(
        ForwardPath::parse("<PostMaster>"),
        Ok(ForwardPath::Postmaster)
    );
    let home = Domain::parse("home.example").unwrap();
    let postmaster = ForwardPath::Postmaster.into_address(&home).unwrap();
    assert_eq!(postmaster.to_string(), "postmaster@home.example");
    for (text, problem, at) in [
        ("jo@a", AddressProblem::Brackets, 0),
        ("<jo@a", AddressProblem::Brackets, 5),
        ("<jo>", AddressProblem::NoDomain, 3),
        ("<@a jo@b>", AddressProblem::SourceRoute, 1),
        ("<@a,b:jo@b>", AddressProblem::SourceRoute, 1),
        ("<@a:jo@b c>", AddressProblem::DomainCharacter, 8),
    ] {
        assert_eq!(ReversePath::parse(text), Err(problem.at(at)), "{text:?}");
    }
    assert_eq!(
        ForwardPath::parse("<>"),
        Err(AddressProblem::LocalEmpty.at(1))
    );
}

#[test]
fn a_quoted_bracket_does_not_end_a_path() {
    assert_eq!(
        split_path(r#"<"a>b"@c> SIZE=1"#),
        Some((r#"<"a>b"@c>"#, " SIZE=1"))
    );
    assert_eq!(split_path(r#"<"a\">"@c>"#), Some((r#"<"a\">"@c>"#, "")));
    assert_eq!(split_path("<>"), Some(("<>", "")));
    assert_eq!(split_path("<\"a>"), None);
    assert_eq!(split_path(" <a>"), None);
}

fn domain() -> impl Strategy<Value = Domain> {
    let name = "([a-zA-Z0-9_äß日é]([a-z0-9ü-]{0,8}[a-z0-9])?\\.){0,3}[a-z]{1,8}";
    let name = name.prop_filter_map("not a name", |text| Domain::parse(&text).ok());
    prop_oneof![
        4 => name,
        1 => any::<std::net::IpAddr>().prop_map(Domain::Literal),
    ]
}

/// Any address at all.
fn address() -> impl Strategy<Value = Address> {
    ("[ -~]{0,20}|[a-z.]{1,20}|\\PC{0,10}", domain())
        .prop_filter_map("not an address", |(local, domain)| {
            Address::new(&local, domain).ok()
        })
}

proptest! {
    #[test]
    fn every_address_comes_back_from_the_wire(address in address()) {
        let again = Address::parse(&address.to_string()).unwrap();
        prop_assert_eq!(again.to_string(), address.to_string());
        prop_assert_eq!(again, address);
    }

    #[test]
    fn every_path_comes_back_from_the_wire(address in address()) {
        let path = ReversePath::from(address);
        let wire = path.to_string();
        let line = format!("{wire} SIZE=1");
        prop_assert_eq!(split_path(&line), Some((wire.as_str(), " SIZE=1")));
        prop_assert_eq!(wire.parse(), Ok(path));
    }

    #[test]
    fn what_is_accepted_comes_back(text in "<?[a-zA-Z\"\\\\.@:,\\[\\] <>üß\u{ad}。-]{0,30}>?|\\PC{0,40}") {
        if let Ok(address) = Address::parse(&text) {
            prop_assert_eq!(Address::parse(&address.to_string()), Ok(address));
        }
        if let Ok(path) = ForwardPath::parse(&text) {
            prop_assert_eq!(ForwardPath::parse(&path.to_string()), Ok(path));
        }
    }
}

#[test]
fn a_domain_too_long_in_u_labels_is_printed_in_a_labels() {
    let long = DomainName::parse(&"ü".repeat(50)).unwrap();
    let label = long.ascii();
    let text = format!("{label}.{label}.{label}.ü.test");
    let domain = Domain::parse(&text).unwrap();
    assert_eq!(
        domain.to_string(),
        format!("{label}.{label}.{label}.xn--tda.test")
    );
    assert_eq!(Domain::parse(&domain.to_string()), Ok(domain));
}

#[test]
fn an_address_that_grows_too_long_is_refused_at_its_domain() {
    let long = DomainName::parse(&"ü".repeat(50)).unwrap();
    let text = format!("jo@{0}.{0}.ü", long.ascii());
    let text = format!("{}{text}", "x".repeat(50));
    let error = Address::parse(&text).unwrap_err();
    assert_eq!(
        (error.problem, error.at),
        (AddressProblem::AddressTooLong, 53)
    );
}
