//! How input arrives: in pieces of any size.

use super::Dice;

/// Sizes of pieces, used in turn; without any, all arrives at once.
#[derive(Clone, Copy, Debug)]
pub struct Cuts<'a> {
    sizes: &'a [u8],
}

impl<'a> Cuts<'a> {
    /// All at once.
    pub const NONE: Cuts<'static> = Cuts { sizes: &[] };

    /// Takes up to seven sizes from the input.
    pub fn read(dice: &mut Dice<'a>) -> Cuts<'a> {
        Cuts {
            sizes: dice.piece(8),
        }
    }

    /// The pieces of `octets`, none of them empty: each size stands for itself and one more.
    pub fn pieces(self, octets: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let mut sizes = self.sizes.iter().cycle();
        let mut rest = octets;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let size = sizes
                .next()
                .map_or(rest.len(), |size| 1 + usize::from(*size));
            let (piece, after) = rest.split_at(size.min(rest.len()));
            rest = after;
            Some(piece)
        })
    }
}
