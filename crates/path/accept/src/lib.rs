//! A dialogue becomes an accepted message, or a reasoned refusal.
