//! Prints the manual of the measures: the text of `docs/metrics.md`.

fn main() {
    print!("{}", access_admin::metrics::manual());
}
