//! Prints the reference manual of the settings: the text of `docs/settings.md`.

fn main() {
    print!("{}", ground_settings::manual());
}
