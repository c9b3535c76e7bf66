//! The drawing: geometry as attributes, colours by classes.

use maud::{Markup, html};

use super::{Chart, Panel, Series, Shape, scale::Scale};
use crate::html::time::NONE;

/// The drawing is scaled to the width of the page; these are its own units.
const WIDTH: f64 = 960.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 8.0;
const PANEL: f64 = 120.0;
/// Above each panel, for its name.
const HEAD: f64 = 24.0;
/// Below the last one, for the days.
const FOOT: f64 = 24.0;
/// The most labels that fit beside each other, and how wide one is.
const LABELS: usize = 10;
const LABEL: f64 = 64.0;
/// The widest bar. A few days are a few bars, not a few blocks.
const BAR: f64 = 40.0;

/// What every part of the drawing needs to know.
#[derive(Debug, Clone, Copy)]
struct Frame {
    /// The width of a day.
    slot: f64,
    /// The height of everything.
    height: f64,
}

impl Frame {
    fn of(chart: &Chart) -> Self {
        Self {
            slot: (WIDTH - LEFT - RIGHT) / count(chart.slots.len().max(1)),
            height: count(chart.panels.len()) * (PANEL + HEAD) + FOOT,
        }
    }

    fn left(self, position: usize) -> f64 {
        LEFT + self.slot * count(position)
    }

    fn middle(self, position: usize) -> f64 {
        self.left(position) + self.slot / 2.0
    }
}

#[expect(clippy::cast_precision_loss, reason = "a chart has some hundred days")]
fn count(number: usize) -> f64 {
    number as f64
}

/// A tenth of a unit is less than anybody sees.
fn at(place: f64) -> String {
    format!("{place:.1}")
}

pub(super) fn svg(chart: &Chart) -> Markup {
    let frame = Frame::of(chart);
    html! {
        svg.chart viewBox=(format!("0 0 {WIDTH} {}", frame.height)) role="img" {
            title { (chart.title) }
            desc { (chart.description) }
            (stretches(chart, frame))
            @for (position, panel) in chart.panels.iter().enumerate() {
                (drawn(panel, frame, count(position) * (PANEL + HEAD) + HEAD))
            }
            (events(chart, frame))
            (labels(chart, frame))
            (hover(chart, frame))
        }
    }
}

fn drawn(panel: &Panel, frame: Frame, top: f64) -> Markup {
    let numbers = panel.series.iter().flat_map(|series| series.values.iter().flatten().copied());
    let scale = Scale::of(numbers);
    let bottom = top + PANEL;
    html! {
        text x=(at(LEFT)) y=(at(top - 8.0)) { (panel.name) }
        @for share in [0.0, 0.5, 1.0] {
            @let y = bottom - PANEL * share;
            line.axis x1=(at(LEFT)) x2=(at(WIDTH - RIGHT)) y1=(at(y)) y2=(at(y)) {}
            text x=(at(LEFT - 6.0)) y=(at(y + 4.0)) text-anchor="end" { (panel.unit.tick(scale.top * share)) }
        }
        @for series in &panel.series {
            @match series.shape {
                Shape::Bars => (bars(series, frame, scale, bottom)),
                Shape::Line => (line(series, frame, scale, bottom)),
            }
        }
    }
}

fn bars(series: &Series, frame: Frame, scale: Scale, bottom: f64) -> Markup {
    let width = (frame.slot * 0.8).min(BAR);
    html! {
        @for (position, value) in series.values.iter().enumerate() {
            @if let Some(value) = value.filter(|value| *value > 0.0) {
                // What there is stays visible, however small it is.
                @let height = (PANEL * scale.share(value)).max(1.0);
                rect.bar x=(at(frame.middle(position) - width / 2.0)) y=(at(bottom - height))
                    width=(at(width)) height=(at(height)) {}
            }
        }
    }
}

fn line(series: &Series, frame: Frame, scale: Scale, bottom: f64) -> Markup {
    let point = |(position, value): (usize, &Option<f64>)| {
        value.map(|value| (frame.middle(position), bottom - PANEL * scale.share(value)))
    };
    let points: Vec<Option<(f64, f64)>> = series.values.iter().enumerate().map(point).collect();
    html! {
        @for joined in points.split(Option::is_none).filter(|joined| joined.len() > 1) {
            @let places: Vec<String> = joined.iter().flatten().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            // Its rim keeps it apart from the bars that it crosses.
            polyline.rim points=(places.join(" ")) {}
            polyline.line points=(places.join(" ")) {}
        }
        // Points of their own where a line has nothing to join.
        @for alone in points.split(Option::is_none).filter(|joined| joined.len() == 1) {
            @for (x, y) in alone.iter().flatten() { circle.point cx=(at(*x)) cy=(at(*y)) r="2.5" {} }
        }
    }
}

fn stretches(chart: &Chart, frame: Frame) -> Markup {
    html! {
        @for stretch in &chart.stretches {
            rect.stretch x=(at(frame.left(stretch.first))) y=(at(HEAD))
                width=(at(frame.left(stretch.last + 1) - frame.left(stretch.first)))
                height=(at(frame.height - HEAD - FOOT)) {}
        }
    }
}

fn events(chart: &Chart, frame: Frame) -> Markup {
    html! {
        @for event in &chart.events {
            @let x = frame.middle(event.at);
            line.rim x1=(at(x)) x2=(at(x)) y1=(at(HEAD)) y2=(at(frame.height - FOOT)) {}
            line.event x1=(at(x)) x2=(at(x)) y1=(at(HEAD)) y2=(at(frame.height - FOOT)) {}
            circle.event cx=(at(x)) cy=(at(HEAD)) r="4" {}
        }
    }
}

fn labels(chart: &Chart, frame: Frame) -> Markup {
    let step = chart.slots.len().div_ceil(LABELS).max(1);
    html! {
        @for (position, slot) in chart.slots.iter().enumerate().step_by(step) {
            // One at the right edge would be cut off.
            @if frame.left(position) + LABEL < WIDTH {
                text x=(at(frame.left(position))) y=(at(frame.height - 8.0)) { (slot.label) }
            }
        }
    }
}

/// A column over each day that says all of its numbers.
fn hover(chart: &Chart, frame: Frame) -> Markup {
    html! {
        @for (position, slot) in chart.slots.iter().enumerate() {
            g {
                title { (slot.label) ": " (said(chart, position)) }
                rect.hover x=(at(frame.left(position))) y=(at(HEAD)) width=(at(frame.slot))
                    height=(at(frame.height - HEAD - FOOT)) {}
            }
        }
    }
}

fn said(chart: &Chart, position: usize) -> String {
    let numbers = chart.panels.iter().flat_map(|panel| {
        panel.series.iter().map(move |series| {
            let value = series.values.get(position).copied().flatten();
            format!("{} {}", series.name, value.map_or(NONE.to_owned(), |value| panel.unit.exact(value)))
        })
    });
    let stretches = chart.stretches.iter().filter(|it| (it.first..=it.last).contains(&position));
    let events = chart.events.iter().filter(|event| event.at == position);
    let words = stretches.map(|it| it.says.clone()).chain(events.map(|event| event.says.clone()));
    numbers.chain(words).collect::<Vec<_>>().join(", ")
}
