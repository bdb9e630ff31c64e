//! Every setting, defined once: name, type, default, documentation and check.
