//! What is wrong with an address, and where.

/// An address that cannot be read: what is wrong and at which byte of the text. The move is the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem} at byte {at}")]
pub struct AddressError {
    /// The byte offset in the text that was given, from 0.
    pub at: usize,
    /// What is wrong there.
    pub problem: AddressProblem,
}

/// What can be wrong with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressProblem {
    /// Nothing stands before the `@`.
    #[error("the local part is empty")]
    LocalEmpty,
    /// The local part is over [`LOCAL_MAX`](super::LOCAL_MAX) octets.
    #[error("the local part is longer than 64 octets")]
    LocalTooLong,
    /// A character that needs quotes, or may not occur at all.
    #[error("the local part has a character that is not allowed")]
    LocalCharacter,
    /// A dot at the start, at the end, or after another dot.
    #[error("the local part has a dot with nothing beside it")]
    LocalDot,
    /// A quoted string without its closing quote.
    #[error("the quoted local part does not end")]
    QuoteOpen,
    /// No `@` after the local part.
    #[error("the domain is missing")]
    NoDomain,
    /// Nothing between two dots, or nothing at all.
    #[error("the domain has an empty label")]
    DomainEmptyLabel,
    /// A character that no host name has.
    #[error("the domain has a character that is not allowed")]
    DomainCharacter,
    /// A hyphen at the start or end of a label.
    #[error("a label of the domain starts or ends with a hyphen")]
    DomainHyphen,
    /// A label over [`LABEL_MAX`](super::LABEL_MAX) octets.
    #[error("a label of the domain is longer than 63 octets")]
    LabelTooLong,
    /// The domain is over [`DOMAIN_MAX`](super::DOMAIN_MAX) octets.
    #[error("the domain is longer than 255 octets")]
    DomainTooLong,
    /// Not a valid internationalized name (UTS 46).
    #[error("the internationalized domain is not valid")]
    DomainNotIdna,
    /// Neither `[1.2.3.4]` nor `[IPv6:...]`.
    #[error("the address literal is not valid")]
    Literal,
    /// The whole is over [`ADDRESS_MAX`](super::ADDRESS_MAX) octets.
    #[error("the address is longer than 254 octets")]
    AddressTooLong,
    /// No `<` at the start or no `>` at the end of a path.
    #[error("the path is not in angle brackets")]
    Brackets,
    /// The hosts before the `:` of a path are not a source route.
    #[error("the source route is not valid")]
    SourceRoute,
}

impl AddressProblem {
    pub(super) fn at(self, at: usize) -> AddressError {
        AddressError { at, problem: self }
    }
}

impl AddressError {
    /// The same problem, seen from a text that starts `by` bytes earlier.
    pub(super) fn shifted(self, by: usize) -> AddressError {
        AddressError {
            at: self.at + by,
            problem: self.problem,
        }
    }
}
