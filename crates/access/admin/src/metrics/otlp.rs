//! What is pushed: an `ExportMetricsServiceRequest` of the OpenTelemetry protocol (OTLP 1.x), as JSON. Names are in lower camel
//! case, 64-bit integers are text, and the words of closed sets are numbers, as the protocol has it.

use ground_store::Buckets;
use serde::{Deserialize, Serialize};
use wire_message::Time;

use super::catalogue::{Declared, Kind, LASTING};
use super::family::{Family, Point, Reading};

/// Each point says all since the start of its series.
const CUMULATIVE: u8 = 2;

/// Who measures.
pub(super) struct Instance<'a> {
    /// The node's name.
    pub(super) node: &'a str,
    /// Since when it counts.
    pub(super) since: Time,
    /// When it was read.
    pub(super) now: Time,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    resource_metrics: [ResourceMetrics<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceMetrics<'a> {
    resource: Resource<'a>,
    scope_metrics: [ScopeMetrics<'a>; 1],
}

#[derive(Serialize)]
struct Resource<'a> {
    attributes: Vec<Attribute<'a>>,
}

#[derive(Serialize)]
struct ScopeMetrics<'a> {
    scope: Scope,
    metrics: Vec<Metric<'a>>,
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Attribute<'a> {
    key: &'static str,
    value: Text<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Text<'a> {
    string_value: &'a str,
}

#[derive(Serialize)]
struct Metric<'a> {
    name: &'static str,
    description: &'static str,
    unit: &'static str,
    #[serde(flatten)]
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Data<'a> {
    Gauge {
        data_points: Vec<DataPoint<'a>>,
    },
    Sum {
        data_points: Vec<DataPoint<'a>>,
        aggregation_temporality: u8,
        is_monotonic: bool,
    },
    Histogram {
        data_points: Vec<DataPoint<'a>>,
        aggregation_temporality: u8,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DataPoint<'a> {
    attributes: Vec<Attribute<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time_unix_nano: Option<String>,
    time_unix_nano: String,
    #[serde(flatten)]
    value: PointValue,
}

/// By the names of its fields alone: whole or real, or a histogram.
#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum PointValue {
    Whole {
        as_int: String,
    },
    Real {
        as_double: f64,
    },
    Times {
        count: String,
        sum: f64,
        bucket_counts: Vec<String>,
        explicit_bounds: Vec<f64>,
    },
}

/// What was read, as a collector takes it. A measure of which there is nothing, as of next hops without mail, is left out.
pub(super) fn request(families: &[Family], instance: &Instance<'_>) -> serde_json::Result<Vec<u8>> {
    let version = env!("CARGO_PKG_VERSION");
    let said = families.iter().filter(|family| !family.points.is_empty());
    serde_json::to_vec(&Request {
        resource_metrics: [ResourceMetrics {
            resource: Resource {
                attributes: vec![
                    attribute("service.name", "postrider"),
                    attribute("service.version", version),
                    attribute("service.instance.id", instance.node),
                ],
            },
            scope_metrics: [ScopeMetrics {
                scope: Scope {
                    name: "postrider",
                    version,
                },
                metrics: said.map(|family| metric(family, instance)).collect(),
            }],
        }],
    })
}

const fn attribute<'a>(key: &'static str, value: &'a str) -> Attribute<'a> {
    Attribute {
        key,
        value: Text {
            string_value: value,
        },
    }
}

fn metric<'a>(family: &'a Family, instance: &Instance<'_>) -> Metric<'a> {
    let Declared {
        name,
        kind,
        unit,
        help,
        ..
    } = family.measure.declared();
    let since = match kind {
        // What is so at this moment has no beginning.
        Kind::Gauge => None,
        // Nobody knows when the store was made.
        Kind::Counter if LASTING.contains(&family.measure) => None,
        Kind::Counter | Kind::Histogram => Some(instance.since),
    };
    let points = family.points.iter();
    let data_points = points
        .map(|point| data_point(family, point, since, instance.now))
        .collect();
    let data = match kind {
        Kind::Gauge => Data::Gauge { data_points },
        Kind::Counter => Data::Sum {
            data_points,
            aggregation_temporality: CUMULATIVE,
            is_monotonic: true,
        },
        Kind::Histogram => Data::Histogram {
            data_points,
            aggregation_temporality: CUMULATIVE,
        },
    };
    Metric {
        name,
        description: help,
        unit: ucum(unit),
        data,
    }
}

/// A unit as UCUM writes it, which the protocol asks for. A plain number has none: whoever makes Prometheus' names of these would
/// call it a ratio.
fn ucum(unit: &'static str) -> &'static str {
    match unit {
        "seconds" => "s",
        other => other,
    }
}

fn data_point<'a>(
    family: &Family,
    point: &'a Point,
    since: Option<Time>,
    now: Time,
) -> DataPoint<'a> {
    let labels = family.named(point);
    DataPoint {
        attributes: labels.map(|(name, value)| attribute(name, value)).collect(),
        start_time_unix_nano: since.map(nanos),
        time_unix_nano: nanos(now),
        value: match &point.reading {
            Reading::Whole(number) => PointValue::Whole {
                as_int: number.to_string(),
            },
            Reading::Real(number) => PointValue::Real { as_double: *number },
            Reading::Times(buckets) => times(buckets),
        },
    }
}

fn times(buckets: &Buckets) -> PointValue {
    let bounds = buckets.bounds.iter().map(|bound| bound.as_secs_f64());
    PointValue::Times {
        count: buckets.counts.iter().sum::<u64>().to_string(),
        sum: buckets.sum.as_secs_f64(),
        bucket_counts: buckets.counts.iter().map(u64::to_string).collect(),
        explicit_bounds: bounds.collect(),
    }
}

fn nanos(at: Time) -> String {
    (i128::from(at.as_millis().max(0)) * 1_000_000).to_string()
}

/// What a collector answers that has taken a push (`ExportMetricsServiceResponse`).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Response {
    partial_success: Option<PartialSuccess>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PartialSuccess {
    /// A 64-bit integer: text, though a number is read too.
    rejected_data_points: serde_json::Value,
    error_message: String,
}

impl Response {
    /// What it did not take of a push, or warns of; none: all is well.
    pub(super) fn complaint(content: &[u8]) -> Option<String> {
        // It has taken the push whatever it says, and may say nothing.
        let response: Self = serde_json::from_slice(content).ok()?;
        let partial = response.partial_success?;
        let rejected = &partial.rejected_data_points;
        let text = rejected.as_str().and_then(|text| text.parse().ok());
        let rejected: Option<u64> = text.or_else(|| rejected.as_u64());
        let rejected = rejected.unwrap_or(0);
        if rejected == 0 && partial.error_message.is_empty() {
            return None;
        }
        let message = partial.error_message;
        Some(format!("it rejected {rejected} points: {message:?}"))
    }
}
