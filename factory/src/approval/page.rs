//! The pages that a visitor can answer.

use askama::Template;

use super::html::Page;
use super::user_code::normalise as read_user_code;
use super::visit::Visit;
use crate::store::{KnownName, PendingGrant};

/// Who are you?
#[derive(Template)]
#[template(path = "login.html")]
pub(super) struct LoginPage {
    form_token: String,
    name: String,
    user_code: String,
    problem: &'static str,
}

impl LoginPage {
    pub(super) fn new(visit: &Visit, user_code: &str, problem: &'static str) -> Self {
        Self {
            form_token: visit.form_token(),
            name: String::new(),
            // What cannot be a code is not carried along.
            user_code: read_user_code(user_code).unwrap_or_default(),
            problem,
        }
    }

    /// With the name filled in, so that only the password is to be typed again.
    pub(super) fn for_name(self, name: String) -> Self {
        Self { name, ..self }
    }
}

/// Which code does the device show?
#[derive(Template)]
#[template(path = "code.html")]
pub(super) struct CodePage {
    form_token: String,
    operator: String,
    problem: &'static str,
}

impl CodePage {
    pub(super) fn new(visit: &Visit, operator: &str, problem: &'static str) -> Self {
        Self {
            form_token: visit.form_token(),
            operator: operator.into(),
            problem,
        }
    }
}

/// This device asks: approve it?
#[derive(Template)]
#[template(path = "confirm.html")]
pub(super) struct ConfirmPage {
    form_token: String,
    operator: String,
    factory: String,
    uuid: String,
    user_code: String,
    name: Option<String>,
    deleted: bool,
}

impl ConfirmPage {
    pub(super) fn new(
        visit: &Visit,
        operator: &str,
        factory: &str,
        grant: &PendingGrant,
        known: Option<&KnownName>,
    ) -> Self {
        let PendingGrant {
            client_id,
            user_code,
        } = grant;
        Self {
            form_token: visit.form_token(),
            operator: operator.into(),
            factory: factory.into(),
            uuid: client_id.clone(),
            user_code: user_code.clone(),
            name: known
                .map(|known| known.name.clone())
                .filter(|name| name != client_id),
            deleted: known.is_some_and(|known| known.deleted),
        }
    }
}

/// The decision is made.
#[derive(Template)]
#[template(path = "done.html")]
pub(super) struct DonePage {
    form_token: String,
    operator: String,
    approved: bool,
}

impl DonePage {
    pub(super) fn new(visit: &Visit, operator: &str, approved: bool) -> Self {
        Self {
            form_token: visit.form_token(),
            operator: operator.into(),
            approved,
        }
    }
}

impl Page for LoginPage {}
impl Page for CodePage {}
impl Page for ConfirmPage {}
impl Page for DonePage {}

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
        let page = ConfirmPage::new(&visit, "ann", "acme", &grant, Some(&known));
        let text = page.render().unwrap();
        assert!(
            !text.contains("<script>") && !text.contains("<b>&"),
            "{text}"
        );
        assert!(text.contains("BCDF-GHJK") && text.contains("acme"));
    }
}
