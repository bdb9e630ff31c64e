//! The directory's promises, on a store in a temporary folder and a simulated world.
