#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hookwire_fuzz::to_client_3_1_1(data));
