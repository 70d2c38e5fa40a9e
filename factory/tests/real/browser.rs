//! Somebody at the approval page.

use crate::site::Site;
use crate::tool::Answer;

/// A person's browser: curl with a cookie jar, which reads the token out of each form.
pub(crate) struct Browser<'a> {
    site: &'a Site,
    jar: String,
    address: &'a str,
    pub(crate) page: Answer,
}

impl<'a> Browser<'a> {
    pub(crate) fn open(site: &'a Site, path: &str) -> Self {
        Self::open_from(site, "127.0.0.1", path)
    }

    /// A browser at another address.
    pub(crate) fn open_from(site: &'a Site, address: &'a str, path: &str) -> Self {
        let jar = tempfile::NamedTempFile::new_in(site.dir.path()).unwrap();
        let jar = jar.into_temp_path().keep().unwrap().display().to_string();
        let page = Answer {
            status: 0,
            body: String::new(),
        };
        let mut browser = Self {
            site,
            jar,
            address,
            page,
        };
        browser.go(path);
        browser
    }

    fn request(&mut self, path: &str, arguments: &[&str]) {
        let url = format!("{}{path}", self.site.server.urls().api);
        let from = ["--interface", self.address, "-L", &url];
        let jar = ["-b", &self.jar, "-c", &self.jar];
        self.page = self.site.api(&[&from, &jar[..], arguments].concat());
    }

    pub(crate) fn go(&mut self, path: &str) {
        self.request(path, &[]);
    }

    /// Sends a form with the token of the page that is open.
    pub(crate) fn send(&mut self, path: &str, fields: &[(&str, &str)]) {
        let token = self.page.body.split_once("name=\"csrf\" value=\"");
        let token = token.map_or("", |(_, rest)| rest.split('"').next().unwrap());
        let fields: Vec<_> = [("csrf", token)]
            .iter()
            .chain(fields)
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let arguments: Vec<_> = fields
            .iter()
            .flat_map(|field| ["--data-urlencode", field])
            .collect();
        self.request(path, &arguments);
    }

    pub(crate) fn login(&mut self, password: &str, code: &str) {
        let fields = [("name", "ann"), ("password", password), ("user_code", code)];
        self.send("/activate/login", &fields);
    }

    pub(crate) fn shows(&self, status: u16, text: &str) {
        assert_eq!(self.page.status, status, "{:?}", self.page);
        assert!(
            self.page.body.contains(text),
            "no {text:?} in {}",
            self.page.body
        );
    }
}
