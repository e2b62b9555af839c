//! The daemon: see the library.

use scheduler_core::daemon::{self, Context, Daemon};
use std::process::ExitCode;

const DAEMON: Daemon =
    Daemon { name: "task_scheduler_api", about: "REST API of the task scheduler", admin_port: None };

fn main() -> ExitCode {
    daemon::main(DAEMON, |Context { settings, health, shutdown, .. }| {
        task_scheduler_api::run((*settings).clone(), health, shutdown)
    })
}
