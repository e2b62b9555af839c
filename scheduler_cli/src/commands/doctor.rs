//! `scheduler doctor`: what would go wrong, said before it does.

use crate::cli::Globals;
use crate::output::{self, Format};
use chrono::TimeDelta;
use scheduler_core::clock::Clock;
use scheduler_core::config::Settings;
use scheduler_core::queue::Redis;
use scheduler_core::store::Store;
use serde_json::json;
use std::process::ExitCode;

/// Database settings that must have one value, and what is lost otherwise.
const DURABLE: [(&str, &str, &str); 3] = [
    ("fsync", "on", "a crash of the server can destroy the whole database"),
    ("full_page_writes", "on", "a crash of the server can leave torn pages"),
    ("synchronous_commit", "on", "acknowledged creates and results can be lost in a crash"),
];
/// A local clock this far off the database's makes logs and ids misleading.
const SKEW_LIMIT: TimeDelta = TimeDelta::milliseconds(500);
/// Oldest servers that are supported.
const OLDEST_POSTGRES: i64 = 150_000;
const OLDEST_REDIS: u32 = 7;

#[derive(Default)]
struct Report {
    findings: Vec<(&'static str, String)>,
}

impl Report {
    fn good(&mut self, text: impl std::fmt::Display) {
        self.findings.push(("ok", text.to_string()));
    }

    fn warn(&mut self, text: impl std::fmt::Display) {
        self.findings.push(("note", text.to_string()));
    }

    fn bad(&mut self, text: impl std::fmt::Display) {
        self.findings.push(("BAD", text.to_string()));
    }

    fn print(&self, format: Format) {
        if format == Format::Json {
            let finding = |(level, text): &(&str, String)| json!({ "level": level.to_lowercase(), "text": text });
            return output::json(&self.findings.iter().map(finding).collect());
        }
        for (level, text) in &self.findings {
            output::line(format_args!("{level:<5} {text}"));
        }
    }

    fn is_good(&self) -> bool {
        self.findings.iter().all(|(level, _)| *level != "BAD")
    }
}

/// Checks and prints; the exit code is 1 when something is bad.
pub async fn run(globals: &Globals) -> anyhow::Result<ExitCode> {
    let settings = globals.settings()?;
    let mut report = Report::default();
    report.good("settings can be read");
    let store = super::admin_store(globals)?;
    match store.server_setting("server_version_num").await {
        Ok(version) => check_database(&mut report, &store, &version).await?,
        Err(error) => {
            report.bad(format!("PostgreSQL does not answer at database.url: {:#}", anyhow::Error::from(error)))
        }
    }
    check_redis(&mut report, &settings).await;
    check_settings(&mut report, &settings);
    report.print(globals.output);
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn check_database(report: &mut Report, store: &Store, version: &str) -> anyhow::Result<()> {
    let number: i64 = version.parse().unwrap_or(0);
    match number >= OLDEST_POSTGRES {
        true => report.good(format!("PostgreSQL {}.{}", number / 10_000, number % 10_000)),
        false => report.bad(format!("PostgreSQL {} is too old; 15 or newer is needed", number / 10_000)),
    }
    for (name, wanted, otherwise) in DURABLE {
        match store.server_setting(name).await? {
            value if value == wanted => report.good(format!("{name} = {value}")),
            value => report.bad(format!("{name} = {value}: {otherwise}; set it to {wanted}")),
        }
    }
    let schema = store.schema_version().await?;
    match schema.found >= schema.needed {
        true => report.good(format!("schema version {}", schema.found)),
        false => {
            report.bad(format!("schema version {}, needed {}; run `scheduler migrate`", schema.found, schema.needed))
        }
    }
    check_clock(report, store).await
}

async fn check_clock(report: &mut Report, store: &Store) -> anyhow::Result<()> {
    store.read_clock().await?;
    // The second reading does not pay for connecting.
    let reading = store.read_clock().await?;
    let local = Clock::local().now() - TimeDelta::from_std(reading.received.elapsed()).unwrap_or_default();
    let skew = local - reading.database;
    match skew.abs() <= SKEW_LIMIT {
        true => report.good(format!("this computer's clock is {} ms off the database's", skew.num_milliseconds())),
        false => report.warn(format!(
            "this computer's clock is {} ms off the database's, which decides; logs and metrics of this computer mislead",
            skew.num_milliseconds()
        )),
    }
    Ok(())
}

async fn check_redis(report: &mut Report, settings: &Settings) {
    let redis = match Redis::connect(settings.redis.url.expose(), &settings.redis.prefix).await {
        Ok(redis) => redis,
        Err(error) => return report.bad(format!("{:#}", anyhow::Error::from(error))),
    };
    match redis.server_version().await {
        Ok(version) => {
            let major = version.split('.').next().and_then(|n| n.parse().ok()).unwrap_or(0);
            match major >= OLDEST_REDIS {
                true => report.good(format!("Redis {version}")),
                false => report.bad(format!("Redis {version} is too old; 7 or newer is needed")),
            }
        }
        Err(error) => report.bad(format!(
            "Redis does not answer at redis.url ({:#}); work goes on from PostgreSQL alone, slower",
            anyhow::Error::from(error)
        )),
    }
}

fn check_settings(report: &mut Report, settings: &Settings) {
    if settings.executor.allow_private_addresses {
        report.warn("executor.allow_private_addresses is on: webhooks can reach this network's own services");
    }
    if settings.session.lost < settings.session.renew * 3 {
        report.bad("session.lost_seconds is less than three times session.renew_seconds: healthy executors will be taken for lost");
    }
    if settings.watcher.alert_url.is_none() {
        report.warn("watcher.alert_url is not set: only merchants with an alert_url of their own hear of dead letters");
    }
}
