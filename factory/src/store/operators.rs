//! Operators and their sessions.

use std::time::Duration;

use super::database::Store;
use crate::error::Error;
use crate::secret::Secret;
use crate::time::Timestamp;

impl Store {
    /// Adds an operator with the hash of a password.
    pub(crate) async fn add_operator(&self, name: &str, password_hash: &str) -> Result<(), Error> {
        let query = "INSERT INTO operators (name, password_hash, created_at) VALUES ($1, $2, $3) \
             ON CONFLICT (name) DO NOTHING";
        let query = sqlx::query(query).bind(name).bind(password_hash);
        if self.change(query.bind(Timestamp::now())).await? == 0 {
            return Err(Error::OperatorExists(name.into()));
        }
        Ok(())
    }

    /// Deletes an operator and ends their sessions.
    pub(crate) async fn delete_operator(&self, name: &str) -> Result<(), Error> {
        let query = sqlx::query("DELETE FROM operators WHERE name = $1").bind(name);
        if self.change(query).await? == 0 {
            return Err(Error::NoOperator(name.into()));
        }
        Ok(())
    }

    /// The hash of an operator's password.
    pub(crate) async fn password_hash(&self, name: &str) -> Result<Option<String>, Error> {
        let query = "SELECT password_hash FROM operators WHERE name = $1";
        let query = sqlx::query_scalar(query).bind(name);
        Ok(query.fetch_optional(&self.pool).await?)
    }

    /// Begins a session and forgets those that are over.
    pub(crate) async fn begin_session(
        &self,
        session: &Secret,
        operator: &str,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<(), Error> {
        let over = sqlx::query("DELETE FROM sessions WHERE ends_at <= $1").bind(now);
        self.change(over).await?;
        let query = "INSERT INTO sessions (digest, operator, ends_at) VALUES ($1, $2, $3)";
        let query = sqlx::query(query).bind(session.digest()).bind(operator);
        self.change(query.bind(now + lifetime)).await?;
        Ok(())
    }

    /// The operator of a session that is not over.
    pub(crate) async fn session_operator(
        &self,
        session: &Secret,
        now: Timestamp,
    ) -> Result<Option<String>, Error> {
        let query = "SELECT operator FROM sessions WHERE digest = $1 AND ends_at > $2";
        let query = sqlx::query_scalar(query).bind(session.digest()).bind(now);
        Ok(query.fetch_optional(&self.pool).await?)
    }

    /// Ends a session.
    pub(crate) async fn end_session(&self, session: &Secret) -> Result<(), Error> {
        let query = sqlx::query("DELETE FROM sessions WHERE digest = $1").bind(session.digest());
        self.change(query).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::scratch::{at, store};
    use super::*;

    #[tokio::test]
    async fn sessions_end_with_time_and_with_their_operator() {
        let (_dir, store) = store().await;
        store.add_operator("ann", "hash").await.unwrap();
        let again = store.add_operator("ann", "other").await;
        assert!(matches!(again, Err(Error::OperatorExists(_))));
        let session = Secret::generate().unwrap();
        let begun = store.begin_session(&session, "ann", at(0), Duration::from_millis(10));
        begun.await.unwrap();
        let operator = |now| store.session_operator(&session, at(now));
        assert_eq!(operator(9).await.unwrap().as_deref(), Some("ann"));
        assert_eq!(operator(10).await.unwrap(), None);
        store.delete_operator("ann").await.unwrap();
        assert_eq!(operator(9).await.unwrap(), None);
        let again = store.delete_operator("ann").await;
        assert!(matches!(again, Err(Error::NoOperator(_))));
    }
}
