//! One bad row must not hold up its batch.

use futures::future::BoxFuture;
use scheduler_core::store::{ErrorClass, StoreResult};
use std::fmt::Debug;

/// Writes a batch; when the database refuses its data, halves it until the bad item stands alone. That one is logged
/// and left as it is. Returns the answers of the parts that were written.
///
/// # Errors
/// Anything but a refusal of the data ends the whole; parts may have been written by then.
pub(crate) async fn in_halves<T, R, F>(items: &[T], write: F) -> StoreResult<Vec<R>>
where
    T: Debug + Sync,
    F: for<'a> Fn(&'a [T]) -> BoxFuture<'a, StoreResult<R>>,
{
    let mut written = Vec::new();
    let mut open = vec![items];
    while let Some(batch) = open.pop() {
        if batch.is_empty() {
            continue;
        }
        match write(batch).await {
            Ok(answer) => written.push(answer),
            Err(error) if !matches!(error.class(), ErrorClass::Data | ErrorClass::Conflict) => return Err(error),
            Err(error) => match batch {
                [alone] => {
                    let error = anyhow::Error::from(error);
                    tracing::error!(item = ?alone, error = format!("{error:#}"), "the database refuses this; it is left as it is");
                }
                _ => {
                    let (left, right) = batch.split_at(batch.len() / 2);
                    open.extend([right, left]);
                }
            },
        }
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use scheduler_core::store::StoreError;

    /// Refuses batches with a 3, as a real database would: the error comes from one.
    fn sum(batch: &[i32], refusal: fn() -> StoreError) -> StoreResult<i32> {
        if batch.contains(&3) { Err(refusal()) } else { Ok(batch.iter().sum()) }
    }

    #[tokio::test]
    async fn an_error_that_is_not_about_the_data_ends_the_whole() {
        let fatal = || StoreError::corrupt("table", "column", 1, "broken");
        let outcome = in_halves(&[1, 2, 3, 4], |batch| Box::pin(async move { sum(batch, fatal) })).await;
        assert!(outcome.is_err());
        let outcome = in_halves(&[1, 2, 4], |batch| Box::pin(async move { sum(batch, fatal) })).await;
        assert_eq!(outcome.unwrap(), [7]);
        let nothing = in_halves(&[], |batch| Box::pin(async move { sum(batch, fatal) })).await;
        assert_eq!(nothing.unwrap(), Vec::<i32>::new());
    }
}
