//! Authentication: of a CONNECT by what it brings, and MQTT 5's enhanced
//! authentication in steps, section 4.12, which can begin anew while a client
//! is served.

use std::sync::Arc;

use hookwire_mqtt::{Auth, ReasonCode};

use super::inbound::Breach;
use super::{CloseReason, ConnectionKey, Farewell, Stage};
use crate::hooks::{
    Answer, Answered, Authentication, AuthenticationOutcome, AuthenticationStep, Denial, Hook,
    Hooks, Question, Refusal,
};
use crate::shard::Shard;
use crate::time::Now;

/// An enhanced authentication: the method of CONNECT, and whose turn it is.
#[derive(Debug)]
pub(crate) struct EnhancedAuthentication {
    pub(crate) method: Arc<str>,
    turn: Turn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// It is over; the client may begin anew.
    Nobody,
    Client,
    Hooks,
}

impl EnhancedAuthentication {
    pub(super) fn begun(method: Arc<str>) -> Self {
        Self {
            method,
            turn: Turn::Hooks,
        }
    }
}

impl<H: Hooks> Shard<H> {
    /// Asks the hooks about one step of a connection.
    pub(super) fn submit_authentication(
        &mut self,
        key: ConnectionKey,
        step: AuthenticationStep,
        data: Option<Vec<u8>>,
    ) {
        let Some(connection) = self.connection_mut(key) else {
            return;
        };
        let mut request = Authentication {
            client: Arc::clone(&connection.client),
            step,
            password: None,
            method: None,
            data,
        };
        if let Some(enhanced) = &mut connection.authentication {
            enhanced.turn = Turn::Hooks;
            request.method = Some(Arc::clone(&enhanced.method));
        }
        if let Some(arrival) = &mut connection.arrival
            && step == AuthenticationStep::Connect
        {
            request.password = arrival.connect.password.take();
            request.data = arrival.connect.authentication_data.take();
        }
        let rules = self.hooks.match_client(Hook::ClientAuthenticate);
        let question = Question::Authenticate(request);
        self.hooks.ask(rules, Self::ticket(key, 0), question);
    }

    /// AUTH of a client.
    pub(super) fn on_auth(&mut self, now: Now, key: ConnectionKey, auth: Auth) {
        let Some(connection) = self.connection(key) else {
            return;
        };
        let breach = |text| Breach {
            kind: "AUTH out of turn",
            reason: ReasonCode::ProtocolError,
            text,
        };
        let Some(enhanced) = &connection.authentication else {
            let breach = breach("CONNECT named no authentication method");
            return self.breach(now, key, &breach);
        };
        if auth.method.as_deref() != Some(&*enhanced.method) {
            let breach = breach("the authentication method is not that of CONNECT");
            return self.breach(now, key, &breach);
        }
        let is_served = connection.stage == Stage::Live;
        let step = match (auth.reason, enhanced.turn) {
            (ReasonCode::ContinueAuthentication, Turn::Client) => AuthenticationStep::Continue,
            (ReasonCode::ReAuthenticate, Turn::Nobody) if is_served => AuthenticationStep::Again,
            _ => return self.breach(now, key, &breach("nothing like it was awaited")),
        };
        self.submit_authentication(key, step, auth.data);
    }

    /// Acts on what the hooks answered since the last call.
    pub(crate) fn take_answers(&mut self, now: Now) {
        let mut answers = std::mem::take(&mut self.answers);
        self.hooks.take_answers(&mut answers);
        for Answered { ticket, answer } in answers.drain(..) {
            if let Answer::Authenticate(outcome) = answer {
                self.authenticated(now, Self::ticket_key(ticket), outcome);
            }
        }
        self.answers = answers;
    }

    fn authenticated(&mut self, now: Now, key: ConnectionKey, outcome: AuthenticationOutcome) {
        let Some(connection) = self
            .connection_mut(key)
            .filter(|connection| connection.is_open())
        else {
            return;
        };
        let is_arriving = connection.stage == Stage::Arriving;
        let enhanced = connection.authentication.as_mut();
        match outcome {
            AuthenticationOutcome::Accept { data } => {
                if let Some(enhanced) = enhanced {
                    enhanced.turn = Turn::Nobody;
                }
                if !is_arriving {
                    return self.send_auth(now, key, ReasonCode::Success, data);
                }
                if let Some(arrival) = &mut connection.arrival {
                    arrival.authentication_data = data;
                }
                self.admit(now, key);
            }
            AuthenticationOutcome::Continue { data } => match enhanced {
                Some(enhanced) => {
                    enhanced.turn = Turn::Client;
                    self.send_auth(now, key, ReasonCode::ContinueAuthentication, data);
                }
                None => {
                    let refusal = Refusal {
                        reason: ReasonCode::NotAuthorized,
                        text: "authentication did not end".to_owned(),
                    };
                    self.deny(now, key, refusal, None);
                }
            },
            AuthenticationOutcome::Deny(Denial {
                refusal,
                server_reference,
            }) => self.deny(now, key, refusal, server_reference),
            AuthenticationOutcome::Deferred => {
                let refusal = Refusal {
                    reason: ReasonCode::NotAuthorized,
                    text: "no rule knows this client".to_owned(),
                };
                self.deny(now, key, refusal, None);
            }
        }
    }

    fn deny(
        &mut self,
        now: Now,
        key: ConnectionKey,
        refusal: Refusal,
        server_reference: Option<String>,
    ) {
        self.counters.authentications_denied += 1;
        let farewell = Farewell {
            server_reference,
            ..Farewell::new(refusal.reason, refusal.text)
        };
        self.close(now, key, CloseReason::Refused, Some(farewell));
    }

    fn send_auth(
        &mut self,
        now: Now,
        key: ConnectionKey,
        reason: ReasonCode,
        data: Option<Vec<u8>>,
    ) {
        let method = self
            .connection(key)
            .and_then(|connection| connection.authentication.as_ref())
            .map(|enhanced| enhanced.method.to_string());
        let auth = Auth {
            reason,
            method,
            data,
            reason_string: None,
            user_properties: Vec::new(),
        };
        let mut packet = Vec::new();
        auth.encode(hookwire_mqtt::ProtocolVersion::V5, &mut packet);
        let takes = self
            .connection(key)
            .map(|connection| connection.maximum_packet_bytes);
        if takes.is_some_and(|bytes| packet.len() > bytes) {
            let text = "the authentication needs larger packets than the client takes";
            let farewell = Farewell::new(ReasonCode::PacketTooLarge, text);
            return self.close(now, key, CloseReason::Refused, Some(farewell));
        }
        self.append_packet(key, |_, out| out.extend_from_slice(&packet));
    }
}
