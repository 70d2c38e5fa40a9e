//! The pages that a visitor can answer.

use askama::Template;

use super::visit::Visit;
use crate::store::{KnownName, PendingGrant};

/// Who are you?
#[derive(Template)]
#[template(path = "login.html")]
pub(super) struct LoginPage<'a> {
    pub(super) visit: &'a Visit,
    /// Filled in, so that only the password is to be typed again.
    pub(super) name: &'a str,
    /// Carried along, or empty.
    pub(super) user_code: String,
    pub(super) problem: &'static str,
}

/// Which code does the device show?
#[derive(Template)]
#[template(path = "code.html")]
pub(super) struct CodePage<'a> {
    pub(super) visit: &'a Visit,
    pub(super) problem: &'static str,
}

/// This device asks: approve it?
#[derive(Template)]
#[template(path = "confirm.html")]
pub(super) struct ConfirmPage<'a> {
    pub(super) visit: &'a Visit,
    pub(super) factory: &'a str,
    pub(super) grant: PendingGrant,
    /// What the device was last called.
    pub(super) known: Option<KnownName>,
}

/// The decision is made.
#[derive(Template)]
#[template(path = "done.html")]
pub(super) struct DonePage<'a> {
    pub(super) visit: &'a Visit,
    pub(super) approved: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_device_says_of_itself_is_escaped() {
        let visit = Visit::anonymous(true).unwrap();
        let grant = PendingGrant {
            client_id: "<b>&\"".into(),
            user_code: "BCDF-GHJK".into(),
        };
        let known = KnownName {
            name: "<script>".into(),
            deleted: false,
        };
        let page = ConfirmPage {
            visit: &visit,
            factory: "acme",
            grant,
            known: Some(known),
        };
        let text = page.render().unwrap();
        assert!(
            !text.contains("<script>") && !text.contains("<b>&"),
            "{text}"
        );
        assert!(text.contains("BCDF-GHJK") && text.contains("acme"));
    }
}
