//! A module that calls the host, for the tests of fixtures: what it is answered
//! shows in the verdict.

use hookwire_sdk::broker::{self, Publish};
use hookwire_sdk::http::Request;
use hookwire_sdk::kv;
use hookwire_sdk::prelude::*;

/// Where requests go.
#[derive(Options)]
struct Where {
    /// The server.
    url: String,
}

/// Posts the payload, and passes on what it is answered.
#[action(hook = "message.publish", interest("payload"), options = Where)]
fn fetch(_: &Context, to: &Where, message: &Message) -> Result<Verdict, Fault> {
    let request = Request::post(to.url.as_str()).header("x-topic", message.topic.as_str());
    let response = request.body(message.payload.clone()).send()?;
    if !response.is_success() {
        let kind = response.header("content-type").unwrap_or("nothing");
        let why = format!("{} with {kind}", response.status);
        return Ok(Verdict::deny(reason_code::UNSPECIFIED_ERROR, why));
    }
    Ok(Verdict::replace(Replacement::new().payload(response.body)))
}

/// Counts messages, and publishes the count.
#[action(hook = "message.publish")]
fn count(_: &Context, message: &Message) -> Result<Verdict, Fault> {
    let count = kv::increment(&message.topic, 1, None)?;
    broker::publish(&Publish::new(
        format!("count/{}", message.topic),
        count.to_string(),
    ))?;
    Ok(Verdict::Proceed)
}

/// Lets those connect whom the broker does not know.
#[action(hook = "client.authenticate")]
fn newcomers(_: &Context, who: &Credentials) -> Result<Authentication, Fault> {
    Ok(match broker::lookup(&who.client.clientid)? {
        Some(_) => Authentication::Deny("known".to_owned()),
        None => Authentication::Accept,
    })
}

hookwire_sdk::module! {
    name: "calling",
    actions: [fetch, count, newcomers],
}
