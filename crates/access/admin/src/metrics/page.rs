//! The text: OpenMetrics 1.0, family by family.

use std::fmt::{self, Write};

use ground_store::Buckets;

use super::catalogue::{Declared, Measure};

/// The text so far.
#[derive(Debug, Default)]
pub(super) struct Page(String);

/// The samples of one measure.
pub(super) struct Family<'a> {
    page: &'a mut Page,
    declared: Declared,
}

impl Page {
    pub(super) fn family(&mut self, measure: Measure) -> Family<'_> {
        let declared = measure.declared();
        let Declared {
            name, unit, help, ..
        } = declared;
        let kind = declared.kind.word();
        self.line(format_args!("# TYPE {name} {kind}"));
        if !unit.is_empty() {
            self.line(format_args!("# UNIT {name} {unit}"));
        }
        self.line(format_args!("# HELP {name} {help}"));
        Family {
            page: self,
            declared,
        }
    }

    pub(super) fn end(mut self) -> String {
        self.line(format_args!("# EOF"));
        self.0
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        // A string takes everything.
        if writeln!(self.0, "{line}").is_err() {
            self.0.clear();
        }
    }
}

impl Family<'_> {
    /// A sample; `labels` are the values of those that are declared, in their order.
    pub(super) fn value(&mut self, labels: &[&str], value: impl fmt::Display) {
        self.sample(self.declared.kind.suffix(), labels, None, value);
    }

    /// The samples of a histogram.
    pub(super) fn histogram(&mut self, labels: &[&str], buckets: &Buckets) {
        let bounds = buckets.bounds.iter().map(|bound| bound.as_secs_f64());
        let mut all = 0;
        for (bound, count) in bounds.chain([f64::INFINITY]).zip(&buckets.counts) {
            all += count;
            let bound = match bound.is_finite() {
                true => bound.to_string(),
                false => "+Inf".to_owned(),
            };
            self.sample("_bucket", labels, Some(&bound), all);
        }
        self.sample("_count", labels, None, all);
        self.sample("_sum", labels, None, buckets.sum.as_secs_f64());
    }

    fn sample(
        &mut self,
        suffix: &str,
        labels: &[&str],
        bound: Option<&str>,
        value: impl fmt::Display,
    ) {
        let Declared {
            name,
            labels: names,
            ..
        } = self.declared;
        debug_assert_eq!(names.len(), labels.len(), "{name}");
        let bound = bound.map(|bound| ("le", bound));
        let labels = names.iter().copied().zip(labels.iter().copied());
        let labels = labels
            .chain(bound)
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
        let labels = match labels.collect::<Vec<_>>().join(",") {
            none if none.is_empty() => none,
            some => format!("{{{some}}}"),
        };
        let page = &mut self.page;
        page.line(format_args!("{name}{suffix}{labels} {value}"));
    }
}

/// As the format has it: backslash, quote and line end.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    text.replace('\n', "\\n")
}
