//! The daemon `task_executor`.

use scheduler_core::config::Settings;
use scheduler_core::daemon::{self, Daemon};
use std::process::ExitCode;

fn main() -> ExitCode {
    const DAEMON: Daemon = Daemon {
        name: "task_executor",
        about: "Claims ready jobs, runs their targets and reports results.",
        admin_port: Some(9103),
    };
    daemon::main(DAEMON, |context| {
        task_executor::run(Settings::clone(&context.settings), context.health, context.shutdown)
    })
}
