//! The attempts of a run's stages on a timeline, as SVG. Places are attributes and colours are
//! classes: the page's policy allows no style in it.

mod lane;
mod scale;

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use presentation::value::instant;
use proto::pipeline::v1::Run;

use crate::html::state::stage_word;
use lane::{Lane, Mark};
use scale::Scale;

/// Units of the drawing, which is scaled to the page.
const WIDTH: f64 = 1100.0;
const LABELS: f64 = 250.0;
const RIGHT: f64 = 12.0;
const HEADER: f64 = 24.0;
const LANE: f64 = 34.0;
const BAR: f64 = 16.0;
/// What is shorter could not be seen, or pointed at.
const NARROWEST: f64 = 3.0;

/// The timeline; before the run has started, why there is none.
pub(super) fn view(run: &Run, now: DateTime<Utc>) -> Markup {
    let Some(started) = instant(run.start_time.as_ref()) else {
        return html! { p.note { "The timeline begins when the run does." } };
    };
    let lanes: Vec<Lane> = run.stages.iter().map(|stage| Lane::of(stage, run, started, now)).collect();
    let scale = Scale::over(run, &lanes, started, now);
    html! {
        div.scroll tabindex="0" role="region" aria-label="Timeline of the stages" {
            (drawing(run, &lanes, &scale))
        }
        ul.legend aria-label="Key" {
            @for (class, words) in [
                ("succeeded", "succeeded"),
                ("running", "running"),
                ("failed", "failed"),
                ("interrupted", "interrupted, or not finished"),
                ("waiting", "waiting"),
            ] {
                li { svg viewBox="0 0 20 12" aria-hidden="true" { rect class={ "span " (class) } width="20" height="12" rx="2" {} } (words) }
            }
        }
    }
}

fn drawing(run: &Run, lanes: &[Lane], scale: &Scale) -> Markup {
    let height = HEADER + LANE * count(lanes.len()) + 4.0;
    html! {
        svg.chart.gantt viewBox={ "0 0 " (WIDTH) " " (place(height)) } role="img"
            aria-labelledby="gantt-title gantt-words" {
            title #gantt-title { "Timeline of the stages" }
            desc #gantt-words { (words(run)) }
            @for (at, label) in scale.ticks() {
                line.axis x1=(place(x(at))) x2=(place(x(at))) y1=(HEADER) y2=(place(height - 4.0)) {}
                text x=(place(x(at))) y="14" text-anchor=(if at > 0.95 { "end" } else { "middle" }) { (label) }
            }
            (edges(run, lanes, scale))
            @for (position, lane) in lanes.iter().enumerate() {
                g.lane {
                    @let top = HEADER + LANE * count(position);
                    text.name x="0" y=(place(top + 14.0)) { (shortened(&lane.stage)) title { (lane.stage) } }
                    text.word x="0" y=(place(top + 27.0)) { (lane.word) }
                    @for mark in &lane.marks { (bar(mark, top + (LANE - BAR) / 2.0, scale)) }
                }
            }
        }
    }
}

fn bar(mark: &Mark, top: f64, scale: &Scale) -> Markup {
    let (from, to) = (x(scale.share(mark.from)), x(scale.share(mark.to)));
    let width = if mark.is_wait { to - from } else { (to - from).max(NARROWEST) };
    // A wait is thinner than what is done.
    let (top, height) = if mark.is_wait { (top + BAR / 2.0 - 2.0, 4.0) } else { (top, BAR) };
    html! {
        rect class={ "span " (mark.class) } x=(place(from.min(WIDTH - RIGHT - NARROWEST))) y=(place(top))
            width=(place(width)) height=(height) rx="2" { title { (mark.title) } }
    }
}

/// Lines from the end of a stage to the start of those that wait for it.
fn edges(run: &Run, lanes: &[Lane], scale: &Scale) -> Markup {
    let middle = |position: usize| HEADER + LANE * count(position) + LANE / 2.0;
    let paths = run.stages.iter().enumerate().flat_map(|(to, stage)| {
        let sources =
            run.stages.iter().enumerate().filter(|(_, before)| stage.depends_on.contains(&before.stage));
        sources.filter_map(move |(from, _)| {
            let (end, start) = (lanes[from].end?, lanes[to].start?);
            let (end, start) = (place(x(scale.share(end))), place(x(scale.share(start))));
            Some(format!("M{end} {} V{} H{start}", place(middle(from)), place(middle(to))))
        })
    });
    html! { @for path in paths { path.edge d=(path) {} } }
}

/// The drawing in words.
fn words(run: &Run) -> String {
    let stages = run.stages.iter().map(|stage| format!("{} {}", stage.stage, stage_word(stage.state())));
    format!("{}. The tables below have the numbers and every attempt.", stages.collect::<Vec<_>>().join(", "))
}

fn x(share: f64) -> f64 {
    LABELS + share * (WIDTH - LABELS - RIGHT)
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}

/// A place, to a tenth of a unit.
fn place(number: f64) -> String {
    format!("{number:.1}")
}

fn shortened(name: &str) -> String {
    const LONGEST: usize = 34;
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    name.chars().take(LONGEST - 1).chain(['…']).collect()
}
