//! Device grants (RFC 8628) and the access tokens that come of them. The caller says what time it is, so
//! that a test can move it.

use std::time::Duration;

use sqlx::FromRow;

use super::database::Store;
use crate::error::Error;
use crate::secret::Secret;
use crate::time::{Timestamp, millis};

/// How long a grant is remembered after its end, so that a late poll learns that it expired.
const REMEMBERED: Duration = Duration::from_secs(60 * 60);
/// An access token is for the one registration that follows at once, and for its retries.
const TOKEN_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// A grant that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct PendingGrant {
    /// The UUID that the device will register.
    pub(crate) client_id: String,
    /// As the device shows it.
    pub(crate) user_code: String,
}

/// The answer to a poll (RFC 8628, 3.5).
#[derive(Debug)]
pub(crate) enum Poll {
    Pending,
    Denied,
    Expired,
    /// The code is not known, of another client, or was used.
    Invalid,
    /// Approved: the access token, and how long it lasts.
    Token(Secret, Duration),
}

#[derive(FromRow)]
struct GrantRow {
    client_id: String,
    state: String,
    ends_at: Timestamp,
}

impl Store {
    /// Begins a grant and forgets old ones; false if the user code is taken.
    pub(crate) async fn begin_grant(
        &self,
        device_code: &Secret,
        user_code: &str,
        client_id: &str,
        ends: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Error> {
        for query in [
            "DELETE FROM device_grants WHERE ends_at + $1 < $2",
            "DELETE FROM access_tokens WHERE ends_at + $1 < $2",
        ] {
            let forgotten = sqlx::query(query).bind(millis(REMEMBERED)).bind(now);
            self.change(forgotten).await?;
        }
        let query = "INSERT INTO device_grants \
             (digest, user_code, client_id, state, ends_at) \
             VALUES ($1, $2, $3, 'pending', $4) ON CONFLICT (user_code) DO NOTHING";
        let query = sqlx::query(query)
            .bind(device_code.digest())
            .bind(user_code)
            .bind(client_id)
            .bind(ends);
        Ok(self.change(query).await? == 1)
    }

    /// Answers a poll. A device code gives one access token, however many polls arrive at once.
    pub(crate) async fn poll_grant(
        &self,
        device_code: &Secret,
        client_id: &str,
        now: Timestamp,
    ) -> Result<Poll, Error> {
        let digest = device_code.digest();
        let query = "SELECT client_id, state, ends_at FROM device_grants WHERE digest = $1";
        let query = sqlx::query_as(query).bind(&digest);
        let row: Option<GrantRow> = query.fetch_optional(&self.pool).await?;
        let Some(grant) = row.filter(|grant| grant.client_id == client_id) else {
            return Ok(Poll::Invalid);
        };
        match grant.state.as_str() {
            "used" => Ok(Poll::Invalid),
            _ if grant.ends_at <= now => Ok(Poll::Expired),
            "denied" => Ok(Poll::Denied),
            "approved" => self.take_token(&digest, client_id, now).await,
            _ => Ok(Poll::Pending),
        }
    }

    async fn take_token(
        &self,
        digest: &str,
        client_id: &str,
        now: Timestamp,
    ) -> Result<Poll, Error> {
        let token = Secret::generate()?;
        let mut transaction = self.pool.begin().await?;
        let used = sqlx::query(
            "UPDATE device_grants SET state = 'used' WHERE digest = $1 AND state = 'approved'",
        )
        .bind(digest)
        .execute(&mut *transaction)
        .await?;
        if used.rows_affected() == 0 {
            return Ok(Poll::Invalid);
        }
        sqlx::query("INSERT INTO access_tokens (digest, client_id, ends_at) VALUES ($1, $2, $3)")
            .bind(token.digest())
            .bind(client_id)
            .bind(now + TOKEN_LIFETIME)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(Poll::Token(token, TOKEN_LIFETIME))
    }

    /// The grant that a user code stands for, while it waits.
    pub(crate) async fn pending_grant(
        &self,
        user_code: &str,
        now: Timestamp,
    ) -> Result<Option<PendingGrant>, Error> {
        let query = "SELECT client_id, user_code FROM device_grants \
             WHERE user_code = $1 AND state = 'pending' AND ends_at > $2";
        let query = sqlx::query_as(query).bind(user_code).bind(now);
        Ok(query.fetch_optional(&self.pool).await?)
    }

    /// Decides on a grant; false if it no longer waits.
    pub(crate) async fn decide_grant(
        &self,
        user_code: &str,
        approved: bool,
        operator: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let state = if approved { "approved" } else { "denied" };
        let query = "UPDATE device_grants SET state = $1, decided_by = $2 \
             WHERE user_code = $3 AND state = 'pending' AND ends_at > $4";
        let query = sqlx::query(query).bind(state).bind(operator);
        Ok(self.change(query.bind(user_code).bind(now)).await? == 1)
    }

    /// The UUID that an access token may register, while it lasts.
    pub(crate) async fn access_token_client(
        &self,
        token: &Secret,
        now: Timestamp,
    ) -> Result<Option<String>, Error> {
        let query = "SELECT client_id FROM access_tokens WHERE digest = $1 AND ends_at > $2";
        let query = sqlx::query_scalar(query).bind(token.digest()).bind(now);
        Ok(query.fetch_optional(&self.pool).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::scratch::{at, store};
    use super::*;

    async fn begin(store: &Store, user_code: &str) -> Secret {
        let device_code = Secret::generate().unwrap();
        let begin = || store.begin_grant(&device_code, user_code, "uuid", at(900_000), at(0));
        assert!(begin().await.unwrap());
        assert!(!begin().await.unwrap());
        device_code
    }

    #[tokio::test]
    async fn a_grant_is_for_one_client_and_ends() {
        let (_dir, store) = store().await;
        let code = begin(&store, "A").await;
        let poll = async |now| store.poll_grant(&code, "uuid", at(now)).await.unwrap();
        assert!(matches!(poll(899_999).await, Poll::Pending));
        assert!(matches!(poll(900_000).await, Poll::Expired));
        let other = store.poll_grant(&code, "other", at(0)).await.unwrap();
        assert!(matches!(other, Poll::Invalid));
    }

    #[tokio::test]
    async fn a_decision_counts_once() {
        let (_dir, store) = store().await;
        let code = begin(&store, "A").await;
        let poll = async |now| store.poll_grant(&code, "uuid", at(now)).await.unwrap();
        assert!(store.pending_grant("A", at(1)).await.unwrap().is_some());
        assert!(store.decide_grant("A", true, "ann", at(1)).await.unwrap());
        assert!(!store.decide_grant("A", false, "bob", at(1)).await.unwrap());
        assert!(store.pending_grant("A", at(1)).await.unwrap().is_none());
        let Poll::Token(token, lifetime) = poll(1).await else {
            panic!("no token");
        };
        assert_eq!(lifetime, Duration::from_secs(600));
        assert!(matches!(poll(1).await, Poll::Invalid));
        let client = |now| store.access_token_client(&token, at(now));
        assert_eq!(client(600_000).await.unwrap().as_deref(), Some("uuid"));
        assert_eq!(client(600_001).await.unwrap(), None);

        let code = begin(&store, "B").await;
        assert!(store.decide_grant("B", false, "ann", at(1)).await.unwrap());
        let denied = store.poll_grant(&code, "uuid", at(1)).await.unwrap();
        assert!(matches!(denied, Poll::Denied));
        assert!(!store.decide_grant("C", true, "ann", at(1)).await.unwrap());
    }
}
