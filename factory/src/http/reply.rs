//! Answers in JSON.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::error::Error;

/// For every path that is not served.
pub(crate) async fn no_such_path() -> Reply {
    Reply::message(StatusCode::NOT_FOUND, "no such path")
}

/// An answer in JSON.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    body: Value,
}

impl Reply {
    /// Any JSON.
    pub(crate) fn json(status: StatusCode, body: Value) -> Self {
        Self { status, body }
    }

    /// `{"message": ..}`
    pub(crate) fn message(status: StatusCode, message: &str) -> Self {
        Self::json(status, json!({ "message": message }))
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let challenge = (self.status == StatusCode::UNAUTHORIZED)
            .then_some([(header::WWW_AUTHENTICATE, "Bearer")]);
        (self.status, challenge, axum::Json(self.body)).into_response()
    }
}

/// Our own failures: the log has the cause, the client learns only that it may try again.
impl From<Error> for Reply {
    fn from(error: Error) -> Self {
        error.log();
        Self::message(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the server failed; try again later",
        )
    }
}
