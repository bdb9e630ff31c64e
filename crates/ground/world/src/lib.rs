//! The only floor that touches the outside: clock, chance, sockets, DNS, TLS, files; and their simulated twins.
