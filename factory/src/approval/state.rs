//! What the handlers of this room share.

use std::sync::Arc;
use std::time::Duration;

use super::password::Verifier;
use super::waiting::Waiting;
use crate::http::throttle::Throttle;
use crate::site::Site;
use crate::store::Store;

const MINUTE: Duration = Duration::from_secs(60);
const WINDOW: Duration = Duration::from_secs(10 * 60);
/// Grants that wait for a person at the same time.
const WAITING: usize = 10_000;
/// New codes per network and minute: a production line may start many boards behind one address.
const CODES_PER_MINUTE: u32 = 120;
/// Failed logins of one network in ten minutes, and of one name from all of them together. The second
/// is larger, because it lets a stranger lock an operator out for a while.
const LOGINS_PER_NETWORK: u32 = 10;
const LOGINS_PER_NAME: u32 = 50;
/// Wrong codes of one operator in ten minutes (RFC 8628, 5.1).
const CODES_PER_OPERATOR: u32 = 20;

/// How grants are given, and what slows down guessing.
#[derive(Debug)]
pub(crate) struct Approval {
    pub(super) store: Store,
    pub(super) site: Arc<Site>,
    /// Between two polls.
    pub(super) interval: Duration,
    /// Until the codes end.
    pub(super) lifetime: Duration,
    pub(super) new_codes: Throttle,
    pub(super) waiting: Waiting,
    pub(super) verifier: Verifier,
    pub(super) networks: Throttle,
    pub(super) names: Throttle,
    pub(super) codes: Throttle,
}

impl Approval {
    pub(crate) fn new(
        store: Store,
        site: Arc<Site>,
        interval: Duration,
        lifetime: Duration,
    ) -> Self {
        Self {
            store,
            site,
            interval,
            lifetime,
            waiting: Waiting::new(WAITING),
            new_codes: Throttle::new(CODES_PER_MINUTE, MINUTE),
            verifier: Verifier::new(),
            networks: Throttle::new(LOGINS_PER_NETWORK, WINDOW),
            names: Throttle::new(LOGINS_PER_NAME, WINDOW),
            codes: Throttle::new(CODES_PER_OPERATOR, WINDOW),
        }
    }
}
