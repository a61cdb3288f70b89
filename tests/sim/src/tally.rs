//! Counts of what happened in a run: the mix of operations, and what came of it.

macro_rules! counts {
    ($($count:ident, $name:literal;)*) => {
        /// Something that is counted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each has its name")]
        pub enum Count { $($count,)* }

        impl Count {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$count,)*];

            /// What the table calls it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$count => $name,)* }
            }
        }
    };
}

counts! {
    Connect31, "CONNECT 3.1";
    Connect311, "CONNECT 3.1.1";
    Connect5, "CONNECT 5.0";
    Refused, "CONNECT refused";
    TakeOver, "take-over";
    Resumed, "session resumed";
    Subscribe, "SUBSCRIBE";
    SubscribeShared, "SUBSCRIBE shared";
    Unsubscribe, "UNSUBSCRIBE";
    Publish0, "PUBLISH QoS 0";
    Publish1, "PUBLISH QoS 1";
    Publish2, "PUBLISH QoS 2";
    PublishAgain, "PUBLISH sent again";
    PublishRetained, "PUBLISH retained";
    PublishEmpty, "PUBLISH empty, retained";
    PublishDelayed, "PUBLISH delayed";
    PublishExpiring, "PUBLISH with expiry";
    PublishByAlias, "PUBLISH by alias";
    PublishToRules, "PUBLISH to rules";
    Acknowledgement, "acknowledgement";
    NegativeAcknowledgement, "acknowledgement, negative";
    PubRelAgain, "PUBREL sent again";
    Ping, "PINGREQ";
    Authentication, "AUTH";
    Disconnect, "DISCONNECT";
    DisconnectWithWill, "DISCONNECT with will";
    Breach, "breach of the protocol";
    Drop, "connection dropped";
    DropUnread, "connection dropped, output unread";
    Stall, "client stops reading";
    ReadSome, "some bytes read";
    SendSome, "some bytes sent";
    Mail, "mail carried";
    VerdictPasses, "verdict: proceed";
    VerdictReplaces, "verdict: replace";
    VerdictDrops, "verdict: drop";
    VerdictDenies, "verdict: deny";
    VerdictFails, "verdict: failed";
    VerdictDisconnects, "verdict: disconnect";
    Answered, "other question answered";
    RoomGone, "rules without room";
    TimeStep, "time step";
    TimeJump, "time jump";
    WallClockSet, "wall clock set";
    Rest, "network at rest";
    Nothing, "nothing to do";
    Delivery0, "delivered QoS 0";
    Delivery1, "delivered QoS 1";
    Delivery2, "delivered QoS 2";
    DeliveryAgain, "delivered again";
    DeliveryRetained, "delivered retained";
    DeliveryShared, "delivered shared";
    DeliveryWill, "delivered will";
    DeliveryDelayed, "delivered delayed";
    DeliveryByAlias, "delivered by alias";
    DeliveryShortened, "delivered with a shorter expiry";
    WillCancelled, "will cancelled in time";
    ExpiredUndelivered, "expired undelivered";
    QueueOverflow, "queue overflow";
    TooLargeForClient, "too large for the client";
    KeepAliveTimeout, "keep-alive ran out";
    SessionExpired, "session expired";
    ClosedByServer, "closed by the server";
}

/// How often each [`Count`] was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    counts: Vec<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            counts: vec![0; Count::ALL.len()],
        }
    }
}

impl Tally {
    /// One more.
    pub fn add(&mut self, count: Count) {
        self.add_many(count, 1);
    }

    /// So many more.
    pub fn add_many(&mut self, count: Count, more: u64) {
        self.counts[count as usize] += more;
    }

    /// How often.
    #[must_use]
    pub fn get(&self, count: Count) -> u64 {
        self.counts[count as usize]
    }

    /// Adds another run's counts to these.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
    }
}
