//! The files of a factory. The only writer of files: nothing else in this crate may create, change or
//! remove one, except SQLite its database.

pub(crate) mod files;
