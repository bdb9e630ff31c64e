//! Which way? Connectors, address spaces, costs, MX.
