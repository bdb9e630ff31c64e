//! Prints the manual of words: the text of `docs/words.md`.

fn main() {
    print!("{}", access_admin::explain::manual());
}
