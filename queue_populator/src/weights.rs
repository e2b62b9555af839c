//! Weights of merchants: their share of a lane.

use parking_lot::RwLock;
use scheduler_core::domain::MerchantId;
use scheduler_core::reconcile::{Progress, Reconcile};
use scheduler_core::store::{Store, StoreError};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How often the weights are read again.
pub const PERIOD: Duration = Duration::from_secs(30);

/// The weights as last read. Whoever is not in it has 1.
#[derive(Debug, Default)]
pub struct WeightTable(HashMap<MerchantId, u32>);

impl WeightTable {
    /// A table of the weights that are not 1.
    pub fn new(weights: HashMap<MerchantId, u32>) -> Self {
        Self(weights)
    }

    /// A merchant's weight, at least 1.
    pub fn of(&self, merchant: MerchantId) -> u32 {
        self.0.get(&merchant).copied().unwrap_or(1).max(1)
    }
}

/// The table in use; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Weights(Arc<RwLock<Arc<WeightTable>>>);

impl Weights {
    /// The table as it is now.
    pub fn table(&self) -> Arc<WeightTable> {
        self.0.read().clone()
    }
}

/// Reads the weights.
pub struct WeightsStep {
    /// Where they are.
    pub store: Store,
    /// Where they go.
    pub weights: Weights,
}

impl Reconcile for WeightsStep {
    const NAME: &'static str = "weights";
    type Error = StoreError;

    async fn tick(&mut self) -> Result<Progress, StoreError> {
        let table = WeightTable::new(self.store.merchant_weights().await?);
        *self.weights.0.write() = Arc::new(table);
        Ok(Progress::Idle)
    }
}
