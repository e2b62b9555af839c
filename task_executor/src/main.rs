//! The daemon `task_executor`.

use scheduler_core::daemon::{self, Daemon};
use std::process::ExitCode;

fn main() -> ExitCode {
    const DAEMON: Daemon = Daemon {
        name: "task_executor",
        about: "Claims ready jobs, runs their targets and reports results.",
        admin_port: Some(9103),
    };
    daemon::main(DAEMON, task_executor::run)
}
