//! The binary of the recurrence manager.

use scheduler_core::daemon::{self, Daemon};
use std::process::ExitCode;

const DAEMON: Daemon = Daemon {
    name: "task_recurrence_manager",
    about: "Expands templates into occurrences and jobs, ahead of time.",
    admin_port: Some(9101),
};

fn main() -> ExitCode {
    daemon::main(DAEMON, task_recurrence_manager::run)
}
