//! Metric definitions, and the instruments that record them.

use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A number that only grows.
    Counter,
    /// A current value.
    Gauge,
    /// How many values fell below each of these bounds.
    Histogram(&'static [f64]),
}

/// A metric's definition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// The metric's name.
    pub name: &'static str,
    /// The unit, in UCUM: `s`, `By`, `{row}`.
    pub unit: &'static str,
    /// What it measures.
    pub description: &'static str,
    /// The metric's kind.
    pub kind: Kind,
    /// The attributes, each with its values or their meaning.
    pub attributes: &'static [(&'static str, &'static str)],
    /// The services that record it.
    pub services: &'static str,
}

impl Metric {
    /// The metric as a counter.
    #[must_use]
    pub fn counter(&self) -> Counter<u64> {
        meter().u64_counter(self.name).with_unit(self.unit).with_description(self.description).build()
    }

    /// The metric as a gauge.
    #[must_use]
    pub fn gauge(&self) -> Gauge<f64> {
        meter().f64_gauge(self.name).with_unit(self.unit).with_description(self.description).build()
    }

    /// The metric as a histogram.
    #[must_use]
    pub fn histogram(&self) -> Histogram<f64> {
        let meter = meter();
        let histogram =
            meter.f64_histogram(self.name).with_unit(self.unit).with_description(self.description);
        match self.kind {
            Kind::Histogram(bounds) => histogram.with_boundaries(bounds.to_vec()).build(),
            Kind::Counter | Kind::Gauge => histogram.build(),
        }
    }
}

pub(super) fn meter() -> Meter {
    opentelemetry::global::meter("company-activity")
}
