//! Whether a delivery is as subscriptions say that it has to be: its QoS, its
//! retain flag, its subscription identifiers.

use hookwire_mqtt::QoS;

use crate::model::lower;
use crate::model::message::{Message, Origin};
use crate::model::rule::Rule;
use crate::model::state::{ClientNo, Version};
use crate::packet::Publish;

/// The session's own subscriptions that match a message, taken together: one
/// delivery is for all of them.
#[derive(Debug)]
pub(super) struct Own {
    may_exist: bool,
    is_of_itself: bool,
    /// The QoS granted is between these.
    least: QoS,
    most: QoS,
    may_keep_flag: bool,
    may_clear_flag: bool,
    certain: Vec<u32>,
    possible: Vec<u32>,
}

impl Default for Own {
    fn default() -> Self {
        Self {
            may_exist: false,
            is_of_itself: false,
            least: QoS::AtMostOnce,
            most: QoS::AtMostOnce,
            may_keep_flag: false,
            may_clear_flag: false,
            certain: Vec::new(),
            possible: Vec::new(),
        }
    }
}

impl Own {
    pub(super) fn add(
        &mut self,
        version: &Version,
        client: ClientNo,
        message: &Message,
        is_certain: bool,
    ) {
        if version.no_local && message.publisher == Some(client) {
            self.is_of_itself = true;
            // Whose message a will is, the standard does not say.
            if !matches!(message.origin, Origin::Will(_)) {
                return;
            }
        }
        self.may_exist = true;
        self.most = self.most.max(version.qos);
        self.may_keep_flag |= version.retain_as_published;
        self.may_clear_flag |= !version.retain_as_published;
        self.possible.extend(version.identifier);
        if is_certain && !(version.no_local && self.is_of_itself) {
            self.least = self.least.max(version.qos);
            self.certain.extend(version.identifier);
        }
    }

    pub(super) fn fits(&self, publish: &Publish, message: &Message) -> Result<(), Rule> {
        if !self.may_exist {
            return Err(if self.is_of_itself {
                Rule::NoLocal
            } else {
                Rule::NoSubscription
            });
        }
        let (least, most) = (
            lower(message.qos, self.least),
            lower(message.qos, self.most),
        );
        if !(least..=most).contains(&publish.qos) {
            return Err(Rule::QosGranted);
        }
        let flag_is_right = if publish.retain {
            message.retain && self.may_keep_flag
        } else {
            !message.retain || self.may_clear_flag
        };
        if !flag_is_right {
            return Err(Rule::RetainFlag);
        }
        let count = |list: &[u32], wanted: u32| list.iter().filter(|id| **id == wanted).count();
        let got = &publish.identifiers;
        let none_is_missing = self
            .certain
            .iter()
            .all(|id| count(got, *id) >= count(&self.certain, *id));
        let none_is_extra = got
            .iter()
            .all(|id| count(got, *id) <= count(&self.possible, *id));
        if none_is_missing && none_is_extra {
            Ok(())
        } else {
            Err(Rule::Identifiers)
        }
    }
}

/// Whether a delivery is as one for this shared subscription alone has to be.
pub(super) fn fits_alone(
    version: &Version,
    publish: &Publish,
    message: &Message,
) -> Result<(), Rule> {
    if message.is_empty() {
        return Ok(());
    }
    if publish.qos != lower(message.qos, version.qos) {
        return Err(Rule::QosGranted);
    }
    if publish.retain != (message.retain && version.retain_as_published) {
        return Err(Rule::RetainFlag);
    }
    if publish.identifiers != Vec::from_iter(version.identifier) {
        return Err(Rule::Identifiers);
    }
    Ok(())
}
