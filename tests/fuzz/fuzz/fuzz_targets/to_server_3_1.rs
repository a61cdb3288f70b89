#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hookwire_fuzz::to_server_3_1(data));
