//! The sweeps that keep the promises, apart from delivery.
