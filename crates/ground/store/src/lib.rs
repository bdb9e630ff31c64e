//! SQL: schema, group commit, bodies.
