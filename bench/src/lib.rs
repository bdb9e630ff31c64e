//! Load generator, sink, and the comparison with Postfix.
