//! Redis, the fast path: ready queues and hints. Disposable: nothing here is trusted, everything has a sweep over
//! PostgreSQL behind it.

pub mod connection;
pub mod hints;
pub mod keys;
pub mod ready;
mod receiver;
mod wire;

pub use connection::{QueueError, Redis};
pub use hints::{DueHint, Hint, HintReceiver, HintSender, Topic};
pub use ready::{Member, PushOutcome, ReadyPopper, ReadyQueue};
