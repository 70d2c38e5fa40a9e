//! What `--version` says: version, commit, target and features of this build. Never asks the machine.

/// Version and commit, for `-V`.
#[must_use]
pub(crate) const fn short() -> &'static str {
    concat!(env!("CARGO_PKG_VERSION"), " (", env!("BUILD_COMMIT"), ")")
}

/// Version, commit, target and features, for `--version`.
#[must_use]
pub(crate) const fn long() -> &'static str {
    #[cfg(feature = "pkcs11")]
    macro_rules! features {
        () => {
            "pkcs11"
        };
    }
    #[cfg(not(feature = "pkcs11"))]
    macro_rules! features {
        () => {
            "none"
        };
    }
    concat!(
        env!("CARGO_PKG_VERSION"),
        "\ncommit:   ",
        env!("BUILD_COMMIT"),
        "\ntarget:   ",
        env!("BUILD_TARGET"),
        "\nfeatures: ",
        features!()
    )
}

/// Seconds since 1970 of the commit that this program was built from; 0 if unknown.
#[must_use]
pub fn build_epoch() -> u64 {
    env!("BUILD_EPOCH").parse().unwrap_or(0)
}
