//! The one binary: verbs, settings, words.

fn main() {}
