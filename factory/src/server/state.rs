//! What can be read and changed in a data directory, beside a running server or without one.

use std::path::Path;

use crate::approval::password::{self, Password};
use crate::error::Error;
use crate::site::is_identifier;
use crate::store::{Device, Store};

/// Makes an API token for the factory in a data directory; it is not stored and cannot be shown again.
pub async fn create_token(data_dir: &Path, name: &str) -> Result<String, Error> {
    let database = Store::open(data_dir).await?;
    let token = database.create_token(name).await?;
    database.close().await;
    Ok(token.expose().to_owned())
}

/// The registered devices of the factory in a data directory, oldest first.
pub async fn list_devices(data_dir: &Path) -> Result<Vec<Device>, Error> {
    let database = Store::open(data_dir).await?;
    let devices = database.devices().await?;
    database.close().await;
    Ok(devices)
}

/// Deletes a device from the factory in a data directory; its UUID is denied from now on.
pub async fn delete_device(data_dir: &Path, uuid: &str) -> Result<(), Error> {
    let database = Store::open(data_dir).await?;
    database.delete(uuid).await?;
    database.close().await;
    Ok(())
}

/// Adds an operator to the factory in a data directory: somebody who decides on devices. The name is
/// an identifier of at most 64 characters, the password has 8 to 1024 bytes.
pub async fn add_operator(data_dir: &Path, name: &str, password: &Password) -> Result<(), Error> {
    let database = Store::open(data_dir).await?;
    add_operator_to(&database, name, password).await?;
    database.close().await;
    Ok(())
}

/// Deletes an operator and ends their sessions.
pub async fn delete_operator(data_dir: &Path, name: &str) -> Result<(), Error> {
    let database = Store::open(data_dir).await?;
    database.delete_operator(name).await?;
    database.close().await;
    Ok(())
}

pub(crate) async fn add_operator_to(
    database: &Store,
    name: &str,
    password: &Password,
) -> Result<(), Error> {
    if !is_identifier(name) {
        return Err(Error::OperatorName(name.into()));
    }
    database
        .add_operator(name, &password::hash(password)?)
        .await
}
