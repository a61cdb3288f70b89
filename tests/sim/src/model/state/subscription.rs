//! A subscription, version by version.

use hookwire_mqtt::{QoS, RetainHandling};

use super::MessageNo;
use crate::model::topics::FilterNo;

/// One version of a subscription: from one SUBSCRIBE to the next, or to
/// UNSUBSCRIBE.
#[derive(Debug)]
pub(crate) struct Version {
    /// Unique within the run.
    pub(crate) number: u64,
    pub(crate) filter: FilterNo,
    pub(crate) is_shared: bool,
    /// Requested, then granted.
    pub(crate) qos: QoS,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) retain_handling: RetainHandling,
    pub(crate) identifier: Option<u32>,
    /// SUBSCRIBE was sent.
    pub(crate) from: u64,
    /// SUBACK was received.
    pub(crate) acknowledged: Option<u64>,
    /// What may end it was sent.
    pub(crate) ending: Option<u64>,
    /// It has ended.
    pub(crate) until: Option<u64>,
    /// Whether there was surely, or may have been, a subscription before it.
    pub(crate) is_surely_new: bool,
    pub(crate) is_surely_known: bool,
    /// Retained messages that it may be sent; None until SUBACK.
    pub(crate) retained: Option<Vec<MessageNo>>,
}

impl Version {
    /// Whether it may have been there at some time in between.
    pub(crate) fn may_exist(&self, from: u64, to: u64) -> bool {
        self.from < to && self.until.is_none_or(|until| until > from)
    }

    /// Whether it was there all the time in between.
    pub(crate) fn surely_exists(&self, from: u64, to: u64) -> bool {
        self.acknowledged
            .is_some_and(|acknowledged| acknowledged < from)
            && self.ending.is_none_or(|ending| ending > to)
    }
}
