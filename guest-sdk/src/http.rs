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
/// What a host answered. A body is cut at 1 MiB, and `truncated` says so.
///
/// ```
/// use hookwire_sdk::Fault;
/// use hookwire_sdk::http::{Request, Response};
/// # use hookwire_sdk::testing;
///
/// fn tariff() -> Result<Option<f64>, Fault> {
///     let answer: Response = Request::get("https://tariff.example.net/now").send()?;
///     match answer.status {
///         404 => Ok(None),
///         _ => answer.json().map(Some),
///     }
/// }
///
/// testing::answer_http(|_| Ok(Response { body: b"0.31".to_vec(), ..Response::new(200) }));
/// assert_eq!(tariff().unwrap(), Some(0.31));
/// testing::answer_http(|_| Ok(Response::new(404)));
/// assert_eq!(tariff().unwrap(), None);
/// ```
pub use crate::bindings::hookwire::host::http::Response;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::doubles::http as host;

/// A request, built step by step.
///
/// ```
/// # use std::time::Duration;
/// use hookwire_sdk::http::{Request, Response};
/// # use hookwire_sdk::testing;
///
/// testing::answer_http(|_| Ok(Response::new(204)));
/// let response = Request::new("PUT", "https://twin.example.net:8443/ovens/1")
///     .header("authorization", "Bearer abc")
///     .body("71.5")
///     .timeout(Duration::from_secs(1))
///     .send()
///     .unwrap();
/// assert!(response.is_success());
/// ```
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
    ///
    /// ```
    /// # use hookwire_sdk::http::Request;
    /// let request = Request::new("DELETE", "https://twin.example.net/ovens/1");
    /// assert_eq!(request.method, "DELETE");
    /// ```
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
    ///
    /// ```
    /// # use hookwire_sdk::http::Request;
    /// assert_eq!(Request::get("https://twin.example.net/ovens/1").method, "GET");
    /// ```
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// Hands something to `url`.
    ///
    /// ```
    /// # use hookwire_sdk::http::Request;
    /// assert_eq!(Request::post("https://twin.example.net/ovens").method, "POST");
    /// ```
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// Adds a header field.
    ///
    /// ```
    /// # use hookwire_sdk::http::Request;
    /// let request = Request::get("https://twin.example.net/").header("accept", "application/json");
    /// assert_eq!(request.headers.len(), 1);
    /// ```
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends these bytes.
    ///
    /// ```
    /// # use hookwire_sdk::http::Request;
    /// let request = Request::post("https://twin.example.net/ovens/1").body("71.5");
    /// assert_eq!(request.body, b"71.5");
    /// ```
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends a value as JSON, and says so in `Content-Type`.
    ///
    /// ```
    /// # use hookwire_sdk::http::Request;
    /// #[derive(serde::Serialize)]
    /// struct Reading {
    ///     celsius: f64,
    /// }
    ///
    /// let request = Request::post("https://twin.example.net/ovens/1").json(&Reading { celsius: 71.5 });
    /// assert_eq!(request.unwrap().body, br#"{"celsius":71.5}"#);
    /// ```
    ///
    /// # Errors
    /// `Invalid` where the value has no JSON form.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Result<Self, Fault> {
        let body = serde_json::to_vec(value)?;
        Ok(self.header("content-type", "application/json").body(body))
    }

    /// Waits no longer than that, and never longer than the batch may take.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use hookwire_sdk::http::Request;
    /// let patient = Request::get("https://twin.example.net/");
    /// assert_eq!(patient.timeout, None);
    /// let brief = patient.timeout(Duration::from_millis(200));
    /// assert_eq!(brief.timeout, Some(Duration::from_millis(200)));
    /// ```
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = Some(time);
        self
    }

    /// Sends it, and waits for the answer.
    ///
    /// ```
    /// use hookwire_sdk::http::{Request, Response};
    /// use hookwire_sdk::testing;
    ///
    /// testing::answer_http(|_| Ok(Response::new(503)));
    /// let response = Request::get("https://twin.example.net/").send().unwrap();
    /// assert!(!response.is_success());
    /// ```
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
    ///
    /// ```
    /// # use hookwire_sdk::http::Response;
    /// let answer = Response { body: b"[]".to_vec(), ..Response::new(200) };
    /// assert!(answer.headers.is_empty());
    /// ```
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
    ///
    /// ```
    /// # use hookwire_sdk::http::Response;
    /// assert!(Response::new(204).is_success());
    /// assert!(!Response::new(304).is_success());
    /// ```
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header field of that name, in whatever case.
    ///
    /// ```
    /// # use hookwire_sdk::http::Response;
    /// let headers = vec![("ETag".to_owned(), "\"7\"".to_owned())];
    /// let answer = Response { headers, ..Response::new(200) };
    /// assert_eq!(answer.header("etag"), Some("\"7\""));
    /// assert_eq!(answer.header("age"), None);
    /// ```
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    ///
    /// ```
    /// # use hookwire_sdk::http::Response;
    /// let answer = Response { body: br#"["a/#", "b/#"]"#.to_vec(), ..Response::new(200) };
    /// let filters: Vec<String> = answer.json().unwrap();
    /// assert_eq!(filters, ["a/#", "b/#"]);
    ///
    /// let cut = Response { truncated: true, ..answer };
    /// assert!(cut.json::<Vec<String>>().is_err());
    /// ```
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
