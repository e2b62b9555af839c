//! Every key and channel is a function. The keys of a lane share a hash tag, so that one command or script may name several.

use fred::types::Key;

/// Names under which this installation keeps its things in Redis.
#[derive(Clone, Debug)]
pub struct Keys {
    prefix: String,
}

impl Keys {
    /// Names under `prefix`, so that several installations (or tests) may share a server.
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// Sorted set of the jobs of a lane that are ready to be claimed at one priority; score: fair order.
    pub fn ready(&self, lane: &str, priority: u8) -> Key {
        format!("{{{}:{lane}}}:ready:{priority}", self.prefix).into()
    }

    /// Says whose pushes the ready sets of a lane hold; absent after Redis lost its memory.
    pub fn generation(&self, lane: &str) -> Key {
        format!("{{{}:{lane}}}:generation", self.prefix).into()
    }

    /// Channel of "this job is due then".
    pub fn due_channel(&self) -> String {
        format!("{}:hints:due", self.prefix)
    }

    /// Channel of "something failed, decide".
    pub fn failed_channel(&self) -> String {
        format!("{}:hints:failed", self.prefix)
    }

    /// Channel of "a running job was called off".
    pub fn cancel_channel(&self) -> String {
        format!("{}:hints:cancel", self.prefix)
    }

    /// Channel of "a template was created or changed".
    pub fn template_channel(&self) -> String {
        format!("{}:hints:template", self.prefix)
    }

    /// Channel of "look at this lane".
    pub fn lane_channel(&self) -> String {
        format!("{}:hints:lane", self.prefix)
    }

    /// Channel of "a place under a concurrency cap is free".
    pub fn released_channel(&self) -> String {
        format!("{}:hints:released", self.prefix)
    }

    /// Channel of "a job that others wait for has ended".
    pub fn ending_channel(&self) -> String {
        format!("{}:hints:ending", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_a_lane_share_a_hash_tag() {
        let keys = Keys::new("ts");
        assert_eq!(keys.ready("default", 5).as_str(), Some("{ts:default}:ready:5"));
        assert_eq!(keys.generation("default").as_str(), Some("{ts:default}:generation"));
    }
}
