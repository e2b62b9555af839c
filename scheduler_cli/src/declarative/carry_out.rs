//! Doing the steps of a plan, in order.

use super::plan::{Action, Kind, Step};
use crate::client::Client;
use anyhow::Context as _;
use reqwest::{Method, RequestBuilder};

/// Does one step. What has been changed by somebody else since it was compared is left alone, and is an error.
pub async fn carry_out(client: &Client, step: &Step) -> anyhow::Result<()> {
    let request = match (&step.action, step.kind) {
        (Action::Keep, _) => return Ok(()),
        (Action::Create, Kind::Calendar) => client.request(Method::POST, "/v1/calendars").json(&step.body),
        (Action::Create, Kind::Template) => client.request(Method::POST, "/v1/templates").json(&step.body),
        (Action::Change(_), _) => unchanged(client.request(Method::PUT, &step.path).json(&step.body), step),
        (Action::Delete, _) => unchanged(client.request(Method::DELETE, &step.path), step),
    };
    let done = client.send(request).await;
    done.map(drop).with_context(|| format!("{} {}", step.kind.word(), step.name))
}

/// Only if it still has the version that was compared.
fn unchanged(request: RequestBuilder, step: &Step) -> RequestBuilder {
    match step.version {
        Some(version) => request.header("if-match", format!("\"{version}\"")),
        None => request,
    }
}
