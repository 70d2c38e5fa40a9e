//! The device grant: the agent asks, and a person approves, denies, or stays away.

mod person;
mod server;
mod terminal;
