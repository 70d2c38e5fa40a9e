//! People approve devices: the device grant (RFC 8628), and the page where somebody logs in and decides.
//! It must never register a device.

mod activation;
mod grants;
mod html;
mod page;
mod password;
mod state;
mod user_code;
mod visit;
mod waiting;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

pub use password::Password;
pub(crate) use password::hash as hash_password;
pub(crate) use state::Approval;
pub(crate) use user_code::normalise as read_user_code;

/// Routes of the device grant and of the page.
pub(crate) fn router(approval: Approval) -> Router {
    Router::new()
        .route("/oauth/authorization/device/", post(grants::authorize))
        .route("/oauth/authorization/device", post(grants::authorize))
        .route("/oauth/token/", post(grants::token))
        .route("/oauth/token", post(grants::token))
        .route("/activate/", get(activation::show))
        .route("/activate", get(activation::show))
        .route("/activate/login", post(activation::login))
        .route("/activate/decide", post(activation::decide))
        .route("/activate/logout", post(activation::logout))
        .with_state(Arc::new(approval))
}
