//! `serve`.

use lmp_factory::{Error, blocking};

use super::args::ServeArgs;
use super::output;

pub(super) fn run(args: ServeArgs) -> Result<(), Error> {
    let json = args.json;
    blocking::serve(args.into_options(), |server| output::serving(server, json))
}
