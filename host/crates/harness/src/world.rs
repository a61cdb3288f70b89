//! What stands in for the world around a module: answers requests as the fixture
//! says, writes them down, and fails calls of the host.

use std::fmt;
use std::sync::Mutex;

use hookwire_driver::Fault;
use hookwire_rules::{HttpRequest, HttpResponse, StandIn};

use crate::fixture::{FaultStep, HttpAnswer, unanswered};
use crate::store::{lock, met};

/// One request, as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpCall {
    /// The request.
    pub request: HttpRequest,
    /// Where nothing in the fixture says what is answered: what to do about it.
    pub unanswered: Option<String>,
}

impl fmt::Display for HttpCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let request = &self.request;
        write!(f, "{} {}", request.method, request.url)?;
        if !request.body.is_empty() {
            write!(f, " {:?}", String::from_utf8_lossy(&request.body))?;
        }
        Ok(())
    }
}

/// The world of one run at a time.
#[derive(Debug, Default)]
pub(crate) struct World(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    answers: Vec<HttpAnswer>,
    faults: Vec<FaultStep>,
    calls: Vec<HttpCall>,
}

impl World {
    /// Begins anew, with nobody who answers.
    pub(crate) fn forget(&self) {
        *lock(&self.0) = State::default();
    }

    /// Has later requests answered.
    pub(crate) fn answer(&self, answer: HttpAnswer) {
        lock(&self.0).answers.push(answer);
    }

    /// Has later calls fail.
    pub(crate) fn fail(&self, fault: FaultStep) {
        lock(&self.0).faults.push(fault);
    }

    /// The requests since the last look.
    pub(crate) fn take(&self) -> Vec<HttpCall> {
        std::mem::take(&mut lock(&self.0).calls)
    }
}

impl StandIn for World {
    fn fault(&self, call: &str) -> Option<Fault> {
        met(&mut lock(&self.0).faults, |fault| fault.what == call).map(|(fault, _)| fault)
    }

    fn http(&self, request: HttpRequest) -> Result<HttpResponse, Fault> {
        let fault = self.fault("http");
        let mut state = lock(&self.0);
        let answer = match fault {
            Some(fault) => Some(Err(fault)),
            None => state.answered(&request),
        };
        let none = || Err(unanswered(&request.method, &request.url));
        let given = answer.clone().unwrap_or_else(none);
        let unanswered = answer.is_none().then(|| state.hint(&request));
        state.calls.push(HttpCall {
            request,
            unanswered,
        });
        given
    }
}

impl State {
    /// The first answer that is meant and not used up.
    fn answered(&mut self, request: &HttpRequest) -> Option<Result<HttpResponse, Fault>> {
        let place = self.answers.iter().position(|answer| {
            is_for(answer, request)
                && holds(&request.body, &answer.request)
                && answer.calls != Some(0)
        })?;
        let step = self.answers.get_mut(place)?;
        let answer = match &step.answer {
            Ok(given) => Ok(HttpResponse {
                status: given.status,
                headers: given.headers.clone(),
                body: given.body.clone(),
            }),
            Err(fault) => Err(fault.clone()),
        };
        step.calls = step.calls.map(|calls| calls.saturating_sub(1));
        Some(answer)
    }

    fn hint(&self, request: &HttpRequest) -> String {
        let (method, url) = (&request.method, &request.url);
        if self.answers.is_empty() {
            return format!("write http \"{method}\" \"{url}\" {{ ... }} before it");
        }
        if self.answers.iter().any(|answer| is_for(answer, request)) {
            return "its http blocks are for other bodies, or have made all their calls".to_owned();
        }
        let known: Vec<String> = self
            .answers
            .iter()
            .map(|answer| format!("{} {}", answer.method, answer.url))
            .collect();
        let known = known.iter().map(String::as_str);
        hookwire_settings::hint(&format!("{method} {url}"), known)
    }
}

fn is_for(answer: &HttpAnswer, request: &HttpRequest) -> bool {
    answer.method.eq_ignore_ascii_case(&request.method) && answer.url == request.url
}

fn holds(body: &[u8], part: &[u8]) -> bool {
    part.is_empty() || body.windows(part.len()).any(|bytes| bytes == part)
}
