//! The public half of a key.

/// Bytes of an uncompressed point on P-256 (SEC 1 section 2.3.3): 04, x, y.
pub(super) const POINT_BYTES: usize = 65;
