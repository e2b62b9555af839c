//! `scheduler merchants`

use crate::cli::Globals;
use crate::output::{self, Column};
use anyhow::{Context as _, bail};
use scheduler_core::domain::MerchantId;
use scheduler_core::store::Store;
use scheduler_core::store::merchants::Merchant;
use serde_json::{Value, json};

/// What to do with merchants.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Create a merchant
    Create {
        /// Its name, unique
        name: String,
        /// Its share of a lane relative to other merchants
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=1000))]
        weight: i32,
    },
    /// List merchants
    List,
    /// Change a merchant's share and limit
    Set {
        /// The merchant: name or id
        merchant: String,
        /// Its share of a lane relative to other merchants
        #[arg(long, value_parser = clap::value_parser!(i32).range(1..=1000))]
        weight: Option<i32>,
        /// Jobs that run at once, all queues together; `none` takes the limit away
        #[arg(long, value_parser = super::limit)]
        concurrency: Option<super::Limit>,
    },
    /// Say where a merchant's alerts go
    SetAlerts {
        /// The merchant: name or id
        merchant: String,
        /// Webhook; leave out to use the platform's own
        #[arg(long)]
        url: Option<String>,
        /// Key that signs the alerts
        #[arg(long)]
        secret: Option<String>,
    },
}

const COLUMNS: &[Column] = &[
    ("id", "/id"),
    ("name", "/name"),
    ("weight", "/weight"),
    ("concurrency", "/concurrency"),
    ("alerts to", "/alert_url"),
    ("created", "/created_at"),
];

/// Runs the command.
pub async fn run(command: Command, globals: &Globals) -> anyhow::Result<()> {
    let store = super::admin_store(globals)?;
    match command {
        Command::Create { name, weight } => {
            let created = store.create_merchant(&name, weight).await?;
            let created = created.with_context(|| format!("there is a merchant {name} already"))?;
            output::item(globals.output, &show(&created));
        }
        Command::List => {
            let merchants: Vec<Value> = store.merchants().await?.iter().map(show).collect();
            output::list(globals.output, &Value::Array(merchants), COLUMNS);
        }
        Command::Set { weight: None, concurrency: None, .. } => bail!("say what to change: --weight or --concurrency"),
        Command::Set { merchant, weight, concurrency } => {
            let id = find(&store, &merchant).await?;
            if let Some(weight) = weight {
                store.set_merchant_weight(id, weight).await?;
            }
            if let Some(limit) = concurrency {
                store.set_merchant_concurrency(id, limit.0).await?;
            }
            let changed = store.find_merchant(&merchant).await?.context("the merchant is gone")?;
            output::item(globals.output, &show(&changed));
        }
        Command::SetAlerts { merchant, url, secret } => {
            let id = find(&store, &merchant).await?;
            store.set_merchant_alerts(id, url.as_deref(), secret.as_deref()).await?;
            output::line(format_args!(
                "alerts of {merchant} go to {}",
                url.as_deref().unwrap_or("the platform's own receiver")
            ));
        }
    }
    Ok(())
}

/// The merchant with this name or id.
pub async fn find(store: &Store, name_or_id: &str) -> anyhow::Result<MerchantId> {
    let merchant = store.find_merchant(name_or_id).await?;
    let merchant =
        merchant.with_context(|| format!("there is no merchant {name_or_id}; see `scheduler merchants list`"))?;
    Ok(merchant.id)
}

fn show(merchant: &Merchant) -> Value {
    json!({
        "id": merchant.id,
        "name": merchant.name,
        "weight": merchant.weight,
        "concurrency": merchant.concurrency,
        "alert_url": merchant.alert_url,
        "created_at": merchant.created_at,
    })
}
