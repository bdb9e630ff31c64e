//! The text: OpenMetrics 1.0, family by family.

use std::fmt::{self, Write};

use ground_store::Buckets;

use super::catalogue::Declared;
use super::family::{Family, Point, Reading};

/// The text of what was read.
pub(super) fn text(families: &[Family]) -> String {
    let mut page = Page::default();
    for family in families {
        page.family(family);
    }
    page.line(format_args!("# EOF"));
    page.0
}

/// The text so far.
#[derive(Debug, Default)]
struct Page(String);

/// A point with the labels of its samples, as they are written.
struct Labelled<'a> {
    name: &'static str,
    labels: Vec<(&'static str, &'a str)>,
}

impl Page {
    fn family(&mut self, family: &Family) {
        let Declared {
            name,
            kind,
            unit,
            help,
            ..
        } = family.measure.declared();
        self.line(format_args!("# TYPE {name} {}", kind.word()));
        if !unit.is_empty() {
            self.line(format_args!("# UNIT {name} {unit}"));
        }
        self.line(format_args!("# HELP {name} {help}"));
        for point in &family.points {
            self.point(family, point);
        }
    }

    fn point(&mut self, family: &Family, point: &Point) {
        let Declared { name, kind, .. } = family.measure.declared();
        let labels = family.named(point).collect();
        let of = Labelled { name, labels };
        match &point.reading {
            Reading::Whole(number) => self.sample(&of, kind.suffix(), None, number),
            Reading::Real(number) => self.sample(&of, kind.suffix(), None, number),
            Reading::Times(buckets) => self.histogram(&of, buckets),
        }
    }

    fn histogram(&mut self, of: &Labelled<'_>, buckets: &Buckets) {
        let bounds = buckets.bounds.iter().map(|bound| bound.as_secs_f64());
        let mut all = 0;
        for (bound, count) in bounds.chain([f64::INFINITY]).zip(&buckets.counts) {
            all += count;
            let bound = match bound.is_finite() {
                true => bound.to_string(),
                false => "+Inf".to_owned(),
            };
            self.sample(of, "_bucket", Some(&bound), all);
        }
        self.sample(of, "_count", None, all);
        self.sample(of, "_sum", None, buckets.sum.as_secs_f64());
    }

    fn sample(
        &mut self,
        of: &Labelled<'_>,
        suffix: &str,
        bound: Option<&str>,
        value: impl fmt::Display,
    ) {
        let Labelled { name, labels } = of;
        let bound = bound.map(|bound| ("le", bound));
        let labels = labels.iter().copied().chain(bound);
        let labels = labels.map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
        let labels = match labels.collect::<Vec<_>>().join(",") {
            none if none.is_empty() => none,
            some => format!("{{{some}}}"),
        };
        self.line(format_args!("{name}{suffix}{labels} {value}"));
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        // A string takes everything.
        if writeln!(self.0, "{line}").is_err() {
            self.0.clear();
        }
    }
}

/// As the format has it: backslash, quote and line end.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    text.replace('\n', "\\n")
}
