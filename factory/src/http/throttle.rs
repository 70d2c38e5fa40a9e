//! Counts attempts per key in a sliding window, to slow down whoever guesses. Counts are kept in
//! memory: a restart forgives, and costs a guesser more than it gives.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hash};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Keys in memory at most; when they are reached, the oldest windows go first.
const MAX_KEYS: usize = 10_000;

/// So many attempts per key and window.
#[derive(Debug)]
pub(crate) struct Throttle {
    limit: u32,
    window: Duration,
    // A key may be as long as a stranger likes, so only its hash is kept. The hash has a key of its own,
    // so nobody can look for two names that share one.
    hashes: RandomState,
    counts: Mutex<HashMap<u64, (Instant, u32)>>,
}

impl Throttle {
    pub(crate) fn new(limit: u32, window: Duration) -> Self {
        Self {
            limit,
            window,
            hashes: RandomState::new(),
            counts: Mutex::default(),
        }
    }

    /// Counts an attempt; false if there were too many in this window. An attempt counts before its
    /// outcome is known, so that many at once do not pass together.
    pub(crate) fn allows(&self, key: impl Hash) -> bool {
        let now = Instant::now();
        let key = self.hashes.hash_one(key);
        let mut counts = self.counts();
        if counts.len() >= MAX_KEYS && !counts.contains_key(&key) {
            counts.retain(|_, (began, _)| now.duration_since(*began) < self.window);
            let oldest = counts.iter().min_by_key(|(_, (began, _))| *began);
            if counts.len() >= MAX_KEYS
                && let Some(oldest) = oldest.map(|(key, _)| *key)
            {
                counts.remove(&oldest);
            }
        }
        let (began, count) = counts.entry(key).or_insert((now, 0));
        if now.duration_since(*began) >= self.window {
            (*began, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= self.limit
    }

    /// Forgives a key whose attempt succeeded.
    pub(crate) fn forgive(&self, key: impl Hash) {
        self.counts().remove(&self.hashes.hash_one(key));
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<u64, (Instant, u32)>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A network that one attacker may own: an IPv4 address, or the /64 of an IPv6 address.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.into(),
            None => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn limits_each_key_per_window() {
        let throttle = Throttle::new(2, Duration::from_secs(60));
        assert_eq!([(); 3].map(|()| throttle.allows("a")), [true, true, false]);
        assert!(throttle.allows("b"));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(throttle.allows("a"));
        throttle.forgive("a");
        assert_eq!([(); 3].map(|()| throttle.allows("a")), [true, true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded() {
        let throttle = Throttle::new(1, Duration::from_secs(60));
        for key in 0..MAX_KEYS + 5 {
            assert!(throttle.allows(key));
            tokio::time::advance(Duration::from_micros(1)).await;
        }
        assert_eq!(throttle.counts().len(), MAX_KEYS);
    }

    #[test]
    fn an_ipv6_network_is_one_key() {
        let key = |text: &str| network(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
    }
}
