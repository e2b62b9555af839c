//! Lost work, retries, dead letters, alerts and retention.
