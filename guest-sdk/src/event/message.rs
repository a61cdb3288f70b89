//! What a message tells: its payload as text or JSON, its properties.

use serde::de::DeserializeOwned;

use super::{Message, first};
use crate::Fault;

impl Message {
    /// The payload as text.
    ///
    /// ```
    /// # use hookwire_sdk::testing;
    /// assert_eq!(testing::message("a", "hot").text().unwrap(), "hot");
    /// assert_eq!(testing::message("a", [0xFF]).text().unwrap_err().code, "hookwire:text");
    /// ```
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

    /// Its other properties of MQTT 5, by name: `content-type`, `response-topic`,
    /// `correlation-data` (Base64), `payload-format`.
    ///
    /// ```
    /// # use hookwire_sdk::testing;
    /// let mut message = testing::message("a", "{}");
    /// message.extras.push(("content-type".to_owned(), "application/json".to_owned()));
    /// message.extras.push(("packet-id".to_owned(), "7".to_owned()));
    /// assert_eq!(message.properties().count(), 1);
    /// ```
    pub fn properties(&self) -> impl Iterator<Item = &(String, String)> {
        const PROPERTIES: [&str; 4] = [
            "content-type",
            "response-topic",
            "correlation-data",
            "payload-format",
        ];
        let extras = self.extras.iter();
        extras.filter(|(name, _)| PROPERTIES.contains(&name.as_str()))
    }

    /// Packet id of the QoS 2 PUBLISH that brought it, on `message.publish`.
    ///
    /// ```
    /// # use hookwire_sdk::testing;
    /// let mut message = testing::message("a", "");
    /// assert_eq!(message.packet_id(), None);
    /// message.extras.push(("packet-id".to_owned(), "7".to_owned()));
    /// assert_eq!(message.packet_id(), Some(7));
    /// ```
    #[must_use]
    pub fn packet_id(&self) -> Option<u16> {
        first(&self.extras, "packet-id")?.parse().ok()
    }
}
