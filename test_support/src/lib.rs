//! Helpers for tests: a database and a Redis prefix of their own, seeds, a webhook receiver, waiting for conditions.
//!
//! The servers come from the environment (`TEST_DATABASE_URL`, `TEST_REDIS_URL`), which `make test` sets;
//! `scripts/with-test-servers.sh cargo test -p …` does the same for one command.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod database;
mod eventually;
mod port;
mod proxy;
mod random;
mod receiver;
mod redis;
pub mod seed;
pub mod sql;
pub mod templates;

pub use database::TestDatabase;
pub use eventually::eventually;
pub use port::free_port;
pub use proxy::{Fault, FaultProxy};
pub use random::Random;
pub use receiver::{Delivery, Receiver, Script};
pub use redis::TestRedis;

/// Installs the TLS provider that `reqwest` needs; safe to call from every test.
pub fn install_tls_provider() {
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
}

fn environment(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set; run the tests with `make test` or `scripts/with-test-servers.sh cargo test …`")
    })
}
