//! From the host's events to the types an action names, and what those tell.

mod run;

use serde::de::DeserializeOwned;

use crate::bindings::hookwire::types::events::Event;
use crate::{Access, Client, Credentials, Delivery, Fault, Message, Subscription};

pub use run::{run_batch, run_single};

/// What an event can be about.
pub trait Subject: Sized {
    /// The event's content, if it has this shape.
    fn of(event: &Event) -> Option<&Self>;
}

macro_rules! subjects {
    ($($subject:ident),+) => {$(
        impl Subject for $subject {
            fn of(event: &Event) -> Option<&Self> {
                match event {
                    Event::$subject(subject) => Some(subject),
                    _ => None,
                }
            }
        }

        impl From<$subject> for Event {
            fn from(subject: $subject) -> Self {
                Self::$subject(subject)
            }
        }
    )+};
}

subjects!(Client, Credentials, Access, Subscription, Message, Delivery);

impl Message {
    /// The payload as text.
    ///
    /// # Errors
    /// `Invalid` where it is not UTF-8.
    pub fn text(&self) -> Result<&str, Fault> {
        std::str::from_utf8(&self.payload)
            .map_err(|error| Fault::invalid("hookwire:text", error.to_string()))
    }

    /// The payload as JSON.
    ///
    /// ```
    /// # use hookwire_sdk::testing;
    /// #[derive(serde::Deserialize)]
    /// struct Reading {
    ///     celsius: f64,
    /// }
    ///
    /// let message = testing::message("sensors/7", r#"{"celsius": 21.5}"#);
    /// let reading: Reading = message.json().unwrap();
    /// assert_eq!(reading.celsius, 21.5);
    ///
    /// let fault = testing::message("sensors/7", "hot").json::<Reading>().err().unwrap();
    /// assert_eq!(fault.code, "hookwire:json");
    /// ```
    ///
    /// # Errors
    /// `Invalid` where it is not JSON, or not of that type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        Ok(serde_json::from_slice(&self.payload)?)
    }

    /// The first user property of that name.
    ///
    /// ```
    /// # use hookwire_sdk::testing;
    /// let mut message = testing::message("a", "");
    /// message.user_properties.push(("unit".to_owned(), "K".to_owned()));
    /// assert_eq!(message.user_property("unit"), Some("K"));
    /// ```
    #[must_use]
    pub fn user_property(&self, name: &str) -> Option<&str> {
        first(&self.user_properties, name)
    }
}

impl Access {
    /// Whether the client wants to publish, be it its will.
    #[must_use]
    pub fn is_publish(&self) -> bool {
        self.operation == "publish" || self.operation == "publish-will"
    }

    /// Whether the client wants to subscribe.
    #[must_use]
    pub fn is_subscribe(&self) -> bool {
        self.operation == "subscribe"
    }
}

impl Subscription {
    /// The first user property of that name in SUBSCRIBE or UNSUBSCRIBE.
    #[must_use]
    pub fn user_property(&self, name: &str) -> Option<&str> {
        first(&self.user_properties, name)
    }
}

fn first<'p>(properties: &'p [(String, String)], name: &str) -> Option<&'p str> {
    properties
        .iter()
        .find(|(property, _)| property == name)
        .map(|(_, value)| value.as_str())
}
