//! Boards whose key is on a token: what is on it, and what `SoftHSM` loses by itself.

use std::fs;
use std::path::PathBuf;

use crate::site::Board;
use lmp_test_support::token::{LABEL, PIN, SO_PIN, SoftHsm, library, registration};

impl Board {
    /// A board with its key on a token, where somebody else keeps a key without any name.
    pub(crate) fn with_token() -> Self {
        let token = SoftHsm::new();
        token.tool(LABEL, &["--keypairgen", "--key-type", "EC:prime256v1"]);
        let mut board = Self::on(token);
        board.foreign = ["private key ", "public key "].map(str::to_owned).into();
        board
    }

    /// A board with its key on a token that it initialises itself.
    pub(crate) fn with_blank_token() -> Self {
        Self::on(SoftHsm::blank())
    }

    fn on(token: SoftHsm) -> Self {
        let mut board = Self::new();
        board.extra = [
            "--hsm-module",
            library("softhsm/libsofthsm2.so").to_str().unwrap(),
            "--hsm-pin",
            PIN,
            "--hsm-so-pin",
            SO_PIN,
        ]
        .map(str::to_owned)
        .into();
        board.token = Some(token);
        board
    }

    /// The folder of its tokens.
    pub(crate) fn tokens(&self) -> Option<PathBuf> {
        self.token.as_ref().map(|token| token.path("tokens"))
    }

    fn holds(&self, expected: &[Vec<String>]) -> Result<(), String> {
        let Some(token) = &self.token else {
            return Ok(());
        };
        let objects = objects(token);
        let mut expected = expected.iter().map(|ours| self.with_foreign(ours.clone()));
        if expected.any(|wanted| wanted == objects) {
            return Ok(());
        }
        Err(format!("the token holds {objects:?}"))
    }

    /// One pair and its certificate, and what others keep there.
    pub(crate) fn token_holds_a_registration(&self) -> Result<(), String> {
        self.holds(&[registration("01", "03"), registration("07", "09")])
    }

    fn with_foreign(&self, mut ours: Vec<String>) -> Vec<String> {
        ours.extend_from_slice(&self.foreign);
        ours.sort();
        ours
    }

    /// Nothing of a registration is left, and everything of others.
    pub(crate) fn unregistered(&self) -> Result<(), String> {
        let files = self.tree();
        if !files.is_empty() {
            return Err(format!("files are left:\n{files}"));
        }
        self.holds(&[Vec::new()])
    }

    /// SoftHSM writes a token's own file in place at every login: cut off between emptying and
    /// filling it, it loses the token with all that is on it, whatever its caller does.
    pub(crate) fn lost_its_token(&self) -> bool {
        let Some(tokens) = self.tokens() else {
            return false;
        };
        let tokens = fs::read_dir(tokens).unwrap();
        tokens.map(Result::unwrap).any(|entry| {
            let facts = fs::metadata(entry.path().join("token.object"));
            facts.is_ok_and(|facts| facts.len() == 0)
        })
    }
}

/// Class, label and id of all objects on the token, the half made ones among them.
fn objects(token: &SoftHsm) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in token.tool(LABEL, &["--list-objects"]).lines() {
        if !line.starts_with(char::is_whitespace) {
            let class = line.to_lowercase();
            // What has no class is listed as data, with a number.
            let class = class.split(" object").next().unwrap_or_default();
            found.push(class.to_owned());
        } else if let (Some(object), Some((name, value))) = (found.last_mut(), line.split_once(':'))
            && ["label", "ID"].contains(&name.trim())
        {
            object.push(' ');
            object.push_str(value.trim());
        }
    }
    found.sort();
    found
}
