//! Webhooks: one request with the payload as body, redirects followed by hand, the answer classified.

mod answer;
mod body;
mod error;
mod redirect;
mod request;

use super::address::{AddressGuard, GuardedResolver};
use super::{Attempt, TargetRunner};
use error::RequestFailed;
use redirect::Next;
use request::Call;
use reqwest::Response;
use scheduler_core::clock::Clock;
use scheduler_core::config::ExecutorSettings;
use scheduler_core::domain::{ExecutionResult, HttpTarget};
use std::time::Duration;

/// The runner of `http` targets. One client, so that connections are used again.
pub struct HttpRunner {
    client: reqwest::Client,
    guard: AddressGuard,
    clock: Clock,
    connect_timeout: Duration,
    capture_bytes: usize,
    max_redirects: u32,
}

impl HttpRunner {
    /// A runner as the settings want it. A TLS provider must have been installed.
    ///
    /// # Errors
    /// When the client cannot be built: the system's certificates cannot be read, or the user agent is no header value.
    pub fn new(settings: &ExecutorSettings, clock: Clock) -> Result<Self, reqwest::Error> {
        let guard = AddressGuard { allow_private: settings.allow_private_addresses };
        let client = reqwest::Client::builder()
            .user_agent(&settings.user_agent)
            .connect_timeout(settings.connect_timeout)
            .dns_resolver(GuardedResolver(guard))
            // The proxy variables of the environment would lead around the judgement of addresses.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            // Repeating is the watcher's to decide, and each repetition is an attempt of its own.
            .retry(reqwest::retry::never())
            .referer(false)
            .pool_idle_timeout(Duration::from_secs(30))
            .build()?;
        Ok(Self {
            client,
            guard,
            clock,
            connect_timeout: settings.connect_timeout,
            capture_bytes: settings.capture_body_bytes,
            max_redirects: settings.max_redirects,
        })
    }

    async fn attempt(&self, spec: &HttpTarget, attempt: &Attempt) -> Result<ExecutionResult, RequestFailed> {
        let mut call = Call::new(spec, attempt)?;
        let mut followed = 0;
        loop {
            let response = self.send(&call).await?;
            match redirect::next(&call.url, &call.method, &response) {
                Next::Final => return Ok(self.read_answer(spec, response).await),
                Next::Refused(why) => return Err(RequestFailed::for_good(why)),
                Next::Follow(_) if followed == self.max_redirects => {
                    return Err(RequestFailed::for_good(format!(
                        "answered {} and executor.max_redirects = {} forbids to follow it",
                        answer::status_text(response.status()),
                        self.max_redirects
                    )));
                }
                Next::Follow(hop) => {
                    followed += 1;
                    call.follow(hop);
                }
            }
        }
    }

    async fn send(&self, call: &Call) -> Result<Response, RequestFailed> {
        self.guard.check_url(&call.url).map_err(|refused| RequestFailed::for_good(refused.to_string()))?;
        self.client.execute(call.request()).await.map_err(|error| RequestFailed::of(error, self.connect_timeout))
    }

    async fn read_answer(&self, spec: &HttpTarget, response: Response) -> ExecutionResult {
        let mut result = answer::classify(spec, response.status(), response.headers(), self.clock.now());
        let captured = body::capture(response, self.capture_bytes).await;
        result.response_body = captured.bytes;
        result.response_truncated = captured.truncated;
        result
    }
}

impl TargetRunner for HttpRunner {
    type Spec = HttpTarget;

    async fn run(&self, spec: &HttpTarget, attempt: &Attempt) -> ExecutionResult {
        match self.attempt(spec, attempt).await {
            Ok(result) => result,
            Err(failed) => ExecutionResult::failure(failed.sentence, failed.retryable),
        }
    }
}
