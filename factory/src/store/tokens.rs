//! API tokens, of which only the digest is stored.

use super::database::Store;
use crate::error::Error;
use crate::secret::Secret;
use crate::time::Timestamp;

impl Store {
    /// Makes a token and stores its digest; this is the only time that it is known.
    pub(crate) async fn create_token(&self, name: &str) -> Result<Secret, Error> {
        let token = Secret::generate()?;
        let query = "INSERT INTO api_tokens (digest, name, created_at) VALUES ($1, $2, $3)";
        let query = sqlx::query(query).bind(token.digest()).bind(name);
        self.change(query.bind(Timestamp::now())).await?;
        Ok(token)
    }

    /// A token for a factory that has none yet.
    pub(crate) async fn create_first_token(&self) -> Result<Option<Secret>, Error> {
        let query = sqlx::query_scalar("SELECT COUNT(*) FROM api_tokens");
        let count: i64 = query.fetch_one(&self.pool).await?;
        if count > 0 {
            return Ok(None);
        }
        self.create_token("first").await.map(Some)
    }

    /// The name of a token, if it is one of ours.
    pub(crate) async fn token_name(&self, token: &Secret) -> Result<Option<String>, Error> {
        let query = "SELECT name FROM api_tokens WHERE digest = $1";
        let query = sqlx::query_scalar(query).bind(token.digest());
        Ok(query.fetch_optional(&self.pool).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::scratch::store;
    use super::*;

    #[tokio::test]
    async fn the_first_token_is_made_once_and_only_its_digest_is_kept() {
        let (dir, store) = store().await;
        let token = store.create_first_token().await.unwrap().unwrap();
        assert!(store.create_first_token().await.unwrap().is_none());
        assert_eq!(
            store.token_name(&token).await.unwrap().as_deref(),
            Some("first")
        );
        let wrong = Secret::presented("wrong".into());
        assert!(store.token_name(&wrong).await.unwrap().is_none());
        store.close().await;
        for entry in std::fs::read_dir(dir.path()).unwrap() {
            // SQLite may still be removing its journal.
            let bytes = crate::data_dir::files::read_if_present(&entry.unwrap().path()).unwrap();
            let bytes = bytes.unwrap_or_default();
            let needle = token.expose().as_bytes();
            assert!(!bytes.windows(needle.len()).any(|window| window == needle));
        }
    }
}
