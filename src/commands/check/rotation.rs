//! A rotation of the key that the configuration daemon began. It is the daemon's to finish.

use serde::Deserialize;

use super::facts::{Facts, needed};
use super::finding::Outcome;
use crate::error::Result;
use crate::sota::files::{ANSWER_LIMIT, ROTATION};

/// What of the daemon's state tells that; the new key that is in it stays where it is.
#[derive(Deserialize)]
struct State {
    #[serde(rename = "StepIdx", default)]
    step: u32,
    #[serde(rename = "DeviceConfigUpdated", default)]
    is_known: bool,
    #[serde(rename = "Finalized", default)]
    is_final: bool,
}

pub(super) fn rotation(facts: &mut Facts) -> Result<Outcome> {
    let sota = needed(facts.sota.as_ref())?;
    let Some(text) = sota.read_secret(ROTATION, ANSWER_LIMIT)? else {
        return Ok(Outcome::Ok("none under way".to_owned()));
    };
    let path = sota.path().join(ROTATION);
    let (warning, remedy) = match serde_json::from_slice::<State>(&text) {
        // The daemon does not start with it, and has nothing to go on with.
        Err(_) => (
            format!("{path:?} is damaged: the configuration daemon cannot go on"),
            format!("rm {path:?}"),
        ),
        Ok(State {
            step,
            is_known,
            is_final,
        }) => {
            facts.rotates_alone = is_known && !is_final;
            (
                format!("a rotation of the key is under way, {step} of 5 steps are done"),
                "let the configuration daemon finish it: systemctl restart fioconfig".to_owned(),
            )
        }
    };
    Ok(Outcome::Warned(vec![(warning, Some(remedy))]))
}
