#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| perennial_fuzz_assertions::check("provider_answers", data));
