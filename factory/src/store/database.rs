//! Opens and closes the database of a data directory.

use std::path::Path;
use std::time::Duration;

use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Sqlite, SqlitePool};

use crate::data_dir::{DataDir, LockedDir, files};
use crate::error::Error;

/// A statement with its values.
pub(super) type Statement<'q> = Query<'q, Sqlite, SqliteArguments<'q>>;

/// The database of one data directory.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(super) pool: SqlitePool,
}

impl Store {
    /// Opens the database of a data directory and creates it, for this factory, if it is missing.
    pub(crate) async fn create(locked: &LockedDir, factory: &str) -> Result<Self, Error> {
        let path = locked.dir.database();
        // SQLite gives its journal files the mode of the database.
        drop(files::open_private(&path)?);
        let store = Self::connect(&path).await?;
        let query = "INSERT INTO settings (name, value) VALUES ('factory', $1) ON CONFLICT (name) DO NOTHING";
        store.change(sqlx::query(query).bind(factory)).await?;
        let query = sqlx::query_scalar("SELECT value FROM settings WHERE name = 'factory'");
        let stored: String = query.fetch_one(&store.pool).await?;
        if stored != factory {
            return Err(Error::OtherFactory {
                path: locked.dir.path().into(),
                stored,
                asked: factory.into(),
            });
        }
        Ok(store)
    }

    /// Opens the database that `serve` created; a running server does not mind.
    pub(crate) async fn open(dir: &DataDir) -> Result<Self, Error> {
        let path = dir.database();
        if !path.exists() {
            return Err(Error::NoFactory(dir.path().into()));
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

    /// Carries a statement out; how many rows it changed.
    pub(super) async fn change(&self, statement: Statement<'_>) -> Result<u64, Error> {
        Ok(statement.execute(&self.pool).await?.rows_affected())
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
        let missing = Store::open(&DataDir::new(dir.path())).await.unwrap_err();
        assert!(matches!(missing, Error::NoFactory(_)));
        let locked = DataDir::new(dir.path()).lock().unwrap();
        let store = Store::create(&locked, "acme").await.unwrap();
        let other = Store::create(&locked, "other").await.unwrap_err();
        assert!(matches!(other, Error::OtherFactory { .. }));
        for entry in std::fs::read_dir(dir.path()).unwrap() {
            let mode = entry.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0);
        }
        store.close().await;
    }
}
