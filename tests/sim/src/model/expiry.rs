//! Message expiry: the time that a message waited at the server is between two
//! bounds, and so is what may be left of its interval.

use super::Model;
use super::message::Origin;
use super::rule::Rule;
use super::state::MessageNo;
use crate::history::ConnectionNo;
use crate::packet::Publish;
use crate::tally::Count;

impl Model {
    pub(super) fn check_expiry(
        &mut self,
        no: ConnectionNo,
        publish: &Publish,
        number: MessageNo,
        is_again: bool,
    ) {
        let Some(message) = self.messages.get(&number) else {
            return;
        };
        let Some(whole_s) = message.expiry_s.map(u64::from) else {
            return;
        };
        let connection = &self.connections[no];
        // What was written before that was received before that.
        let written_ms = connection.drained_ms.max(connection.opened.ms);
        let taken_ms = match message.origin {
            Origin::Delayed { .. } => None,
            Origin::Publish | Origin::Will(_) => message.taken_by_ms,
        };
        let least_ms = taken_ms.map_or(0, |taken_ms| written_ms.saturating_sub(taken_ms));
        let most_ms = self.now.ms - message.sent.ms.min(self.now.ms);
        // What was begun to be delivered in time may be sent again later.
        if least_ms >= whole_s * 1_000 && !is_again && !publish.dup {
            self.violate(Rule::Expired, || {
                format!("#{no}: {publish}, {least_ms} ms after it came with {whole_s} s to live")
            });
            return;
        }
        let Some(left_s) = publish.expiry_s.map(u64::from) else {
            return;
        };
        // For what is sent again after its time there is no number; 1 is usual.
        let most_s = whole_s
            .saturating_sub(least_ms / 1_000)
            .max(u64::from(is_again || publish.dup));
        let least_s = whole_s.saturating_sub(most_ms.div_ceil(1_000));
        if left_s < whole_s {
            self.count(Count::DeliveryShortened);
        }
        if !(least_s..=most_s).contains(&left_s) {
            self.violate(Rule::ExpiryInterval, || {
                format!("#{no}: {publish}, where {least_s} to {most_s} s are left of {whole_s}")
            });
        }
    }
}
