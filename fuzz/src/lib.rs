//! What the fuzz targets share: decisions read from the input, input that arrives in cuts, and the rules every wire keeps.
//!
//! A target is a file in `targets/`: it reads its input, calls one parser or one machine, and asserts what must hold
//! whatever the input is. `./run` builds and runs them all; `seeds/` holds where they start from.

mod cuts;
mod dice;
mod lines;
mod listener;

pub use cuts::Cuts;
pub use dice::Dice;
pub use lines::{assert_one_end, assert_reads_back, assert_strict, is_strict, read_replies, same};
pub use listener::{dialect, features};
