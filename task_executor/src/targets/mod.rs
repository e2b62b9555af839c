//! What an execution does, one kind a file behind one trait.
//!
//! A new kind is a variant of [`Target`], a file with its runner, and one line in [`Targets::run`].

pub mod address;
pub mod http;
pub mod noop;

use chrono::{DateTime, Utc};
use http::HttpRunner;
use noop::NoopRunner;
use scheduler_core::domain::{ExecutionResult, Target};
use scheduler_core::store::transitions::claim::ClaimKey;
use serde_json::value::RawValue;

/// One attempt, as a target sees it.
#[derive(Debug)]
pub struct Attempt {
    /// Whose job, which job, which execution.
    pub key: ClaimKey,
    /// Number of the attempt, from 1.
    pub number: i32,
    /// The time that was asked for.
    pub scheduled_for: DateTime<Utc>,
    /// W3C trace context of the job's creation.
    pub traceparent: Option<String>,
    /// What to do it with.
    pub payload: Option<Box<RawValue>>,
}

/// A kind of target.
///
/// Time limit, cancellation and panics are the caller's business: it drops the future.
pub trait TargetRunner {
    /// The settings of a target of this kind.
    type Spec;

    /// Runs one attempt to its end. Failures are results.
    fn run(&self, spec: &Self::Spec, attempt: &Attempt) -> impl Future<Output = ExecutionResult> + Send;
}

/// The runners of all kinds.
pub struct Targets {
    /// Webhooks.
    pub http: HttpRunner,
    /// Nothing.
    pub noop: NoopRunner,
}

impl Targets {
    /// Runs one attempt with the runner of its kind.
    pub async fn run(&self, target: &Target, attempt: &Attempt) -> ExecutionResult {
        match target {
            Target::Http(spec) => self.http.run(spec, attempt).await,
            Target::Noop(spec) => self.noop.run(spec, attempt).await,
        }
    }
}
