//! The rules that every history is held against.

macro_rules! rules {
    ($($rule:ident, $name:literal, $statement:literal;)*) => {
        /// One rule; [`Rule::statement`] says it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "each has its statement")]
        pub enum Rule { $($rule,)* }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$rule,)*];

            /// A short name, the same for ever.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$rule => $name,)* }
            }

            /// What has to hold.
            #[must_use]
            pub fn statement(self) -> &'static str {
                match self { $(Self::$rule => $statement,)* }
            }
        }
    };
}

rules! {
    // Connections
    Undecodable, "undecodable", "what the server writes can be decoded in the client's version";
    TooLarge, "too-large", "no packet is above the client's maximum packet size [MQTT-3.1.2-24]";
    FirstPacket, "first-packet", "CONNACK comes first, once [MQTT-3.2.0-1] [MQTT-3.2.0-2]";
    PacketKind, "packet-kind", "a server sends what a server of that version may send, and nothing behind DISCONNECT";
    Explained, "explained", "no reason string or user property where the client wants none [MQTT-3.1.2-29]";
    RefusedWithoutCause, "refused-without-cause", "a CONNECT that breaks nothing is accepted";
    AssignedClientId, "assigned-client-id", "an MQTT 5 client without an id, and no other, is assigned one [MQTT-3.2.2-16]";
    SessionPresent, "session-present", "Session Present says whether there is a session [MQTT-3.2.2-2] [MQTT-3.2.2-3]";
    ClosedWithoutCause, "closed-without-cause", "the server closes no connection without a cause; a client that talks is not silent";
    NotClosed, "not-closed", "what has to end ends: after DISCONNECT, a breach, a take-over, a refusal";
    KeepAlive, "keep-alive", "a silent client is closed after one and a half times the keep-alive [MQTT-3.1.2-22]";
    Authentication, "authentication", "AUTH is sent within an enhanced authentication only, with its method [MQTT-4.12.0-5]";

    // Answers
    NotAnswered, "not-answered", "every packet that needs an answer gets it";
    AnswersNothing, "answers-nothing", "no acknowledgement for what was not sent";
    AckOrder, "ack-order", "PUBACK and PUBREC come in the order of the publishes [MQTT-4.6.0-2] [MQTT-4.6.0-3]";
    AckBeforeVerdict, "ack-before-verdict", "nothing is acknowledged before the rules answered";
    AckOutcome, "ack-outcome", "an acknowledgement says what the rules said";
    SubAckCodes, "suback-codes", "SUBACK has a code for each filter, in order, and grants no more than was asked for [MQTT-3.8.4-6]";
    UnsubAckCodes, "unsuback-codes", "UNSUBACK has a code for each filter that says whether there was a subscription";

    // What is delivered
    Invented, "invented", "what is delivered was published";
    Changed, "changed", "topic, payload and properties are as published [MQTT-3.3.2-17] [MQTT-3.3.2-20]";
    Refused, "refused", "what the rules refused, or have not decided, is not delivered";
    NoSubscription, "no-subscription", "a delivery matches a subscription of the session";
    NoLocal, "no-local", "a client that wants none gets no message of its own [MQTT-3.8.3-3]";
    QosGranted, "qos", "the QoS is the lower of that published and the highest granted [MQTT-3.8.4-8]";
    RetainFlag, "retain-flag", "the retain flag is as the subscription asked for [MQTT-3.3.1-8] [MQTT-3.3.1-12] [MQTT-3.3.1-13]";
    Identifiers, "identifiers", "the subscription identifiers are those of the subscriptions that match [MQTT-3.3.4-3]";
    Twice, "twice", "a session gets a message once for each time it was published";
    SharedTwice, "shared-twice", "one member of a shared subscription gets a message, and another only when its session ended";
    Order, "order", "messages of a publisher on a topic with a QoS arrive in the order published [MQTT-4.6.0-6]";
    Expired, "expired", "no message is delivered after its time [MQTT-3.3.2-5]";
    ExpiryInterval, "expiry-interval", "the expiry interval is shortened by the time waited [MQTT-3.3.2-6]";
    Alias, "alias", "the server's topic aliases are within the client's maximum and known [MQTT-3.1.2-26]";
    Early, "early", "wills and delayed messages come after their delay";
    WillUncalled, "will-uncalled", "a will is published only when its connection was lost, and not when the session was resumed before its delay [MQTT-3.1.3-9]";

    // What has to be delivered
    Lost, "lost", "an acknowledged message reaches every session that was subscribed";
    SharedLost, "shared-lost", "an acknowledged message reaches a member of every shared subscription";
    WillLost, "will-lost", "the will of a lost client is published [MQTT-3.1.2-8]";

    // Windows and sending again
    IdInUse, "id-in-use", "no packet identifier is used for two messages at once [MQTT-2.2.1-4]";
    Window, "window", "no more unacknowledged messages than the client and the server allow [MQTT-3.3.4-9]";
    DupMissing, "dup-missing", "what is sent again has DUP [MQTT-3.3.1-1]";
    DupUnexpected, "dup-unexpected", "what is sent for the first time has no DUP [MQTT-3.3.1-2]";
    SentAgain, "sent-again", "nothing is sent again but on a new connection [MQTT-4.4.0-1]";
    Qos2Twice, "qos2-twice", "a QoS 2 message that the client has is not sent again [MQTT-4.3.3-6]";
    ResendFirst, "resend-first", "on a new connection the unacknowledged comes first, in order [MQTT-4.6.0-1]";
    NotResent, "not-resent", "on a new connection the unacknowledged comes again, PUBREL too [MQTT-4.4.0-1]";
    PubRelUnexpected, "pubrel-unexpected", "PUBREL follows PUBREC, once a connection [MQTT-4.3.3-4]";
    PubRelOrder, "pubrel-order", "PUBRELs come in the order of the PUBRECs [MQTT-4.6.0-4]";

    // Retained messages
    RetainedStale, "retained-stale", "a subscription gets the retained message that is current [MQTT-3.3.1-5] [MQTT-3.3.1-6]";
    RetainedUnasked, "retained-unasked", "retained messages come only as retain handling says [MQTT-3.3.1-10] [MQTT-3.3.1-11]";
    RetainedTwice, "retained-twice", "a subscription gets a retained message once";
    RetainedLost, "retained-lost", "a subscription gets every retained message that matches [MQTT-3.3.1-9]";

    // What the shards say of themselves, not a matter of packets
    Leak, "leak", "nothing is left when all clients are gone and all sessions ended";
}
