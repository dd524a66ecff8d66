#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| perennial_fuzz_assertions::check("mosaia_answer", data));
