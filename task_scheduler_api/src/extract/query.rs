//! The query string as a typed value: unknown names are refused, a repeated name becomes a list.

use super::decode;
use super::words::plain;
use crate::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use scheduler_core::domain::FieldError;
use serde::de::value::{Error as ValueError, MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::str::FromStr;

/// The decoded query string. Pointers of its refusals name the parameter: `/limit`.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        decode(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn decode<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let pairs: Vec<(String, String)> = parse_pairs(query)?;
    let mut grouped: Vec<(String, Vec<String>)> = Vec::new();
    for (name, value) in pairs {
        if name.contains('\0') || value.contains('\0') {
            return Err(Problem::invalid_field(
                format!("/{}", name.replace('\0', "")),
                "contains the character U+0000; remove it",
            ));
        }
        match grouped.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => grouped.push((name, vec![value])),
        }
    }
    let fields = grouped.into_iter().map(|(name, values)| (name.clone(), Values { name, values }));
    T::deserialize(MapDeserializer::<_, ValueError>::new(fields))
        .map_err(|error| Problem::invalid(vec![explain(&error.to_string())]))
}

/// Splits and unescapes; `+` is a space.
fn parse_pairs(query: &str) -> Result<Vec<(String, String)>, Problem> {
    let uri = axum::http::Uri::builder().path_and_query(format!("/?{query}")).build();
    let refused = || Problem::invalid_field("", "the query string cannot be read; escape special characters with %");
    let uri = uri.map_err(|_| refused())?;
    axum::extract::Query::try_from_uri(&uri).map(|axum::extract::Query(pairs)| pairs).map_err(|_| refused())
}

/// Errors of single values carry their parameter in front; those of the whole are unknown and missing names.
fn explain(message: &str) -> FieldError {
    match message.split_once('\u{1f}') {
        Some((name, why)) => FieldError::new(format!("/{name}"), plain(why)),
        None => decode::explain("", message),
    }
}

/// Every value given for one parameter.
struct Values {
    name: String,
    values: Vec<String>,
}

impl Values {
    fn fail(&self, why: impl Display) -> ValueError {
        ValueError::custom(format!("{}\u{1f}{why}", self.name))
    }

    fn one(&self) -> Result<&str, ValueError> {
        match self.values.as_slice() {
            [only] => Ok(only),
            _ => Err(self.fail("is given more than once; give it once")),
        }
    }

    fn parse<T: FromStr>(&self, what: &str) -> Result<T, ValueError> {
        let text = self.one()?;
        text.parse().map_err(|_| self.fail(format!("`{}` is not {what}", shown(text))))
    }

    /// Puts the parameter in front of an error that does not have it yet.
    fn name_it<T>(&self, result: Result<T, ValueError>) -> Result<T, ValueError> {
        result.map_err(|error| {
            let text = error.to_string();
            if text.contains('\u{1f}') { error } else { self.fail(text) }
        })
    }
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

impl<'de> IntoDeserializer<'de, ValueError> for Values {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parsed {
    ($($method:ident $visit:ident $what:literal),*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
            let value = self.parse($what)?;
            self.name_it(visitor.$visit(value))
        }
    )* };
}

impl<'de> Deserializer<'de> for Values {
    type Error = ValueError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        let text = self.one()?;
        self.name_it(visitor.visit_str(text))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        let result = visitor.visit_seq(SeqDeserializer::new(self.values.clone().into_iter()));
        self.name_it(result)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        let result = visitor.visit_enum(self.one()?.to_owned().into_deserializer());
        self.name_it(result)
    }

    parsed!(
        deserialize_bool visit_bool "true or false",
        deserialize_i64 visit_i64 "a whole number",
        deserialize_i32 visit_i32 "a whole number",
        deserialize_u64 visit_u64 "a whole number from 0",
        deserialize_u32 visit_u32 "a whole number from 0",
        deserialize_f64 visit_f64 "a number"
    );

    forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u128 f32 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct
        identifier ignored_any
    }
}

/// For list parameters that also take `a,b` in one value.
pub fn comma_separated<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    deserializer.deserialize_seq(CommaSeparated(PhantomData))
}

/// Parses within the visit, where errors still learn their parameter.
struct CommaSeparated<T>(PhantomData<T>);

impl<'de, T: FromStr<Err: Display>> Visitor<'de> for CommaSeparated<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("values separated by commas")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Vec<T>, A::Error> {
        let mut parts = Vec::new();
        while let Some(value) = values.next_element::<String>()? {
            for part in value.split(',').map(str::trim).filter(|part| !part.is_empty()) {
                parts.push(part.parse().map_err(A::Error::custom)?);
            }
        }
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use chrono::{DateTime, Utc};
    use scheduler_core::domain::JobState;
    use serde::Deserialize;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Example {
        limit: Option<u32>,
        #[serde(default, deserialize_with = "comma_separated")]
        state: Vec<JobState>,
        #[serde(default)]
        tag: Vec<String>,
        #[serde(default, deserialize_with = "crate::extract::time::optional")]
        created_after: Option<DateTime<Utc>>,
        exact: Option<bool>,
    }

    fn refused(query: &str) -> FieldError {
        decode::<Example>(query).unwrap_err().errors.remove(0)
    }

    #[test]
    fn names_repeat_and_commas_separate() {
        let query =
            "limit=5&state=dead,failed&state=running&tag=a:1,2&tag=b%20c&created_after=2026-01-01T00:00:00Z&exact=true";
        let example: Example = decode(query).unwrap();
        assert_eq!(example.state, [JobState::Dead, JobState::Failed, JobState::Running]);
        assert_eq!(example.tag, ["a:1,2", "b c"]);
        assert_eq!((example.limit, example.exact, example.created_after.is_some()), (Some(5), Some(true), true));
        assert!(decode::<Example>("").unwrap().state.is_empty());
    }

    #[test]
    fn each_refusal_names_its_parameter() {
        assert_eq!(refused("limit=x"), FieldError::new("/limit", "`x` is not a whole number from 0"));
        assert_eq!(refused("limit=1&limit=2").pointer, "/limit");
        for no_time in ["created_after=yesterday", "created_after=2027", "created_after="] {
            let refusal = refused(no_time);
            assert_eq!((refusal.pointer.as_str(), refusal.detail.contains("RFC 3339")), ("/created_after", true));
        }
        for far in
            ["-262143-01-01T00:00:00Z", "%2B262142-12-31T23:59:59Z", "1969-12-31T23:59:59Z", "9999-01-01T00:00:00Z"]
        {
            let refusal = refused(&format!("created_after={far}"));
            assert_eq!(refusal, FieldError::new("/created_after", "the year must be from 1970 to 9998"));
        }
        assert!(refused("state=deda").detail.contains("is no job state"));
        assert_eq!(refused("state=deda").pointer, "/state");
        assert!(refused("limt=5").detail.contains("did you mean `limit`"));
        assert_eq!(refused("limt=5").pointer, "/limt");
        assert_eq!(refused("tag=%00").pointer, "/tag");
    }
}
