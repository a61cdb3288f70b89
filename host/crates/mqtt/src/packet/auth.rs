//! AUTH: a step of enhanced authentication, in MQTT 5 alone.

use crate::error::{DecodeError, Fault};
use crate::property::{self, Properties, Property};
use crate::reader::Reader;
use crate::{ProtocolVersion, ReasonCode, writer};

const REASONS: &[ReasonCode] = &[
    ReasonCode::Success,
    ReasonCode::ContinueAuthentication,
    ReasonCode::ReAuthenticate,
];

/// A step of enhanced authentication.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Auth {
    /// Success from a server, to begin anew from a client, to go on from both.
    pub reason: ReasonCode,
    /// That of CONNECT. May be left out only by a success that says nothing
    /// more, the packet without a body.
    pub method: Option<String>,
    /// What the method defines; never without a method.
    pub data: Option<Vec<u8>>,
    /// For a person.
    pub reason_string: Option<String>,
    /// Names and values, in order.
    pub user_properties: Vec<(String, String)>,
}

impl Auth {
    pub(crate) fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("AUTH", body);
        let mut auth = Self::default();
        // Other than in DISCONNECT the two go together: there is no form with a
        // reason and without a property length (MQTT 5, 3.15.2.1).
        if !reader.is_empty() {
            auth.reason = property::reason_code(&mut reader, REASONS)?;
            auth.read_properties(&mut reader)?;
        }
        reader.finish()?;
        if auth.method.is_some() || auth.is_bare_success() {
            return Ok(auth);
        }
        Err(if auth.data.is_some() {
            let fault = Fault::AuthenticationDataWithoutMethod;
            reader.error("authentication data", fault)
        } else {
            reader.error("authentication method", Fault::NoAuthenticationMethod)
        })
    }

    fn read_properties(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        let mut properties = Properties::read(reader)?;
        while let Some(property) = properties.next()? {
            match property {
                Property::AuthenticationMethod(text) => self.method = Some(text.to_owned()),
                Property::AuthenticationData(bytes) => self.data = Some(bytes.to_owned()),
                Property::ReasonString(text) => self.reason_string = Some(text.to_owned()),
                Property::User(name, value) => {
                    self.user_properties.push(property::owned(name, value));
                }
                other => return Err(properties.not_allowed(other)),
            }
        }
        Ok(())
    }

    /// Appends the packet to `out`, in the shortest form that says it all;
    /// nothing before MQTT 5, which has no such packet.
    pub fn encode(&self, version: ProtocolVersion, out: &mut Vec<u8>) {
        if !version.is_v5() {
            return;
        }
        writer::packet(out, 0xF0, |out| {
            if self.is_bare_success() {
                return;
            }
            out.push(self.reason.as_u8());
            writer::length_prefixed(out, |out| self.write_properties(out));
        });
    }

    fn write_properties(&self, out: &mut Vec<u8>) {
        if let Some(method) = &self.method {
            Property::AuthenticationMethod(method).write(out);
        }
        if let Some(data) = &self.data {
            Property::AuthenticationData(data).write(out);
        }
        property::write_explanation(out, self.reason_string.as_deref(), &self.user_properties);
    }

    /// Whether the packet without a body says it all.
    fn is_bare_success(&self) -> bool {
        self.reason == ReasonCode::Success
            && self.method.is_none()
            && self.data.is_none()
            && self.reason_string.is_none()
            && self.user_properties.is_empty()
    }
}
