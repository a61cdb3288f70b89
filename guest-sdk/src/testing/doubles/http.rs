//! `hookwire:host/http`: a function of the test answers.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::Fault;
use crate::bindings::hookwire::host::http as wit;
use crate::http::{Request, Response};

type Answer = Rc<dyn Fn(&Request) -> Result<Response, Fault>>;

thread_local! {
    static ANSWER: RefCell<Option<Answer>> = const { RefCell::new(None) };
    static REQUESTS: RefCell<Vec<Request>> = const { RefCell::new(Vec::new()) };
}

/// Answers the requests of this thread from now on.
///
/// ```
/// use hookwire_sdk::http::{Request, Response};
/// use hookwire_sdk::{Fault, FaultKind, testing};
///
/// testing::answer_http(|request| match request.url.as_str() {
///     "https://a.example.net/" => Ok(Response::new(204)),
///     _ => Err(Fault::new(FaultKind::Denied, "hookwire:http", "not in http_hosts")),
/// });
/// assert_eq!(Request::get("https://a.example.net/").send().unwrap().status, 204);
/// assert!(Request::get("https://b.example.net/").send().is_err());
/// ```
pub fn answer_http(answer: impl Fn(&Request) -> Result<Response, Fault> + 'static) {
    ANSWER.set(Some(Rc::new(answer)));
}

/// The requests sent on this thread since the last call.
///
/// ```
/// use hookwire_sdk::http::{Request, Response};
/// use hookwire_sdk::testing;
///
/// testing::answer_http(|_| Ok(Response::new(204)));
/// Request::get("https://a.example.net/").send().unwrap();
/// assert_eq!(testing::take_http_requests(), [Request::get("https://a.example.net/")]);
/// ```
#[must_use]
pub fn take_http_requests() -> Vec<Request> {
    REQUESTS.take()
}

pub(crate) fn send(request: wit::Request<'_>) -> Result<Response, Fault> {
    let headers = request.headers.iter();
    let request = Request {
        method: request.method.to_owned(),
        url: request.url.to_owned(),
        headers: headers
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        body: request.body.to_owned(),
        timeout: request.timeout_ms.map(Duration::from_millis),
    };
    REQUESTS.with_borrow_mut(|requests| requests.push(request.clone()));
    let Some(answer) = ANSWER.with_borrow(Clone::clone) else {
        panic!(
            "the test gave no answer to {} {}",
            request.method, request.url
        );
    };
    answer(&request)
}
