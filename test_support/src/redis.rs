//! A corner of Redis of its own for each test.

use crate::environment;
use scheduler_core::queue::Redis;

/// A unique prefix on the test server.
pub struct TestRedis {
    url: String,
    prefix: String,
}

impl TestRedis {
    /// A fresh prefix.
    pub async fn new() -> Self {
        Self { url: environment("TEST_REDIS_URL"), prefix: format!("t{}", uuid::Uuid::new_v4().simple()) }
    }

    /// The server's URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The prefix of every key and channel.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A new connection.
    pub async fn redis(&self) -> Redis {
        Redis::connect(&self.url, &self.prefix).await.unwrap()
    }
}
