//! The factory side of `lmp-device-register`: a factory's PKI, the API where devices register, and the
//! Device Gateway where they check in.
//!
//! A registration's way: `http` takes the connection, `api` asks who is calling and reads the body into
//! a `registration`, which has `pki` sign the CSR, enters the device through `store` and writes its
//! configuration. `gateway` admits devices by the certificate that they prove. A device without a token
//! asks `approval` for one, and a person decides. `server` starts and stops all of it; `factory` is what
//! commands do without it.
//!
//! The rooms from top to bottom, of which each imports only from those behind it: `server`, `api`,
//! `factory`, `approval`, `gateway`, `registration`, `http`, `pki`, `store`, `data_dir`, `site`,
//! `time`, `secret`, `error`.
//!
//! ```no_run
//! # fn main() -> Result<(), lmp_factory::Error> {
//! let server = lmp_factory::blocking::start(lmp_factory::ServeOptions::new("/tmp/acme", "acme"))?;
//! println!("DEVICE_API={}", server.urls().device_api);
//! # Ok(())
//! # }
//! ```

mod api;
mod approval;
mod data_dir;
mod error;
mod factory;
mod gateway;
mod http;
mod pki;
mod registration;
mod secret;
mod server;
mod site;
mod store;
mod time;

pub use approval::Password;
pub use error::Error;
pub use factory::Factory;
pub use server::{ServeOptions, blocking};
pub use site::Urls;
pub use store::Device;
pub use time::Timestamp;
