//! Host bindings of wit/, and conversions to broker and driver types.
