#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| opencode_fuzz::responses(data));
