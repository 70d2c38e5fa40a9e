//! Settings that are more than the first candidate that is there.

use super::checks::{check_url, missing, not_empty};
use super::origin::{Resolver, built, default, typed};
use super::{BuildDefaults, FoundSecret, Origin, Provenance};
use crate::backend::authorisation::Authorisation;
use crate::error::{Error, Result};
use crate::settings::args::{RegisterArgs, parse_bool};

pub(super) fn hwid(
    r: &mut Resolver<'_>,
    args: &RegisterArgs,
    build: BuildDefaults,
) -> Result<String> {
    let candidates = [
        typed(args.hwid.clone()),
        built(build.hwid, "HARDWARE_ID"),
        r.released("LMP_MACHINE"),
    ];
    not_empty(r.first("hwid", candidates))
        .ok_or_else(|| missing("hardware id", "--hwid ID, or LMP_MACHINE in os-release"))
}

pub(super) fn tags(r: &mut Resolver<'_>, args: &RegisterArgs) -> Result<String> {
    let candidates = [typed(args.tags.clone()), r.released("LMP_FACTORY_TAG")];
    not_empty(r.first("tags", candidates))
        .ok_or_else(|| missing("tag", "--tags LIST, or LMP_FACTORY_TAG in os-release"))
}

pub(super) fn production(
    r: &mut Resolver<'_>,
    args: &RegisterArgs,
    build: BuildDefaults,
) -> Result<bool> {
    let built_in = match build.production.map(|word| (word, parse_bool(word))) {
        None => None,
        Some((_, Ok(value))) => Some((value, Origin::Build("PRODUCTION"))),
        Some((word, Err(_))) => {
            return Err(Error::setting(format!(
                "this program was built with PRODUCTION={word:?}, which is no BOOL word"
            )));
        }
    };
    let variable = match args.production {
        Some(_) => None,
        None => r.production_variable()?,
    };
    let candidates = [
        typed(args.production),
        variable,
        built_in,
        Some((false, Origin::Default)),
    ];
    Ok(r.first("production", candidates).unwrap_or(false))
}

pub(super) fn authorisation(
    r: &mut Resolver<'_>,
    args: &RegisterArgs,
    found: Option<FoundSecret>,
    build: BuildDefaults,
) -> Result<Authorisation> {
    let header = r
        .first(
            "api-token-header",
            [typed(args.api_token_header.clone()), default("OSF-TOKEN")],
        )
        .unwrap_or_default();
    if reqwest::header::HeaderName::try_from(header.as_str()).is_err() {
        return Err(
            Error::setting(format!("{header:?} is no name of an HTTP header"))
                .hint("give --api-token-header NAME"),
        );
    }
    let token = match &args.api_token {
        Some(token) => Some((token.clone(), Origin::CommandLine)),
        None => found,
    };
    if let Some((token, origin)) = token.filter(|(token, _)| !token.expose().is_empty()) {
        // A line break would end the header and begin one of the attacker's (RFC 9110 section 5.5).
        if !token
            .expose()
            .bytes()
            .all(|byte| (0x20..0x7f).contains(&byte))
        {
            return Err(Error::setting(
                "the API token has a line break or another character that no header may hold",
            )
            .hint("give the token alone, on one line"));
        }
        r.provenance.push(Provenance {
            name: "api-token",
            value: "[secret]".into(),
            origin,
        });
        return Ok(Authorisation::ApiToken { header, token });
    }
    let base = r.first(
        "oauth-base",
        [
            r.variable("OAUTH_BASE"),
            built(build.oauth_base, "OAUTH_API"),
            default("https://app.foundries.io/oauth"),
        ],
    );
    let base = check_url("OAUTH_BASE", &base.unwrap_or_default())?;
    Ok(Authorisation::DeviceGrant { base })
}
