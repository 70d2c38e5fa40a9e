//! The factory side of `lmp-device-register`: a factory's PKI, the API where devices register, and the
//! Device Gateway where they check in.
//!
//! A registration's way: `listener` takes the connection, `api` asks who is calling and reads the
//! body into its wire type, `registration` has `pki` sign the CSR, enters the device through
//! `db`, and has `sota_toml` write the device's configuration. `gateway` admits devices by the
//! certificate that they prove. `running` starts and stops all of it; `files` is the only writer
//! of files. A device without a token asks `oauth` for one, and a person approves it in `activate`.
//!
//! ```no_run
//! # fn main() -> Result<(), lmp_factory::Error> {
//! let server = lmp_factory::blocking::start(lmp_factory::ServeOptions::new("/tmp/acme", "acme"))?;
//! println!("DEVICE_API={}", server.urls().device_api);
//! # Ok(())
//! # }
//! ```

pub mod blocking;

mod activate;
mod api;
mod db;
mod error;
mod factory;
mod files;
mod gateway;
mod listener;
mod oauth;
mod options;
mod password;
mod pki;
mod registration;
mod running;
mod secret;
mod sota_toml;
mod state;
mod throttle;
mod tls;

pub use db::Device;
pub use error::Error;
pub use factory::Urls;
pub use options::ServeOptions;
pub use password::Password;
pub use running::{Running, start};
pub use state::{add_operator, create_token, delete_device, delete_operator, list_devices};

/// Logs an error of ours with its causes.
fn log_failure(error: &Error) {
    let mut causes = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        causes.push_str(": ");
        causes.push_str(&next.to_string());
        cause = next.source();
    }
    tracing::error!("{error}{causes}");
}
