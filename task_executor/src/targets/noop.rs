//! Succeeds at once. Due jobs of this kind never get here: the intake reports them without a task of their own.

use super::{Attempt, TargetRunner};
use scheduler_core::domain::ExecutionResult;
use scheduler_core::domain::target::NoopTarget;

/// The runner of `noop` targets.
pub struct NoopRunner;

impl TargetRunner for NoopRunner {
    type Spec = NoopTarget;

    async fn run(&self, _spec: &NoopTarget, _attempt: &Attempt) -> ExecutionResult {
        ExecutionResult::success()
    }
}
