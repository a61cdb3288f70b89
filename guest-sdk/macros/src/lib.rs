//! The attribute macro of hookwire-sdk.
