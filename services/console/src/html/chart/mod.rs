//! Charts, drawn here as SVG: panels over one line of days, with every number on hover and in
//! a table below.

mod draw;
mod numbers;
mod scale;
mod share;

use maud::{Markup, html};

pub(crate) use share::share;

/// Panels, one below the other, over the same days or periods.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chart {
    /// What it shows, in a few words.
    pub(crate) title: String,
    /// What there is to see, for those who do not.
    pub(crate) description: String,
    /// What a slot is, at the head of the table.
    pub(crate) slot_name: &'static str,
    /// The days or periods, in order.
    pub(crate) slots: Vec<Slot>,
    /// What is drawn of them.
    pub(crate) panels: Vec<Panel>,
    /// What holds for some days in a row; all of one name.
    pub(crate) stretches: Vec<Stretch>,
    pub(crate) stretch_name: &'static str,
    /// What happened on single days; all of one name.
    pub(crate) events: Vec<Event>,
    pub(crate) event_name: &'static str,
}

/// A day or period.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slot {
    /// Its name.
    pub(crate) label: String,
    /// Where there is more about it.
    pub(crate) address: Option<String>,
}

/// Series that have one scale.
#[derive(Debug, Clone)]
pub(crate) struct Panel {
    /// What its scale counts.
    pub(crate) name: &'static str,
    /// How its numbers are written.
    pub(crate) unit: Unit,
    /// What is drawn in it, the first one at the back.
    pub(crate) series: Vec<Series>,
}

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Whole numbers.
    Count,
    /// Seconds.
    Duration,
}

/// A number for each slot; `None` where nobody knows one.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    /// What it counts.
    pub(crate) name: &'static str,
    /// How it is drawn.
    pub(crate) shape: Shape,
    /// The numbers.
    pub(crate) values: Vec<Option<f64>>,
}

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A bar for each number.
    Bars,
    /// A line with a point for each number, interrupted where there is none.
    Line,
}

/// What holds for some slots in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// The first of them.
    pub(crate) first: usize,
    /// The last of them.
    pub(crate) last: usize,
    /// What holds.
    pub(crate) says: String,
}

/// What happened on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// The slot.
    pub(crate) at: usize,
    /// What happened.
    pub(crate) says: String,
}

impl Chart {
    /// The chart with its legend, and its numbers as a table.
    pub(crate) fn show(&self) -> Markup {
        html! {
            figure.figure {
                (draw::svg(self))
                (self.legend())
                (numbers::details(self))
            }
        }
    }

    fn legend(&self) -> Markup {
        html! {
            figcaption.legend {
                @for panel in &self.panels {
                    @for series in &panel.series {
                        span {
                            span class=(format!("key {}", series.shape.class())) aria-hidden="true" {}
                            (series.name)
                        }
                    }
                }
                @if !self.stretches.is_empty() { span { span.key.stretch aria-hidden="true" {} (self.stretch_name) } }
                @if !self.events.is_empty() { span { span.key.event aria-hidden="true" {} (self.event_name) } }
            }
        }
    }
}

impl Shape {
    const fn class(self) -> &'static str {
        match self {
            Self::Bars => "bar",
            Self::Line => "line",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> Chart {
        Chart {
            title: "Usage of <script>alert(1)</script>".into(),
            description: "Events by day.".into(),
            slot_name: "Day",
            slots: ["2026-02-01", "2026-02-02", "2026-02-03"]
                .map(|label| Slot { label: label.into(), address: Some(format!("/days/{label}")) })
                .into(),
            panels: vec![Panel {
                name: "Users",
                unit: Unit::Count,
                series: vec![
                    Series {
                        name: "users",
                        shape: Shape::Bars,
                        values: vec![Some(1_200.0), None, Some(300.0)],
                    },
                    Series { name: "7 days", shape: Shape::Line, values: vec![Some(1.0), None, Some(3.0)] },
                ],
            }],
            stretches: vec![Stretch { first: 1, last: 2, says: "at risk from 2026-02-02".into() }],
            stretch_name: "at risk",
            events: vec![Event { at: 0, says: "contacted".into() }],
            event_name: "contact",
        }
    }

    #[test]
    fn each_number_is_said_on_hover_and_in_the_table() {
        let shown = chart().show().into_string();
        assert!(shown.contains("<title>2026-02-01: users 1,200, 7 days 1, contacted</title>"), "{shown}");
        assert!(
            shown.contains("<title>2026-02-02: users –, 7 days –, at risk from 2026-02-02</title>"),
            "{shown}"
        );
        assert!(
            shown.contains(r#"<th scope="row"><a href="/days/2026-02-03">2026-02-03</a></th>"#),
            "{shown}"
        );
        assert!(shown.contains(r#"<td class="number">1,200</td>"#), "{shown}");
        assert!(!shown.contains("<script>") && !shown.contains("style="), "{shown}");
    }

    #[test]
    fn a_line_is_interrupted_where_no_number_is_known() {
        let shown = chart().show().into_string();
        assert_eq!(shown.matches("<polyline").count(), 0, "single points are no line: {shown}");
        let mut joined = chart();
        joined.panels[0].series[1].values = vec![Some(1.0), Some(2.0), None];
        assert_eq!(joined.show().into_string().matches(r#"<polyline class="line""#).count(), 1);
    }

    #[test]
    fn nothing_to_draw_is_drawn_as_nothing() {
        let shown = Chart { title: "Empty".into(), ..Chart::default() }.show().into_string();
        assert!(shown.contains("<title>Empty</title>"), "{shown}");
        assert!(!shown.contains("NaN"), "{shown}");
    }
}
