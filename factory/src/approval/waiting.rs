//! The grants that wait for a person: how many each network has, and when each may be polled again. In
//! memory, so that a poll writes nothing; one from before a restart is not slowed down.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::secret::Secret;
use crate::time::Timestamp;

/// A network may have this part of what the others leave: however many networks ask, there is room for one
/// more.
const SHARE: usize = 10;
/// RFC 8628, 3.5: `slow_down` adds five seconds.
const SLOWER_BY: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Grant {
    network: IpAddr,
    ends: Timestamp,
    interval: Duration,
    next_poll: Timestamp,
}

/// Grants by the digest of their device code.
#[derive(Debug)]
pub(super) struct Waiting {
    /// At the same time, of everybody.
    most: usize,
    grants: Mutex<HashMap<String, Grant>>,
}

impl Waiting {
    pub(super) fn new(most: usize) -> Self {
        let grants = Mutex::default();
        Self { most, grants }
    }

    /// Adds a grant; false if its network has too many that wait.
    pub(super) fn begin(
        &self,
        device_code: &Secret,
        network: IpAddr,
        interval: Duration,
        ends: Timestamp,
    ) -> bool {
        let now = Timestamp::now();
        let mut grants = self.grants();
        grants.retain(|_, grant| grant.ends > now);
        let own = grants.values().filter(|grant| grant.network == network);
        if own.count() >= self.most.saturating_sub(grants.len()) / SHARE {
            return false;
        }
        let grant = Grant {
            network,
            ends,
            interval,
            next_poll: now,
        };
        grants.insert(device_code.digest(), grant);
        true
    }

    /// Whether a poll comes too early; the next one must then wait longer.
    pub(super) fn is_early(&self, device_code: &Secret, now: Timestamp) -> bool {
        let mut grants = self.grants();
        let grant = grants.get_mut(&device_code.digest());
        let Some(grant) = grant.filter(|grant| now < grant.ends) else {
            return false;
        };
        let early = now < grant.next_poll;
        if early {
            grant.interval += SLOWER_BY;
        }
        grant.next_poll = now + grant.interval;
        early
    }

    /// A grant that waits no longer.
    pub(super) fn end(&self, device_code: &Secret) {
        self.grants().remove(&device_code.digest());
    }

    fn grants(&self) -> MutexGuard<'_, HashMap<String, Grant>> {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(waiting: &Waiting, network: u32) -> Option<Secret> {
        let code = Secret::generate().unwrap();
        let ends = Timestamp::now() + Duration::from_secs(900);
        let interval = Duration::from_secs(5);
        let network = IpAddr::V4(network.into());
        waiting
            .begin(&code, network, interval, ends)
            .then_some(code)
    }

    #[test]
    fn polling_too_fast_slows_down_for_good() {
        let waiting = Waiting::new(100);
        let code = begin(&waiting, 1).unwrap();
        let start = Timestamp::now();
        let early = |millis| waiting.is_early(&code, start + Duration::from_millis(millis));
        assert!(!early(0));
        assert!(early(4999));
        assert!(early(4999 + 9999));
        assert!(!early(4999 + 9999 + 15_000));
        assert!(!early(901_000));
        waiting.end(&code);
        assert!(!early(4999 + 9999 + 15_001));
    }

    #[test]
    fn many_networks_leave_room_for_another() {
        let waiting = Waiting::new(1000);
        for network in 0..85 {
            for _ in 0..12 {
                begin(&waiting, network);
            }
        }
        assert!(begin(&waiting, 100).is_some());
        while begin(&waiting, 101).is_some() {}
        assert!(begin(&waiting, 102).is_some());
    }
}
