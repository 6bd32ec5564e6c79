//! Any text as a mapping and as a tracking plan. What is read is written and read again as the same.
#![no_main]

use gyul_ingest::Mapping;
use gyul_ingest::plan::Plan;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(mapping) = Mapping::from_yaml(text) {
        let again = Mapping::from_yaml(&mapping.to_yaml()).unwrap_or_else(|e| panic!("{e:?}\n{}", mapping.to_yaml()));
        assert_eq!(again, mapping);
    }
    if let Err(problems) = Plan::from_yaml(text) {
        assert!(!problems.is_empty());
    }
});
