//! What happened on one worker, counted.

use std::collections::BTreeMap;

macro_rules! counters {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// Counts of one shard since it was made. They only grow.
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct Counters {
            $($(#[doc = $doc])* pub $name: u64,)*
            /// Connections closed for breaking the protocol, by the kind of breach.
            pub protocol_errors: BTreeMap<&'static str, u64>,
        }

        impl Counters {
            /// Adds another shard's counts to these.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
                for (kind, count) in &other.protocol_errors {
                    *self.protocol_errors.entry(kind).or_default() += count;
                }
            }

            /// Every count but those by kind, with its name.
            pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }
    };
}

counters! {
    /// CONNECTs answered with success.
    connections_accepted,
    /// CONNECTs answered with a refusal.
    connections_refused,
    /// Clients that rules, or their listener, did not let in.
    authentications_denied,
    /// Connections refused because what rules decide of them did not end.
    authentication_timeouts,
    /// Connections closed because their client id connected again.
    takeovers,
    /// Connections closed because nothing came within the keep-alive time.
    keep_alive_timeouts,
    /// Sessions that ended while their client was away.
    sessions_expired,
    /// Wills published.
    wills_published,
    /// Bytes read from clients.
    bytes_received,
    /// Bytes written to clients.
    bytes_sent,
    /// Packets taken from clients.
    packets_received,
    /// Packets handed to connections for writing.
    packets_sent,
    /// Bytes of payload taken from clients.
    payload_bytes_received,
    /// Bytes of payload handed to connections for writing.
    payload_bytes_sent,
    /// PUBLISH packets taken from clients.
    publishes_received,
    /// PUBLISH packets handed to connections for writing.
    publishes_sent,
    /// Those of them that were sent before.
    publishes_sent_again,
    /// Publishes that a rule refused, dropped or failed, or that named a topic
    /// nobody may publish to.
    publishes_refused,
    /// Publishes and wills that the client was not allowed.
    publishes_denied,
    /// Filters of SUBSCRIBE that were refused by rules, or by the listener.
    subscriptions_denied,
    /// Answers of `client.authorize` rules that were found kept.
    access_kept,
    /// Messages that rules published, or an administrator.
    own_publishes,
    /// Those of them that were dropped: not a topic, one of the broker's own, too
    /// many at once, or too many that follow from one another.
    own_publishes_dropped,
    /// Messages held back under `$delayed`.
    messages_delayed,
    /// Messages not retained because there were too many.
    retained_refused,
    /// Subscriptions for which not all retained messages were sent, because too many
    /// wait for the client, or because a store could not be asked.
    retained_unsent,
    /// QoS 0 deliveries dropped because the client does not read its output.
    dropped_output_full,
    /// Times that what is live for a session had to wait for what its stores have.
    fetch_barriers,
    /// Deliveries dropped because the client's queue was full.
    dropped_queue_full,
    /// QoS 0 deliveries dropped because the client was away.
    dropped_offline,
    /// Messages of shared subscriptions dropped for want of a member.
    dropped_no_member,
    /// Deliveries not made because the message was past its time.
    deliveries_expired,
    /// Deliveries not made because the receiver takes no packet of that size.
    deliveries_too_large,
    /// Deliveries not made because a rule dropped them.
    deliveries_dropped_by_rule,
    /// Acknowledgements of packet identifiers that are not in use.
    acknowledgements_unknown,
    /// Times a client was not read because of a bound.
    reads_paused,
}

impl Counters {
    pub(crate) fn protocol_error(&mut self, kind: &'static str) {
        *self.protocol_errors.entry(kind).or_default() += 1;
    }

    /// Deliveries dropped for want of room, or of a receiver.
    #[must_use]
    pub fn deliveries_dropped(&self) -> u64 {
        self.dropped_output_full
            + self.dropped_queue_full
            + self.dropped_offline
            + self.dropped_no_member
    }
}
