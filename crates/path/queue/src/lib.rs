//! When? One queue per next hop: readiness, pace, retry, fairness.
