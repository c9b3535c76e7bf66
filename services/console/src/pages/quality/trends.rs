//! How long each stage took from day to day, and whether that grows faster than its data.

use chrono::{Days, NaiveDate};
use domain::date_window::parse_day;
use maud::{Markup, html};
use presentation::trend::{Judgement, StageTrend, trends};
use proto::pipeline::v1::Run;

use crate::html::{
    address,
    chart::{Chart, Panel, Series, Shape, Slot, Unit},
    part::empty,
};

/// Days before the newest one that are shown.
const DAYS: u64 = 60;

pub(super) fn view(runs: &[Run]) -> Markup {
    let newest = runs.iter().filter_map(|run| parse_day(&run.window.as_ref()?.end_date)).max();
    let from = newest.and_then(|newest| newest.checked_sub_days(Days::new(DAYS))).unwrap_or(NaiveDate::MIN);
    let found = trends(runs, from);
    html! {
        @if found.is_empty() {
            (empty("No stage has succeeded yet.", "Trends are shown once runs have ended."))
        }
        @for trend in &found { (stage(trend)) }
    }
}

fn stage(trend: &StageTrend) -> Markup {
    html! {
        h3 { (trend.stage) }
        p { (judgement(trend.judgement)) " " (because(trend.judgement)) "." }
        @if let Some((before, first)) = trend.turn() {
            p {
                "Compare " a href=(address::run(&before.run_id)) { "the run before" } " with "
                a href=(address::run(&first.run_id)) { "the first that took longer" } "."
            }
        }
        @let others = trend.executions.iter().filter(|execution| !execution.is_judged).count();
        @if others > 0 {
            p.note { (others) " of the runs cover more or fewer days than most, and are not judged." }
        }
        (chart(trend).show())
    }
}

/// What the judgement means, as a word.
fn judgement(judgement: Judgement) -> Markup {
    html! {
        @match judgement {
            Judgement::TooFew(_) => span.state { "unknown" },
            Judgement::Steady => span.state.succeeded { "steady" },
            Judgement::Grows(_) => span.state.waiting { "grows" },
        }
    }
}

/// The rest of the sentence, which begins with the word before it.
fn because(judgement: Judgement) -> String {
    let said = judgement.to_string();
    let rest = said.strip_prefix("steady: ").or_else(|| said.strip_prefix("grows "));
    rest.unwrap_or(&said).to_owned()
}

fn chart(trend: &StageTrend) -> Chart {
    #[expect(clippy::cast_precision_loss, reason = "a chart shows numbers that a double holds")]
    let rows = trend.executions.iter().map(|execution| Some(execution.rows_read as f64)).collect();
    let took = trend.executions.iter().map(|execution| Some(execution.took.as_secs_f64())).collect();
    let panel = |name, unit, series| Panel { name, unit, series: vec![series] };
    Chart {
        title: format!("Duration and rows of {}", trend.stage),
        description: format!("By business date. {}.", trend.judgement),
        slot_name: "Business date",
        slots: trend
            .executions
            .iter()
            .map(|execution| Slot {
                label: execution.business_date.to_string(),
                address: Some(address::run(&execution.run_id)),
            })
            .collect(),
        panels: vec![
            panel("Duration", Unit::Duration, Series { name: "duration", shape: Shape::Bars, values: took }),
            panel("Rows read", Unit::Count, Series { name: "rows read", shape: Shape::Line, values: rows }),
        ],
        ..Chart::default()
    }
}
