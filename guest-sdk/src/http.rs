//! Requests to the hosts that the module's block names in `http_hosts`. Granted
//! by `grants = ["http"]`.
//!
//! A request holds up the events behind it until it is answered: it is for
//! what cannot be known otherwise, and its answers are worth keeping in
//! [`kv`](crate::kv). Redirections are not followed.
//!
//! ```
//! use std::time::Duration;
//!
//! use hookwire_sdk::http::{Request, Response};
//! use hookwire_sdk::prelude::*;
//! use hookwire_sdk::testing::{self, Rule};
//!
//! /// Asks a service whether the client may connect.
//! #[action(hook = "client.authenticate")]
//! fn ask(_: &Context, who: &Credentials) -> Result<Authentication, Fault> {
//!     let response = Request::post("https://auth.example.net/check")
//!         .json(&[&who.client.clientid])?
//!         .timeout(Duration::from_secs(2))
//!         .send()?;
//!     Ok(match response.status {
//!         200 => Authentication::Accept,
//!         404 => Authentication::Defer,
//!         status => Authentication::Deny(format!("the service says {status}")),
//!     })
//! }
//!
//! testing::answer_http(|request| {
//!     let status = if request.body == br#"["c1"]"# { 200 } else { 404 };
//!     Ok(Response::new(status))
//! });
//! let rule = Rule::new(&ask::ACTION);
//! assert_eq!(rule.run(testing::credentials("c1", "user", "secret")), Verdict::allow());
//! assert_eq!(rule.run(testing::credentials("c2", "user", "secret")), Verdict::defer());
//! assert_eq!(testing::take_http_requests()[0].method, "POST");
//! ```

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Fault;
#[cfg(target_arch = "wasm32")]
use crate::bindings::hookwire::host::http as host;
pub use crate::bindings::hookwire::host::http::Response;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::doubles::http as host;

/// A request, built step by step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, ...
    pub method: String,
    /// `https://HOST:PORT/...`, where the host, and the port if it is not the
    /// scheme's own, are named in `http_hosts`.
    pub url: String,
    /// Header fields, in order.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Vec<u8>,
    /// None: until the batch's own deadline.
    pub timeout: Option<Duration>,
}

impl Request {
    /// A request of any method.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: None,
        }
    }

    /// Asks for what is at `url`.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// Hands something to `url`.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends these bytes.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends a value as JSON, and says so in `Content-Type`.
    ///
    /// # Errors
    /// `Invalid` where the value has no JSON form.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Result<Self, Fault> {
        let body = serde_json::to_vec(value)?;
        Ok(self.header("content-type", "application/json").body(body))
    }

    /// Waits no longer than that, and never longer than the batch may take.
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = Some(time);
        self
    }

    /// Sends it, and waits for the answer.
    ///
    /// # Errors
    /// `Denied`, where the host is not named in `http_hosts`; `Unavailable`,
    /// where it cannot be reached; `Unknown`, where it did not answer in time;
    /// `Invalid`, where the request is none. A status that says no is an
    /// answer, and no error.
    pub fn send(&self) -> Result<Response, Fault> {
        let headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        host::send(crate::bindings::hookwire::host::http::Request {
            method: &self.method,
            url: &self.url,
            headers: &headers,
            body: &self.body,
            timeout_ms: self.timeout.map(crate::milliseconds),
        })
    }
}

/// ```
/// # use hookwire_sdk::http::Response;
/// let response = Response {
///     headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
///     body: b"[1, 2]".to_vec(),
///     ..Response::new(201)
/// };
/// assert!(response.is_success());
/// assert_eq!(response.header("content-type"), Some("application/json"));
/// assert_eq!(response.json::<Vec<u8>>().unwrap(), [1, 2]);
/// ```
impl Response {
    /// An answer with nothing but a status, for tests to change.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            truncated: false,
        }
    }

    /// Whether the status is one of 200 to 299.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header field of that name, in whatever case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// `Invalid`, where it is not JSON, not of that type, or was cut.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        if self.truncated {
            return Err(Fault::invalid("hookwire:truncated", "the body was cut"));
        }
        Ok(serde_json::from_slice(&self.body)?)
    }
}
