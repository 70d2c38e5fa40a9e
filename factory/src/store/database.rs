//! Opens and closes the database of a data directory.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, SqlitePool};

use crate::data_dir::files;
use crate::error::Error;

const FILE: &str = "factory.db";

/// The database of one data directory.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(super) pool: SqlitePool,
}

impl Store {
    /// Opens the database of a data directory and creates it, for this factory, if it is missing.
    pub(crate) async fn create(dir: &Path, factory: &str) -> Result<Self, Error> {
        let path = dir.join(FILE);
        // SQLite gives its journal files the mode of the database.
        drop(files::open_private(&path)?);
        let database = Self::connect(&path).await?;
        sqlx::query("INSERT INTO settings (name, value) VALUES ('factory', $1) ON CONFLICT (name) DO NOTHING")
            .bind(factory)
            .execute(&database.pool)
            .await?;
        let stored = database.factory().await?;
        if stored != factory {
            return Err(Error::OtherFactory {
                path: dir.into(),
                stored,
                asked: factory.into(),
            });
        }
        Ok(database)
    }

    /// Opens the database that `serve` created; a running server does not mind.
    pub(crate) async fn open(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(FILE);
        if !path.exists() {
            return Err(Error::NoFactory { path: dir.into() });
        }
        Self::connect(&path).await
    }

    async fn connect(path: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            // A registration that was answered must survive a power cut.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10))
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options)
            .await?;
        sqlx::migrate!().run(&pool).await?;
        Ok(Self { pool })
    }

    /// The factory's name.
    pub(crate) async fn factory(&self) -> Result<String, Error> {
        let query = sqlx::query_scalar("SELECT value FROM settings WHERE name = 'factory'");
        Ok(query.fetch_one(&self.pool).await?)
    }

    /// Writes what is in the journal into the database and closes it.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn belongs_to_one_factory_and_one_user() {
        let dir = tempfile::tempdir().unwrap();
        let missing = Store::open(dir.path()).await.unwrap_err();
        assert!(matches!(missing, Error::NoFactory { .. }));
        let database = Store::create(dir.path(), "acme").await.unwrap();
        let other = Store::create(dir.path(), "other").await.unwrap_err();
        assert!(matches!(other, Error::OtherFactory { .. }));
        for entry in std::fs::read_dir(dir.path()).unwrap() {
            let mode = entry.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0);
        }
        database.close().await;
    }
}
