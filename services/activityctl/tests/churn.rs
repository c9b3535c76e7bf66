//! Companies at risk of churn on the command line, from a real read side.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use activityctl::{
    commands::churn::{ChurnArgs, show},
    connect::Connection,
    output::Output,
};
use clap::{Args, Command, FromArgMatches};
use presentation::csv::CsvChurnRisks;
use proto::activity::v1::{ChurnRisk, ListChurnRisksRequest};
use runtime::Context;
use tempfile::TempDir;
use warehouse_conformance::scene::{at, company, day, days, export, publish_run};

/// More companies than a table shows by default.
const COMPANIES: usize = 25;

/// A read side over a warehouse in which each of many companies is at risk.
struct Published {
    connection: Connection,
    _folder: TempDir,
}

impl Published {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("warehouse.sqlite").display());
        let warehouse = warehouse::open(&url).await.unwrap();
        let crm =
            (0..COMPANIES).map(|number| company(&format!("c{number:02}"), "\"Quoted\", Inc.")).collect();
        let usage: Vec<_> =
            (0..=20).map(|offset| (day(offset), vec![("c00", 2, i64::from(offset < 3))])).collect();
        publish_run(&warehouse, days(0, 20), at(0), &[(export(day(0), "1"), crm)], &usage).await;
        let context = Context::new();
        let options = activity::Options { export_stall_timeout: Duration::from_secs(60) };
        let routes = activity::assemble(&options, warehouse, &context).grpc.remove(0).routes;
        let (channel, server) = runtime::channel::in_process("activity", routes, context.shutdown).unwrap();
        tokio::spawn(server.run);
        Self { connection: Connection::through("activity", channel), _folder: folder }
    }

    /// What `activityctl churn` prints.
    async fn churn(&self, flags: &[&str]) -> String {
        let command = ChurnArgs::augment_args(Command::new("test").no_binary_name(true));
        let args = ChurnArgs::from_arg_matches(&command.get_matches_from(flags)).unwrap();
        let printed = Printed::default();
        show(&self.connection, &args, &mut Output::plain(printed.clone())).await.unwrap();
        let bytes = printed.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    /// What the server answers, page by page.
    async fn risks(&self) -> Vec<ChurnRisk> {
        let mut risks = Vec::new();
        let mut request = ListChurnRisksRequest { page_size: 7, ..ListChurnRisksRequest::default() };
        loop {
            let page =
                self.connection.activity().list_churn_risks(request.clone()).await.unwrap().into_inner();
            risks.extend(page.churn_risks);
            if page.next_page_token.is_empty() {
                return risks;
            }
            request.page_token = page.next_page_token;
        }
    }
}

#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn csv_is_the_one_writers_list_of_all_companies() {
    let published = Published::new().await;
    let risks = published.risks().await;
    assert_eq!(risks.len(), COMPANIES);
    let mut expected = Vec::new();
    let mut csv = CsvChurnRisks::new(&mut expected).unwrap();
    for risk in &risks {
        csv.write(risk).unwrap();
    }
    csv.flush().unwrap();
    drop(csv);
    let printed = published.churn(&["--format", "csv"]).await;
    assert_eq!(printed.as_bytes(), expected);
    assert!(
        printed.lines().nth(1).unwrap().starts_with("c00,2026-01-21,\"\"\"Quoted\"\", Inc.\","),
        "{printed}"
    );
    assert!(printed.lines().nth(1).unwrap().ends_with(",2026-01-03"), "{printed}");
}

#[tokio::test]
async fn other_formats_show_twenty_unless_more_are_asked_for() {
    let published = Published::new().await;
    assert_eq!(published.churn(&["--format", "json"]).await.lines().count(), 20);
    assert_eq!(published.churn(&["--format", "json", "--limit", "22"]).await.lines().count(), 22);
    assert_eq!(published.churn(&["--format", "csv", "--limit", "3"]).await.lines().count(), 4);
}
