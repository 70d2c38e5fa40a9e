//! A store for each test.

use std::time::{Duration, UNIX_EPOCH};

use tempfile::TempDir;

use super::database::Store;
use crate::data_dir::DataDir;
use crate::time::Timestamp;

/// A store of its own for a test.
pub(super) async fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let locked = DataDir::new(dir.path()).lock().unwrap();
    let store = Store::create(&locked, "acme").await.unwrap();
    (dir, store)
}

/// So many milliseconds after 1970.
pub(super) fn at(millis: u64) -> Timestamp {
    (UNIX_EPOCH + Duration::from_millis(millis)).into()
}
