//! Whom this registration talks to, and what allows it.

use reqwest::header::HeaderMap;

use crate::backend::authorisation::{Authorisation, authorise};
use crate::backend::device_api::DeviceApi;
use crate::backend::grant::DeviceGrant;
use crate::backend::http::{Client, Trust, can_be_overheard, shown};
use crate::error::Result;
use crate::report::Reporter;
use crate::settings::Settings;

/// A client for all servers of the settings. Warns where what allows a registration can be read on
/// the way, before it goes there.
pub(super) fn connect(settings: &Settings, reporter: &Reporter) -> Result<Client> {
    let mut urls = vec![&settings.device_api];
    if let Authorisation::DeviceGrant { base } = &settings.authorisation {
        urls.push(base);
    }
    if let Some(url) = urls.iter().find(|url| can_be_overheard(url)) {
        reporter.warn(&format!(
            "{} is plain HTTP: everybody on the way can read what allows this registration, and \
             change what comes back; use https",
            shown(url)
        ));
    }
    Client::new(&urls, &trust(settings), None, settings.timeouts)
}

/// Whom to trust as a server.
pub(super) fn trust(settings: &Settings) -> Trust {
    match &settings.ca_file {
        Some(path) => Trust::File(path.clone()),
        None => Trust::System,
    }
}

/// The backend, still without what allows a registration.
pub(super) fn device_api<'a>(
    settings: &'a Settings,
    client: &'a Client,
    reporter: &'a Reporter,
) -> DeviceApi<'a> {
    DeviceApi {
        client,
        url: &settings.device_api,
        headers: HeaderMap::new(),
        retry_for: settings.retry_for,
        reporter,
    }
}

/// The header that allows `uuid` to be registered.
pub(super) fn allow<'a>(
    settings: &'a Settings,
    uuid: &'a str,
    client: &'a Client,
    reporter: &'a Reporter,
) -> Result<HeaderMap> {
    authorise(&settings.authorisation, |base| DeviceGrant {
        base,
        factory: &settings.factory,
        uuid,
        retry_for: settings.retry_for,
        client,
        reporter,
    })
}
