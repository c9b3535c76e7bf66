//! The daily run: the history once, then new days, each of them twice, by every contestant in turn.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, Result};
use chrono::{Days, NaiveDate};
use domain::DateWindow;
use e2e::suite::Suite;
use figures::{Row, median, paired_ratio};

use crate::{
    contestants::{Contestant, Cost, DLT, OURS, Order, SEED, start_suite},
    morning::Mornings,
    options::Options,
    progress::tell,
    server::Server,
    spent::Bare,
    table::Table,
    truth::{Truth, Verdict},
};

/// How many times faster than dlt with dbt a new day has to be.
const AIM: f64 = 8.0;

/// What the contestants needed, by name.
type Costs = BTreeMap<&'static str, Vec<Cost>>;

/// How right the contestants were, by name.
type Verdicts = BTreeMap<&'static str, Verdict>;

struct Journey<'a> {
    options: &'a Options,
    server: &'a Server,
    suite: &'a Suite,
    contestants: &'a [Contestant],
    mornings: Mornings<'a>,
    truth: &'a Truth,
    folder: &'a Path,
}

pub(crate) async fn measure(options: &Options) -> Result<Vec<Table>> {
    let folder = tempfile::tempdir()?;
    let server = Server::start().await?;
    let truth = Truth::new(&server)?;
    let database = server.database("ours")?;
    let mut suite = start_suite(&database).await?;
    let mut contestants = vec![Contestant::ours(database, &mut suite)?];
    if let Some(python) = &options.python {
        contestants.extend(Contestant::others(&server, python, folder.path())?);
    }
    let mornings = Mornings::new(options, &suite.sources, &truth, folder.path())?;
    let journey = Journey {
        options,
        server: &server,
        suite: &suite,
        contestants: &contestants,
        mornings,
        truth: &truth,
        folder: folder.path(),
    };
    journey.measure().await
}

impl Journey<'_> {
    async fn measure(self) -> Result<Vec<Table>> {
        let Options { companies, days, rounds, .. } = *self.options;
        let history = self.mornings.history(days)?;
        tell(&format!("inventing {companies} companies and {days} days"));
        let records = self.mornings.deliver(history)?;
        self.truth.analyze()?;
        let backfill = self.publish(history, true, false, 0).await?;
        let mut bare = Bare::new(&self.contestants[0].database)?;
        let (mut new_days, mut again, mut verdicts) = (Costs::new(), Costs::new(), Verdicts::new());
        for round in 0..rounds {
            let day = self.mornings.new_day(days, round)?;
            self.mornings.deliver(DateWindow::day(day))?;
            self.truth.analyze()?;
            add(&mut new_days, self.publish(DateWindow::day(day), false, false, round).await?);
            self.judge(&[day], &mut verdicts)?;
            bare.write(&self.mornings, day).await?;
            add(&mut again, self.publish(DateWindow::day(day), false, true, round).await?);
        }
        let newest = self.mornings.new_day(days, rounds - 1)?;
        let mut old = Verdicts::new();
        self.judge(&older_days(history, newest), &mut old)?;
        let title = format!(
            "The daily run: {companies} companies, {days} days of history ({records} usage records), medians of \
             {rounds} new days"
        );
        let mut table = Table::new("journey", title);
        self.compare(&mut table, "history, once", &backfill, None);
        self.compare(&mut table, "one new day", &new_days, Some(AIM));
        self.compare(&mut table, "the same day once more", &again, None);
        table.rows.push(self.wrong_rows("wrong rows of the new days", &verdicts));
        table.rows.push(self.wrong_rows("wrong rows of three older days", &old));
        if self.contestants.len() == 1 {
            table
                .notes
                .push("dlt, dbt and the seed's client could not be installed: only we took part.".to_owned());
        }
        table.notes.extend(NOTES.map(str::to_owned));
        let ours = new_days.get(OURS).context("we took no part")?;
        let mut spent = bare.table(ours, companies)?;
        add_processor_time(&mut spent, &new_days, &backfill, records);
        Ok(vec![table, spent])
    }

    /// Every contestant publishes a window; who is first changes from round to round.
    async fn publish(&self, window: DateWindow, is_first: bool, is_again: bool, round: u32) -> Result<Costs> {
        let export = self.mornings.export_of(window.end());
        let mut costs = Costs::new();
        let count = self.contestants.len();
        for turn in 0..count {
            let contestant = &self.contestants[(turn + round as usize) % count];
            let order = Order { window, export: &export, is_first, is_again };
            let cost = contestant.publish(self.suite, self.server, &order).await?;
            let times = if is_again { ", once more" } else { "" };
            tell(&format!("  {window}{times}: {} {:.2} s", contestant.name, cost.seconds));
            costs.insert(contestant.name, vec![cost]);
        }
        Ok(costs)
    }

    /// Compares what everyone published with the definition.
    fn judge(&self, days: &[NaiveDate], verdicts: &mut Verdicts) -> Result<()> {
        for contestant in self.contestants {
            for day in days {
                let verdict = self.truth.compare(&contestant.database, *day, self.folder)?;
                tell(&format!("  {day}, {}: {}", contestant.name, verdict.text()));
                let sum = verdicts.remove(contestant.name).unwrap_or_default().and(&verdict);
                verdicts.insert(contestant.name, sum);
            }
        }
        Ok(())
    }

    fn compare(&self, table: &mut Table, what: &str, costs: &Costs, aim: Option<f64>) {
        let seconds = |name: &str| -> Option<Vec<f64>> {
            Some(costs.get(name)?.iter().map(|cost| cost.seconds).collect())
        };
        let Some(ours) = seconds(OURS) else { return };
        let mut row = Row::new(what, "s");
        let mut ratios = Vec::new();
        for contestant in self.contestants {
            let Some(measured) = seconds(contestant.name) else { continue };
            row = row.median(contestant.name, &measured);
            let ratio = paired_ratio(&ours, &measured);
            match contestant.name {
                SEED => ratios.push(format!("seed {ratio:.1} ×")),
                DLT => {
                    ratios.push(format!("dlt {ratio:.1} ×"));
                    if let Some(aim) = aim {
                        row = row.aim(format!("dlt ≥ {aim} ×"), ratio >= aim);
                    }
                }
                _ => {}
            }
        }
        table.rows.push(row.ratio(ratios.join(", ")));
    }

    fn wrong_rows(&self, what: &str, verdicts: &Verdicts) -> Row {
        let (mut row, mut remarks) = (Row::new(what, ""), Vec::new());
        for contestant in self.contestants {
            let Some(verdict) = verdicts.get(contestant.name) else { continue };
            #[expect(clippy::cast_precision_loss, reason = "thousands")]
            let wrong = verdict.wrong() as f64;
            row = row.value(contestant.name, wrong);
            remarks.push(format!("{}: {}", contestant.name, verdict.text()));
            if contestant.name == OURS {
                row = row.aim("ours 0".to_owned(), verdict.wrong() == 0);
            }
        }
        row.remark(remarks.join("; "))
    }
}

/// What the figures do not say by themselves.
const NOTES: [&str; 5] = [
    "All contestants read the same files and the same API, 100 records a page, and write to the same server, in turn, \
     each after a checkpoint. A time is that of the whole command: our services are running, the others are started.",
    "The sources are well-formed. Many companies are silent on a day, 1.5 % of the records come one \
     to three days late, 1 % are corrected and 0.2 % withdrawn; companies enter and leave the CRM.",
    "The seed's client reads the new day only, one page after the other, and its SQL counts rows instead of days, \
     leaves silent companies out, divides whole numbers and gives history the CRM of today. \"Once more\" it does all \
     of it again.",
    "dlt reads the new day and the three before it, days in parallel, and replaces them; dbt replaces the last 14 days \
     and the new one. Its model counts calendar days and has silent companies, but knows the CRM of today only.",
    "We read every export of the history, the others only its newest, because they keep no versions.",
];

/// Everyone's processor time of a new day, and ours by million rows.
fn add_processor_time(table: &mut Table, new_days: &Costs, backfill: &Costs, records: u64) {
    for (name, costs) in new_days {
        let total = |cost: &Cost| cost.own + cost.postgres;
        let seconds: Vec<f64> = costs.iter().map(total).collect();
        table.notes.push(format!(
            "Processor time of a new day with Postgres', {name}: {:.2} s ({:.2} s in its own processes).",
            median(seconds),
            median(costs.iter().map(|cost| cost.own).collect())
        ));
    }
    if let Some(cost) = backfill.get(OURS).and_then(|costs| costs.first()) {
        #[expect(clippy::cast_precision_loss, reason = "a few million")]
        let millions = records as f64 / 1e6;
        table.notes.push(format!(
            "Our backfill took {:.1} s of processor time per million usage records in our process, and {:.1} s in \
             Postgres.",
            cost.own / millions,
            cost.postgres / millions
        ));
    }
}

fn add(costs: &mut Costs, more: Costs) {
    for (name, cost) in more {
        costs.entry(name).or_default().extend(cost);
    }
}

/// A day at the quarter and at the middle of the history, and one that late records have reached.
fn older_days(history: DateWindow, newest: NaiveDate) -> Vec<NaiveDate> {
    let days: Vec<NaiveDate> = history.days().collect();
    let late = newest.checked_sub_days(Days::new(7));
    [days.get(days.len() / 4).copied(), days.get(days.len() / 2).copied(), late]
        .into_iter()
        .flatten()
        .collect()
}
