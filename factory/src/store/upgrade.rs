//! Databases of earlier versions are served on.

use std::borrow::Cow;

use sqlx::SqlitePool;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;

use super::database::Store;
use super::devices::Standing;
use super::scratch::at;
use crate::data_dir::DataDir;
use crate::time::Timestamp;

/// 0.1.0 counted some times in seconds and some in milliseconds.
#[tokio::test]
async fn a_database_of_version_0_1_0_keeps_its_times() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = DataDir::new(dir.path());
    let options = SqliteConnectOptions::new().filename(data_dir.database());
    let old = SqlitePool::connect_with(options.create_if_missing(true))
        .await
        .unwrap();
    let migrations = sqlx::migrate!().migrations[..2].to_vec();
    let migrator = Migrator {
        migrations: Cow::Owned(migrations),
        ..Migrator::DEFAULT
    };
    migrator.run(&old).await.unwrap();
    for row in [
        "devices VALUES ('one', 'board', 'acme', NULL, NULL, FALSE, 'key', 'c', 'i', 2000000000, 1700000000, NULL)",
        "devices VALUES ('two', 'board', 'acme', NULL, NULL, FALSE, 'key', NULL, NULL, NULL, 1700000000, 1700000009)",
        "api_tokens VALUES ('digest', 'first', 1700000000)",
        "operators VALUES ('ann', 'hash', 1700000000000)",
        "device_grants VALUES ('digest', 'A', 'uuid', 'pending', 5000, 0, 1700000000000, NULL)",
    ] {
        sqlx::query(&format!("INSERT INTO {row}"))
            .execute(&old)
            .await
            .unwrap();
    }
    old.close().await;

    let store = Store::open(&data_dir).await.unwrap();
    let devices = store.devices().await.unwrap();
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0].created_at, at(1_700_000_000_000));
    assert_eq!(serde_json::json!(devices)[0]["created-at"], 1_700_000_000);
    let Some(Standing::Known(one)) = store.find("one", "key").await.unwrap() else {
        panic!("not known");
    };
    assert_eq!(one.issued.unwrap().ends, at(2_000_000_000_000));
    assert_eq!(
        store.find("two", "key").await.unwrap(),
        Some(Standing::Denied)
    );
    let waits = async |now| store.pending_grant("A", at(now)).await.unwrap().is_some();
    assert!(waits(1_699_999_999_999).await && !waits(1_700_000_000_000).await);
    let times = "SELECT created_at FROM api_tokens UNION ALL SELECT created_at FROM operators \
         UNION ALL SELECT deleted_at - 9000 FROM devices WHERE uuid = 'two'";
    let times: Vec<Timestamp> = sqlx::query_scalar(times)
        .fetch_all(&store.pool)
        .await
        .unwrap();
    assert_eq!(times, [at(1_700_000_000_000); 3]);
}
