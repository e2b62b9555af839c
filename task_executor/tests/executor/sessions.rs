//! Sessions: renewed, lost for good, ended; and what was called off under them.

use crate::support::{SECOND, World};
use scheduler_core::domain::SessionId;

#[tokio::test]
async fn a_session_is_renewed_until_it_is_lost_and_lost_is_final() {
    let world = World::new().await;
    let store = world.db.claims_store();
    let session = world.session().await;
    // Opening it again changes nothing.
    store.open_session(session, "test", 1, &[]).await.unwrap();
    assert!(store.renew_session(session, 8 * SECOND).await.unwrap());

    world.execute("UPDATE sessions SET renewed_at = now() - interval '9 seconds'").await;
    assert!(!store.renew_session(session, 8 * SECOND).await.unwrap());
    assert!(store.renew_session(session, 60 * SECOND).await.unwrap());

    store.end_session(session).await.unwrap();
    assert!(!store.renew_session(session, 60 * SECOND).await.unwrap());
    assert!(!store.renew_session(SessionId::random(), 60 * SECOND).await.unwrap());
}

#[tokio::test]
async fn cancel_requests_are_those_of_the_sessions_own_claims() {
    let world = World::new().await;
    let (mine, session) = world.running().await;
    let (_others, other) = world.running().await;
    let (running_on, _) = world.running().await;
    world.execute(&format!("UPDATE jobs_live SET cancel_requested_at = now() WHERE id <> '{}'", running_on.job)).await;
    assert_eq!(world.results.cancel_requests(session).await.unwrap(), [mine]);
    assert_eq!(world.results.cancel_requests(other).await.unwrap().len(), 1);
    assert_eq!(world.results.cancel_requests(SessionId::random()).await.unwrap(), []);
}
