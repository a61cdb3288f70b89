//! What stands in for the world around a module, in tests of modules: servers
//! that answer its requests, and faults of host calls.

use hookwire_driver::Fault;

use crate::host::Host;

/// A request as a guest makes it, to a host that its block names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`, `POST`, ...
    pub method: String,
    /// Where it goes.
    pub url: String,
    /// Header fields, in order.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

/// The answer to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// `200`, ...
    pub status: u16,
    /// Header fields, in order.
    pub headers: Vec<(String, String)>,
    /// Its body; what is beyond 1 MiB is cut, as it is from a server's.
    pub body: Vec<u8>,
}

/// In place of the world. Asked behind the checks of grants and hosts, which hold
/// in tests too.
pub trait StandIn: Send + Sync {
    /// The fault that a call of the host other than a request meets:
    /// `broker.publish`, `key-value.set`, ...; none: it is carried out.
    fn fault(&self, call: &str) -> Option<Fault>;

    /// Answers a request.
    ///
    /// # Errors
    /// The fault that the guest is told.
    fn http(&self, request: HttpRequest) -> Result<HttpResponse, Fault>;
}

impl Host {
    /// The fault that a test has this call meet.
    pub(crate) fn test_fault(&self, call: &str) -> Result<(), Fault> {
        let stand_in = self.access.stand_in.as_ref();
        let fault = stand_in.and_then(|stand_in| stand_in.fault(call));
        fault.map_or(Ok(()), Err)
    }
}
