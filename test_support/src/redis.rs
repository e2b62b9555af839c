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

impl TestRedis {
    /// Deletes every key of this prefix at once, as `FLUSHALL` would; other tests share the server.
    pub async fn forget_everything(&self) {
        use fred::prelude::*;
        let client = Builder::from_config(Config::from_url(&self.url).unwrap()).build().unwrap();
        client.init().await.unwrap();
        let script = "local keys = redis.call('KEYS', ARGV[1]) for _, key in ipairs(keys) do redis.call('UNLINK', key) end return #keys";
        let _deleted: i64 =
            client.eval(script, Vec::<String>::new(), vec![format!("*{}*", self.prefix)]).await.unwrap();
        client.quit().await.unwrap();
    }

    /// Does a command as somebody else would, outside of what the project's own client can; the answer as text. Keys are
    /// whole, so name only those of this prefix.
    pub async fn command(&self, words: &[&str]) -> String {
        use fred::prelude::*;
        use fred::types::{ClusterHash, CustomCommand};
        let client = Builder::from_config(Config::from_url(&self.url).unwrap()).build().unwrap();
        client.init().await.unwrap();
        let command = CustomCommand::new(words[0].to_owned(), ClusterHash::FirstKey, false);
        let arguments: Vec<String> = words[1..].iter().map(|word| (*word).to_owned()).collect();
        let answer: Value = client.custom(command, arguments).await.unwrap();
        client.quit().await.unwrap();
        answer.as_string().unwrap_or_default()
    }
}
