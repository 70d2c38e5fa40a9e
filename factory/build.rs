//! Rebuilds when a migration is added: `sqlx::migrate!` embeds the directory at compile time.
#![allow(clippy::print_stdout)]

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
