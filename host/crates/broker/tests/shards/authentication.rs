//! Authentication: by password, and enhanced, MQTT 5 section 4.12.

use hookwire_broker::{AuthenticationOutcome, AuthenticationStep, Denial};
use hookwire_mqtt::Auth;

use super::*;

fn enhanced(id: &str, data: &str) -> Connect {
    let mut connect = Connect::new(V5, id);
    connect.authentication_method = Some("SCRAM".to_owned());
    connect.authentication_data = Some(data.as_bytes().to_vec());
    connect
}

fn auth(reason: ReasonCode, method: &str, data: &str) -> Packet<'static> {
    Packet::Auth(Box::new(Auth {
        reason,
        method: Some(method.to_owned()),
        data: Some(data.as_bytes().to_vec()),
        reason_string: None,
        user_properties: Vec::new(),
    }))
}

fn data(text: &str) -> Option<Vec<u8>> {
    Some(text.as_bytes().to_vec())
}

fn with_scram() -> World {
    let world = World::new(2);
    world.script.borrow_mut().method = Some("SCRAM");
    world
}

fn asked(world: &World) -> (AuthenticationStep, Option<Vec<u8>>) {
    let script = world.script.borrow();
    let (_, _, request) = script.authentications.front().unwrap();
    (request.step, request.data.clone())
}

#[test]
fn an_exchange_of_several_steps_ends_in_connack_with_method_and_data() {
    let mut world = with_scram();
    let client = world.connect_with(enhanced("client", "first"));
    assert!(world.got(client).is_empty());
    assert_eq!(asked(&world), (AuthenticationStep::Connect, data("first")));
    world.authenticate(AuthenticationOutcome::Continue {
        data: data("challenge"),
    });
    assert_eq!(
        world.got(client),
        [other("AUTH ContinueAuthentication SCRAM challenge")]
    );
    world.send(
        client,
        auth(ReasonCode::ContinueAuthentication, "SCRAM", "proof"),
    );
    assert_eq!(asked(&world), (AuthenticationStep::Continue, data("proof")));
    world.authenticate(AuthenticationOutcome::Accept {
        data: data("verified"),
    });
    assert_eq!(world.got(client), [other("CONNACK Success SCRAM verified")]);
}

#[test]
fn a_served_client_authenticates_anew_and_goes_on() {
    let mut world = with_scram();
    let client = world.connect_with(enhanced("client", "first"));
    world.authenticate(AuthenticationOutcome::Accept { data: None });
    world.got(client);
    world.send(client, auth(ReasonCode::ReAuthenticate, "SCRAM", "again"));
    assert_eq!(asked(&world), (AuthenticationStep::Again, data("again")));
    // It is served while it does.
    world.send(client, Packet::PingReq);
    world.authenticate(AuthenticationOutcome::Continue { data: data("c") });
    world.send(
        client,
        auth(ReasonCode::ContinueAuthentication, "SCRAM", "p"),
    );
    world.authenticate(AuthenticationOutcome::Accept { data: data("v") });
    let expected = [
        other("PINGRESP"),
        other("AUTH ContinueAuthentication SCRAM c"),
        other("AUTH Success SCRAM v"),
    ];
    assert_eq!(world.got(client), expected);
    // And may do so once more; a refusal ends the connection.
    world.send(client, auth(ReasonCode::ReAuthenticate, "SCRAM", "again"));
    world.authenticate(deny(ReasonCode::NotAuthorized));
    assert_eq!(world.got(client), [other("DISCONNECT NotAuthorized")]);
    world.assert_empty();
}

fn deny(reason: ReasonCode) -> AuthenticationOutcome {
    AuthenticationOutcome::Deny(Denial {
        refusal: Refusal {
            reason,
            text: "no".to_owned(),
        },
        server_reference: Some("other.example".to_owned()),
    })
}

#[test]
fn a_refusal_before_connack_is_told_in_connack_as_the_version_can() {
    let cases = [
        (
            V5,
            ReasonCode::BadUserNameOrPassword,
            "CONNACK BadUserNameOrPassword",
        ),
        (V5, ReasonCode::UseAnotherServer, "CONNACK UseAnotherServer"),
        (
            V311,
            ReasonCode::BadUserNameOrPassword,
            "CONNACK BadUserNameOrPassword",
        ),
        (V311, ReasonCode::Banned, "CONNACK NotAuthorized"),
    ];
    for (version, reason, expected) in cases {
        let mut world = World::new(1);
        world.script.borrow_mut().wants_passwords = true;
        let mut connect = Connect::new(version, "client");
        connect.username = Some("user".to_owned());
        connect.password = Some(b"secret".to_vec());
        let client = world.connect_with(connect);
        let password = {
            let script = world.script.borrow();
            script.authentications[0].2.password.clone()
        };
        assert_eq!(password, data("secret"));
        world.authenticate(deny(reason));
        assert_eq!(world.got(client), [other(expected)], "{version}");
        assert!(world.clients[client].closed);
        world.assert_empty();
    }
}

#[test]
fn packets_behind_connect_wait_for_an_ordinary_authentication() {
    let mut world = World::new(1);
    world.script.borrow_mut().wants_passwords = true;
    let client = world.connect_with(Connect::new(V5, "client"));
    assert_eq!(world.send(client, Packet::PingReq), Flow::Later);
    assert!(world.clients[client].paused);
    world.authenticate(AuthenticationOutcome::Accept { data: None });
    assert!(!world.clients[client].paused);
    assert_eq!(world.got(client), [other("CONNACK Success")]);
    assert_eq!(world.send(client, Packet::PingReq), Flow::Continue);
}

#[test]
fn only_auth_and_disconnect_may_come_during_an_enhanced_authentication() {
    let mut world = with_scram();
    let client = world.connect_with(enhanced("client", "first"));
    assert_eq!(world.send(client, Packet::PingReq), Flow::Close);
    assert_eq!(world.got(client), [other("CONNACK ProtocolError")]);
    let second = world.connect_with(enhanced("second", "first"));
    assert_eq!(
        world.send(second, Packet::Disconnect(Disconnect::default())),
        Flow::Close
    );
    assert!(world.got(second).is_empty());
    world.assert_empty();
}

#[test]
fn auth_out_of_turn_or_of_another_method_is_a_protocol_error() {
    use ReasonCode::{ContinueAuthentication, ReAuthenticate, Success};
    let cases = [
        auth(ContinueAuthentication, "SCRAM", "not awaited"),
        auth(ReAuthenticate, "OTHER", "not the method"),
        auth(Success, "SCRAM", "only a server says it"),
    ];
    for packet in cases {
        let mut world = with_scram();
        let client = world.connect_with(enhanced("client", "first"));
        world.authenticate(AuthenticationOutcome::Accept { data: None });
        world.got(client);
        assert_eq!(world.send(client, packet), Flow::Close);
        assert_eq!(world.got(client), [other("DISCONNECT ProtocolError")]);
    }
    // Without a method in CONNECT there is none.
    let mut world = World::new(1);
    let client = world.connect(V5, "client");
    world.send(client, auth(ReAuthenticate, "SCRAM", ""));
    assert_eq!(world.got(client), [other("DISCONNECT ProtocolError")]);
}

#[test]
fn an_unknown_method_is_refused_and_one_that_does_not_end_given_up() {
    let mut world = World::new(1);
    let client = world.connect_with(enhanced("client", "first"));
    assert_eq!(
        world.got(client),
        [other("CONNACK BadAuthenticationMethod")]
    );

    let mut world = with_scram();
    let client = world.connect_with(enhanced("client", "first"));
    world.advance_ms(9_000);
    assert!(world.got(client).is_empty());
    world.advance_ms(2_000);
    assert_eq!(world.got(client), [other("CONNACK ServerBusy")]);
    assert_eq!(world.counters().authentication_timeouts, 1);
    // The late answer is for nobody.
    world.authenticate(AuthenticationOutcome::Accept { data: None });
    world.assert_empty();
}

#[test]
fn nobody_is_taken_over_before_the_newcomer_is_known() {
    let mut world = World::new(2);
    let first = world.connect(V5, "same");
    world.script.borrow_mut().wants_passwords = true;
    let impostor = world.connect_with(Connect::new(V5, "same"));
    world.authenticate(deny(ReasonCode::BadUserNameOrPassword));
    assert!(world.clients[impostor].closed && !world.clients[first].closed);
    let second = world.connect_with(Connect::new(V5, "same"));
    world.authenticate(AuthenticationOutcome::Accept { data: None });
    assert_eq!(world.got(first), [other("DISCONNECT SessionTakenOver")]);
    assert_eq!(world.got(second), [other("CONNACK Success")]);
}

#[test]
fn no_auth_is_larger_than_its_client_takes() {
    // AUTH says nothing but method and data, so there is nothing to leave out
    // [MQTT-3.15.2-2] [MQTT-3.15.2-3].
    let mut world = with_scram();
    let mut connect = enhanced("client", "first");
    connect.maximum_packet_bytes = Some(30);
    let client = world.connect_with(connect);
    world.authenticate(AuthenticationOutcome::Continue { data: data("c") });
    assert!(world.received_bytes(client) <= 30);
    assert_eq!(
        world.got(client),
        [other("AUTH ContinueAuthentication SCRAM c")]
    );
    // What cannot be said in a packet that small ends the authentication.
    world.send(
        client,
        auth(ReasonCode::ContinueAuthentication, "SCRAM", "proof"),
    );
    world.authenticate(AuthenticationOutcome::Continue {
        data: data("a challenge that is longer than that"),
    });
    assert!(world.clients[client].closed);
    assert_eq!(world.got(client), [other("CONNACK PacketTooLarge")]);
}
