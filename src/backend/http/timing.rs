//! How long to wait. The time between two reads begins when the server can speak: never while we are
//! still connecting, which has a limit of its own.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// Limits in time of the HTTP client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timeouts {
    /// For the name, TCP and TLS together.
    pub connect: Duration,
    /// Between two reads, and before the first.
    pub read: Duration,
    /// From the first byte sent to the last byte read.
    pub request: Duration,
}

/// What did not come in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Late {
    /// A connection.
    Connection,
    /// The next bytes.
    Read,
    /// The end.
    Request,
}

/// Since when the server could have spoken; `None` while we connect to it.
#[derive(Debug, Clone, Default)]
pub(super) struct Turn(Arc<Mutex<Option<Instant>>>);

impl Turn {
    /// Gives the turn to the server when `connecting` is through.
    pub(super) async fn after<T>(self, connecting: impl Future<Output = T>) -> T {
        self.set(None);
        let connected = connecting.await;
        self.set(Some(Instant::now()));
        connected
    }

    /// Waits for `future` until `deadline`, and no longer than `read` since the server could speak.
    pub(super) async fn wait<T>(
        &self,
        read: Duration,
        deadline: Instant,
        future: impl Future<Output = T>,
    ) -> Result<T, Late> {
        self.set(Some(Instant::now()));
        let mut future = pin!(future);
        loop {
            let now = Instant::now();
            let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let due = since.unwrap_or(now) + read;
            match since {
                None if deadline <= now => return Err(Late::Connection),
                Some(_) if deadline <= now => return Err(Late::Request),
                Some(_) if due <= now => return Err(Late::Read),
                _ => {}
            }
            if let Ok(result) = timeout_at(due.min(deadline), future.as_mut()).await {
                return Ok(result);
            }
        }
    }

    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }
}
