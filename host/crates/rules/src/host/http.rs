//! `hookwire:host/http`: requests to the hosts that a module's block names.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use hookwire_bindings::fault::to_guest;
use hookwire_bindings::wit::hookwire::host::http::{Host as HttpHost, Request, Response};
use hookwire_bindings::wit::hookwire::types::faults::Fault as GuestFault;
use hookwire_driver::{Fault, FaultKind};
use tokio::sync::Semaphore;
use ureq::Agent;
use ureq::http::Uri;

use crate::host::places::{Place, place};
use crate::host::stand_in::{HttpRequest, StandIn};
use crate::host::{Host, fault};

/// Bytes of a body, either way.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Requests under way at once, over all modules: each has a thread.
const MAX_REQUESTS: usize = 64;

/// Headers that say where a request goes, and how it is framed.
const SET_BY_HOST: [&str; 6] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
    "proxy-authorization",
];

static PLACES: Semaphore = Semaphore::const_new(MAX_REQUESTS);

/// Keeps connections between requests.
static AGENT: LazyLock<Agent> = LazyLock::new(|| {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent(concat!("hookwire/", env!("CARGO_PKG_VERSION")))
        .build();
    config.new_agent()
});

impl HttpHost for Host {
    async fn send(&mut self, request: Request) -> wasmtime::Result<Result<Response, GuestFault>> {
        self.check_may_call("http.send")?;
        if let Err(refused) = check(&request, &self.access.http_hosts) {
            return Ok(Err(to_guest(refused)));
        }
        if let Some(stand_in) = &self.access.stand_in {
            return Ok(answered(&**stand_in, request).map_err(to_guest));
        }
        let left = self.store_deadline();
        let asked = request.timeout_ms.and_then(|asked| {
            let asked = Duration::from_millis(asked);
            Instant::now().checked_add(asked)
        });
        let deadline = asked.map_or(left, |asked| asked.min(left));
        let Some(place) = place(&self.access.places.requests, &PLACES, deadline).await else {
            let message = "as many requests are under way as may; this one was not sent";
            let full = fault(FaultKind::Saturated, "http", message);
            return Ok(Err(to_guest(full)));
        };
        Ok(sent(request, deadline, place).await.map_err(to_guest))
    }
}

/// Whether the request may be sent at all.
fn check(request: &Request, hosts: &[String]) -> Result<(), Fault> {
    let invalid = |what: String| Err(fault(FaultKind::Invalid, "http", what));
    let uri: Uri = match request.url.parse() {
        Ok(uri) => uri,
        Err(error) => return invalid(format!("the URL cannot be read: {error}")),
    };
    let default_port = match uri.scheme_str() {
        Some("https") => 443,
        Some("http") => 80,
        _ => return invalid("the URL begins with neither https:// nor http://".to_owned()),
    };
    if request.body.len() > MAX_BODY_BYTES {
        return invalid(format!(
            "the body has {} bytes, 1 MiB at most",
            request.body.len()
        ));
    }
    if uri
        .authority()
        .is_some_and(|host| host.as_str().contains('@'))
    {
        return invalid("a URL holds no password: send a header".to_owned());
    }
    if let Some((name, _)) = request
        .headers
        .iter()
        .find(|(name, _)| SET_BY_HOST.iter().any(|set| name.eq_ignore_ascii_case(set)))
    {
        return invalid(format!("the header {name:?} is the host's to set"));
    }
    if request.method.eq_ignore_ascii_case("CONNECT") {
        return invalid("CONNECT asks for a tunnel, and there is none".to_owned());
    }
    let name = uri.host().unwrap_or_default().to_ascii_lowercase();
    let port = uri.port_u16().unwrap_or(default_port);
    let is_named = hosts.iter().any(|host| match host.rsplit_once(':') {
        Some((host, named)) => host == name && named.parse() == Ok(port),
        None => *host == name && port == default_port,
    });
    if is_named {
        return Ok(());
    }
    let message = format!("http_hosts does not name {name}:{port}");
    Err(fault(FaultKind::Denied, "http", message))
}

/// The answer of a test.
fn answered(stand_in: &dyn StandIn, request: Request) -> Result<Response, Fault> {
    let response = stand_in.http(HttpRequest {
        method: request.method,
        url: request.url,
        headers: request.headers,
        body: request.body,
    })?;
    let mut body = response.body;
    let truncated = body.len() > MAX_BODY_BYTES;
    body.truncate(MAX_BODY_BYTES);
    Ok(Response {
        status: response.status,
        headers: response.headers,
        body,
        truncated,
    })
}

async fn sent(request: Request, deadline: Instant, place: Place) -> Result<Response, Fault> {
    let limit = deadline.saturating_duration_since(Instant::now());
    let late = || {
        fault(
            FaultKind::Unknown,
            "http",
            format!("no answer within {limit:?}"),
        )
    };
    let done = tokio::task::spawn_blocking(move || {
        // Held until the work is done, also where nobody waits any more.
        let _place = place;
        exchange(request, limit)
    });
    match tokio::time::timeout(limit, done).await {
        Ok(Ok(answered)) => answered,
        Ok(Err(_)) => Err(fault(FaultKind::Other, "http", "the request failed")),
        Err(_) => Err(late()),
    }
}

fn exchange(request: Request, limit: Duration) -> Result<Response, Fault> {
    let mut built = ureq::http::Request::builder()
        .method(request.method.as_str())
        .uri(&request.url);
    for (name, value) in &request.headers {
        built = built.header(name, value);
    }
    let built = built
        .body(request.body)
        .map_err(|error| fault(FaultKind::Invalid, "http", error.to_string()))?;
    let built = AGENT
        .configure_request(built)
        .timeout_global(Some(limit))
        .allow_non_standard_methods(true)
        .build();
    let answer = AGENT.run(built).map_err(|error| {
        let kind = match error {
            ureq::Error::Timeout(_) => FaultKind::Unknown,
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => FaultKind::Invalid,
            _ => FaultKind::Unavailable,
        };
        fault(kind, "http", error.to_string())
    })?;
    let (parts, mut body) = answer.into_parts();
    let header = |(name, value): (&ureq::http::HeaderName, &ureq::http::HeaderValue)| {
        (
            name.as_str().to_owned(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    };
    let mut bytes = Vec::new();
    let one_more = u64::try_from(MAX_BODY_BYTES).unwrap_or(u64::MAX) + 1;
    std::io::Read::read_to_end(
        &mut std::io::Read::take(body.as_reader(), one_more),
        &mut bytes,
    )
    .map_err(|error| fault(FaultKind::Unknown, "http", error.to_string()))?;
    let truncated = bytes.len() > MAX_BODY_BYTES;
    bytes.truncate(MAX_BODY_BYTES);
    Ok(Response {
        status: parts.status.as_u16(),
        headers: parts.headers.iter().map(header).collect(),
        body: bytes,
        truncated,
    })
}

#[cfg(test)]
mod tests {
    use hookwire_bindings::wit::hookwire::types::faults::FaultKind as GuestFaultKind;

    use super::*;

    #[test]
    fn only_named_hosts_are_asked() {
        let check = |url: &str, expected: Result<(), FaultKind>| {
            let request = Request {
                method: "GET".to_owned(),
                url: url.to_owned(),
                headers: Vec::new(),
                body: Vec::new(),
                timeout_ms: None,
            };
            let hosts = ["api.example.com".to_owned(), "127.0.0.1:8080".to_owned()];
            let checked = super::check(&request, &hosts).map_err(|fault| fault.kind);
            assert_eq!(checked, expected, "{url}");
        };
        check("https://api.example.com/a?b", Ok(()));
        check("https://API.example.com:443/", Ok(()));
        check("http://api.example.com/", Ok(()));
        check("https://api.example.com:8443/", Err(FaultKind::Denied));
        check("http://127.0.0.1:8080/", Ok(()));
        check("http://127.0.0.1/", Err(FaultKind::Denied));
        check("https://evil.example.com/", Err(FaultKind::Denied));
        check(
            "https://api.example.com@evil.example.com/",
            Err(FaultKind::Invalid),
        );
        check("file:///etc/passwd", Err(FaultKind::Invalid));
        check("nonsense", Err(FaultKind::Invalid));
    }

    #[test]
    fn nothing_else_says_where_a_request_goes() {
        let address: std::net::SocketAddr = "127.0.0.1:8080".parse().unwrap();
        let hosts = [address.to_string()];
        let mut elsewhere = get(address, None);
        assert_eq!(super::check(&elsewhere, &hosts), Ok(()));
        elsewhere
            .headers
            .push(("Host".to_owned(), "internal".to_owned()));
        let refused = super::check(&elsewhere, &hosts).unwrap_err();
        assert_eq!(refused.kind, FaultKind::Invalid);
        let mut tunnel = get(address, None);
        tunnel.method = "connect".to_owned();
        assert!(super::check(&tunnel, &hosts).is_err());
    }

    fn host_for(server: std::net::SocketAddr) -> Host {
        let access = crate::host::Access {
            http_hosts: vec![server.to_string()],
            ..crate::host::Access::default()
        };
        let phase = crate::host::Phase::Serving;
        let mut host = Host::new("m".into(), phase, std::sync::Arc::new(access), 1 << 20);
        host.deadline = Instant::now() + Duration::from_secs(10);
        host
    }

    fn get(server: std::net::SocketAddr, timeout_ms: Option<u64>) -> Request {
        Request {
            method: "POST".to_owned(),
            url: format!("http://{server}/path?query"),
            headers: vec![("x-own".to_owned(), "1".to_owned())],
            body: b"asked".to_vec(),
            timeout_ms,
        }
    }

    /// A server that reads one request and answers with these bytes.
    fn answering(answer: Vec<u8>) -> (std::net::SocketAddr, std::thread::JoinHandle<String>) {
        use std::io::{Read as _, Write as _};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut part = [0; 4096];
            while !request.ends_with(b"asked") {
                match socket.read(&mut part) {
                    Ok(0) | Err(_) => break,
                    Ok(read) => request.extend_from_slice(&part[..read]),
                }
            }
            // The other side may have given up.
            drop(socket.write_all(&answer));
            String::from_utf8(request).unwrap()
        });
        (address, thread)
    }

    #[tokio::test]
    async fn a_request_has_its_answer() {
        let mut answer =
            b"HTTP/1.1 302 Found\r\nlocation: http://elsewhere/\r\ncontent-length: 2000000\r\n\r\n"
                .to_vec();
        answer.resize(answer.len() + 2_000_000, b'x');
        let (server, thread) = answering(answer);
        let response = host_for(server).send(get(server, None)).await;
        let response = response.unwrap().unwrap();
        assert_eq!(response.status, 302, "redirections are not followed");
        assert_eq!((response.body.len(), response.truncated), (1 << 20, true));
        let request = thread.join().unwrap();
        assert!(
            request.starts_with("POST /path?query HTTP/1.1\r\n"),
            "{request}"
        );
        assert!(request.contains("x-own: 1\r\n"), "{request}");
    }

    #[tokio::test]
    async fn one_without_a_place_says_that_it_was_not_sent() {
        let (server, thread) = answering(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec());
        let mut host = host_for(server);
        let places = std::sync::Arc::clone(&host.access.places.requests);
        let taken = places.acquire_many_owned(16).await.unwrap();
        let full = host.send(get(server, Some(50))).await.unwrap().unwrap_err();
        assert_eq!(full.kind, GuestFaultKind::Saturated, "{full:?}");
        assert!(
            full.retryable && full.message.contains("not sent"),
            "{full:?}"
        );
        // Before its deadline, so that the guest is told of it.
        host.deadline = Instant::now() + Duration::from_millis(400);
        host.send(get(server, None)).await.unwrap().unwrap_err();
        assert!(Instant::now() < host.deadline);
        // Another module has its own.
        let other = host_for(server).send(get(server, None)).await;
        assert_eq!(other.unwrap().unwrap().status, 204);
        drop(taken);
        thread.join().unwrap();
    }

    #[tokio::test]
    async fn a_server_that_is_silent_or_gone_is_a_fault() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server = silent.local_addr().unwrap();
        let late = host_for(server).send(get(server, Some(50))).await;
        let late = late.unwrap().unwrap_err();
        assert!(late.retryable && late.code == "host:http", "{late:?}");
        drop(silent);
        let gone = host_for(server).send(get(server, None)).await;
        let gone = gone.unwrap().unwrap_err();
        assert!(gone.retryable, "{gone:?}");
    }
}
