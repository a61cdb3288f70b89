//! Reason codes of MQTT 5 with which a rule refuses or disconnects a client.
//!
//! A client of MQTT 3.1.1 is told what its version can say: a return code in
//! CONNACK, 0x80 in SUBACK, else nothing but the end of its connection.
//!
//! ```
//! use hookwire_sdk::prelude::*;
//! use hookwire_sdk::testing::{self, Rule};
//!
//! #[action(hook = "client.subscribe")]
//! fn no_wildcards(_: &Context, subscription: &Subscription) -> Verdict {
//!     match subscription.filter.contains(['+', '#']) {
//!         true => Verdict::deny(
//!             reason_code::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED,
//!             "name each topic",
//!         ),
//!         false => Verdict::Proceed,
//!     }
//! }
//!
//! let rule = Rule::new(&no_wildcards::ACTION);
//! assert_eq!(rule.run(testing::subscription("c1", "a/b")), Verdict::Proceed);
//! let refused = rule.run(testing::subscription("c1", "a/#"));
//! assert_eq!(refused, Verdict::deny(0xA2, "name each topic"));
//! ```

macro_rules! reason_codes {
    ($($name:ident = $code:literal, $meaning:literal;)+) => {$(
        #[doc = $meaning]
        pub const $name: u8 = $code;
    )+};
}

reason_codes! {
    UNSPECIFIED_ERROR = 0x80, "No other code fits, or the reason is not to be told.";
    IMPLEMENTATION_SPECIFIC_ERROR = 0x83, "Valid, and not accepted here.";
    CLIENT_IDENTIFIER_NOT_VALID = 0x85, "A client id that is not allowed.";
    BAD_USER_NAME_OR_PASSWORD = 0x86, "The client is not who it says.";
    NOT_AUTHORIZED = 0x87, "The client may not do this.";
    SERVER_UNAVAILABLE = 0x88, "Not now: something that is needed is not there.";
    SERVER_BUSY = 0x89, "Not now: try again later.";
    BANNED = 0x8A, "The client is shut out.";
    BAD_AUTHENTICATION_METHOD = 0x8C, "An authentication method that is not known here.";
    TOPIC_FILTER_INVALID = 0x8F, "A filter that this client may not use.";
    TOPIC_NAME_INVALID = 0x90, "A topic name that this client may not use.";
    PACKET_TOO_LARGE = 0x95, "More bytes than are accepted.";
    QUOTA_EXCEEDED = 0x97, "More than the client was granted.";
    ADMINISTRATIVE_ACTION = 0x98, "Somebody decided so.";
    PAYLOAD_FORMAT_INVALID = 0x99, "A payload that is not what it has to be.";
    RETAIN_NOT_SUPPORTED = 0x9A, "Retained messages are not accepted.";
    QOS_NOT_SUPPORTED = 0x9B, "A QoS that is not accepted.";
    USE_ANOTHER_SERVER = 0x9C, "For now another server serves the client.";
    SERVER_MOVED = 0x9D, "From now on another server serves the client.";
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E, "A shared subscription that is not accepted.";
    CONNECTION_RATE_EXCEEDED = 0x9F, "The client connects too often.";
    WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xA2, "A filter with wildcards that is not accepted.";
}
