//! The daemon: see the library.

use scheduler_core::daemon::{self, Daemon};
use std::process::ExitCode;

const DAEMON: Daemon = Daemon { name: "task_scheduler_api", about: "REST API of the task scheduler", admin_port: None };

fn main() -> ExitCode {
    daemon::main(DAEMON, task_scheduler_api::run)
}
