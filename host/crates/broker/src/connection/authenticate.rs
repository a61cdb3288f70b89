//! Authentication: of a CONNECT by what it brings, and MQTT 5's enhanced
//! authentication in steps, section 4.12, which can begin anew while a client
//! is served. Whom no rule knows, its listener lets in or not.

use std::sync::Arc;

use hookwire_mqtt::{Auth, ReasonCode};

use super::arrival::Step;
use super::inbound::Breach;
use super::{CloseReason, ConnectionKey, Farewell, Stage};
use crate::hooks::{
    Authentication, AuthenticationOutcome, AuthenticationStep, Denial, Hook, Hooks, Question,
    Refusal, RuleSet,
};
use crate::shard::Shard;
use crate::time::Now;

/// An enhanced authentication: the method of CONNECT, and whose turn it is.
#[derive(Debug)]
pub(crate) struct EnhancedAuthentication {
    pub(crate) method: Arc<str>,
    turn: Turn,
    /// Number of the question whose answer a client that is served waits for.
    awaits: Option<u64>,
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
            awaits: None,
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
        let is_arriving = connection.stage == Stage::Arriving;
        let rules = self.hooks.match_client(Hook::ClientAuthenticate);
        let question = Question::Authenticate(request);
        if is_arriving {
            return self.ask_arriving(key, rules, question);
        }
        let number = self.ask(key, rules, question);
        let connection = self.connection_mut(key);
        if let Some(enhanced) = connection.and_then(|found| found.authentication.as_mut()) {
            enhanced.awaits = Some(number);
        }
    }

    /// What becomes of a client whom no rule of `client.authenticate` knows. A
    /// method of enhanced authentication that nobody knows is refused.
    pub(super) fn unauthenticated(&mut self, now: Now, key: ConnectionKey) {
        let Some(connection) = self.connection(key) else {
            return;
        };
        let listener = connection.client.connection.as_ref();
        let denies_unknown = listener.is_some_and(|known| known.listener.denies_unknown_clients);
        let (reason, text) = if connection.authentication.is_some() {
            let text = "this server has no such authentication method";
            (ReasonCode::BadAuthenticationMethod, text)
        } else if denies_unknown {
            (ReasonCode::NotAuthorized, "no rule knows this client")
        } else if connection.stage == Stage::Arriving {
            return self.arrive(now, key, Step::Will);
        } else {
            return;
        };
        let text = text.to_owned();
        let denial = Denial {
            refusal: Refusal { reason, text },
            server_reference: None,
        };
        self.deny(now, key, denial);
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
        // The rules that began it may be gone.
        if self.hooks.match_client(Hook::ClientAuthenticate) == RuleSet::NONE {
            return self.unauthenticated(now, key);
        }
        self.submit_authentication(key, step, auth.data);
    }

    /// An answer about a client that is served and authenticates anew, if it is
    /// the one awaited.
    pub(super) fn authenticated_again(
        &mut self,
        now: Now,
        key: ConnectionKey,
        number: u64,
        outcome: AuthenticationOutcome,
    ) {
        let is_awaited = self
            .live(key)
            .and_then(|connection| connection.authentication.as_mut())
            .is_some_and(|enhanced| {
                enhanced
                    .awaits
                    .take_if(|awaits| *awaits == number)
                    .is_some()
            });
        if is_awaited {
            self.authenticated(now, key, outcome);
        }
    }

    pub(super) fn authenticated(
        &mut self,
        now: Now,
        key: ConnectionKey,
        outcome: AuthenticationOutcome,
    ) {
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
                self.arrive(now, key, Step::Will);
            }
            AuthenticationOutcome::Continue { data } => match enhanced {
                Some(enhanced) => {
                    enhanced.turn = Turn::Client;
                    self.send_auth(now, key, ReasonCode::ContinueAuthentication, data);
                }
                None => {
                    let text = "authentication did not end".to_owned();
                    let reason = ReasonCode::NotAuthorized;
                    let denial = Denial {
                        refusal: Refusal { reason, text },
                        server_reference: None,
                    };
                    self.deny(now, key, denial);
                }
            },
            AuthenticationOutcome::Deny(denial) => self.deny(now, key, denial),
            AuthenticationOutcome::Deferred => self.unauthenticated(now, key),
        }
    }

    /// Rules refuse a client.
    pub(super) fn deny(&mut self, now: Now, key: ConnectionKey, denial: Denial) {
        self.counters.authentications_denied += 1;
        let farewell = Farewell {
            server_reference: denial.server_reference,
            ..Farewell::new(denial.refusal.reason, denial.refusal.text)
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
