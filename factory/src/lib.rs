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

mod api;
mod app;
mod approval;
mod data_dir;
mod error;
mod gateway;
mod http;
mod pki;
mod registration;
mod report;
mod secret;
mod server;
mod site;
mod store;
mod time;

pub use approval::password::Password;
pub use error::Error;
pub use server::blocking;
pub use server::options::ServeOptions;
pub use server::running::{Running, start};
pub use server::state::{add_operator, create_token, delete_device, delete_operator, list_devices};
pub use site::Urls;
pub use store::Device;
