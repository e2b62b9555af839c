//! What the scheduler holds, as far as files are about it.

use crate::client::Client;
use serde_json::Value;

/// Rows of a page.
const PAGE: &str = "200";

/// Everything of a list, page by page.
pub async fn all(client: &Client, path: &str, filter: &[(&str, String)]) -> anyhow::Result<Vec<Value>> {
    let mut rows = Vec::new();
    let mut cursor = None;
    loop {
        let mut query = filter.to_vec();
        query.push(("limit", PAGE.to_owned()));
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let mut page = client.get(path, &query).await?;
        if let Some(Value::Array(data)) = page.get_mut("data").map(Value::take) {
            rows.extend(data);
        }
        match page.get("next_cursor").and_then(Value::as_str) {
            Some(next) => cursor = Some(next.to_owned()),
            None => return Ok(rows),
        }
    }
}

/// The template of a name, if there is one.
pub async fn template(client: &Client, name: &str) -> anyhow::Result<Option<Value>> {
    let found = client.get("/v1/templates", &[("name", name.to_owned())]).await?;
    Ok(found.pointer("/data/0").cloned())
}

/// The templates whose names begin so.
pub async fn templates(client: &Client, prefix: &str) -> anyhow::Result<Vec<Value>> {
    let filter = if prefix.is_empty() { Vec::new() } else { vec![("name_prefix", prefix.to_owned())] };
    all(client, "/v1/templates", &filter).await
}

/// All calendars; a merchant has few.
pub async fn calendars(client: &Client) -> anyhow::Result<Vec<Value>> {
    all(client, "/v1/calendars", &[]).await
}

/// A text member of a row.
pub fn text<'a>(row: &'a Value, member: &str) -> &'a str {
    row.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// The path of a calendar.
pub fn calendar_path(name: &str) -> String {
    format!("/v1/calendars/{}", name.replace('%', "%25").replace('/', "%2F"))
}
