//! Every measurement several times over, and the median of each figure. The floor is measured in each round too, so that a
//! figure can be read as a ratio: computers differ, and one computer differs from hour to hour.

use super::report::Report;
use super::usage::Meter;
use super::{burst, drain, floor, latency, scheduled, singles, webhooks};
use crate::cli::Globals;
use crate::client::Client;
use serde_json::{Map, Value, json};
use std::io::Write as _;

/// Sizes of the measurements of one round.
const BACKLOG: usize = 50_000;
const SINGLES: usize = 20_000;
const CLIENTS: usize = 50;
const WEBHOOKS: usize = 10_000;
const LATENCIES: usize = 300;
const BURST: usize = 100_000;

/// Measures `rounds` times; one answer with a list of measurements, each with its figures as `median`, `least` and `most`.
pub async fn measure(globals: &Globals, rounds: usize) -> anyhow::Result<Value> {
    anyhow::ensure!((1..=99).contains(&rounds), "--rounds must be from 1 to 99");
    let (client, meter) = (Client::new(globals)?, Meter::new(globals).await?);
    let mut all: Vec<Report> = Vec::new();
    for round in 1..=rounds {
        let progress = |what: &str| {
            // Progress is for whoever watches; a closed standard error is no reason to stop.
            let _nobody_watches = writeln!(std::io::stderr(), "round {round} of {rounds}: {what}");
        };
        progress("floor");
        all.push(floor::measure(globals, BACKLOG).await?);
        progress("drain");
        all.push(drain::measure(&client, &meter, BACKLOG).await?);
        progress("singles");
        all.push(singles::measure(&client, &meter, SINGLES, CLIENTS).await?);
        progress("webhooks");
        all.push(webhooks::measure(&client, &meter, WEBHOOKS).await?);
        progress("latency");
        all.push(latency::measure(&client, LATENCIES).await?);
        for rate in [200, 2_000] {
            progress(&format!("scheduled, {rate} a second"));
            all.push(scheduled::measure(&client, rate, 5).await?);
        }
        progress("burst");
        all.push(burst::measure(&client, BURST).await?);
    }
    Ok(json!({ "rounds": rounds, "data": summary(&all) }))
}

/// The entries of all measurements, in the order of the first round.
fn summary(reports: &[Report]) -> Vec<Value> {
    let mut names: Vec<String> = Vec::new();
    for report in reports {
        if !names.contains(&report.name()) {
            names.push(report.name());
        }
    }
    names.iter().flat_map(|name| entries(name, reports)).collect()
}

/// One entry a figure of the measurement of that name.
fn entries(name: &str, reports: &[Report]) -> Vec<Value> {
    let same: Vec<&Report> = reports.iter().filter(|report| report.name() == name).collect();
    let entry = |(figure, value): (String, Value)| json!({ "measure": name, "figure": figure, "least": value[0], "median": value[1], "most": value[2] });
    figures(&same).into_iter().map(entry).collect()
}

/// Least, median and most of each figure.
fn figures(reports: &[&Report]) -> Map<String, Value> {
    let mut out = Map::new();
    let names = reports.first().map(|report| report.numbers().map(|(name, _)| name.to_owned()).collect::<Vec<_>>());
    for name in names.unwrap_or_default() {
        let mut values: Vec<f64> =
            reports.iter().flat_map(|report| report.numbers()).filter(|(n, _)| **n == name).map(|(_, v)| v).collect();
        values.sort_by(f64::total_cmp);
        let last = values.len().saturating_sub(1);
        out.insert(name, json!([values.first(), values.get(last / 2), values.last()]));
    }
    out
}
