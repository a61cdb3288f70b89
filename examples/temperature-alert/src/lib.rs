//! Example module `temperature-alert`: checks the readings of devices, raises an
//! alert when one is too hot, and keeps the last value of each device in a
//! table. README.md beside this folder tells how it is written, step by step.

mod check;
mod last_value;
mod reading;

use check::check_reading;
use last_value::keep_last_value;

hookwire_sdk::module! {
    name: "temperature-alert",
    actions: [check_reading, keep_last_value],
}
