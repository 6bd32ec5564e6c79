//! Measures; run by `cargo test --release -p gyul-profile --test speed -- --ignored --nocapture`.

use gyul_model::{IdKind, Identifier, Instant};
use gyul_profile::{Identities, Rules, Said};
use std::hint::black_box;
use std::time::{Duration, Instant as Clock};

const CUSTOMERS: usize = 1_000_000;

fn measure<T>(what: &str, times: usize, f: impl FnOnce() -> T) -> T {
    let start = Clock::now();
    let out = f();
    let spent = start.elapsed();
    println!("{what:46} {:8.1} ms {:7.0} ns each", spent.as_secs_f64() * 1e3, spent.as_nanos() as f64 / times as f64);
    out
}

/// Visits every number once, far from its neighbours.
fn scattered() -> impl Iterator<Item = usize> {
    (0..CUSTOMERS).map(|i| (i * 611_953) % CUSTOMERS)
}

#[test]
#[ignore = "a measurement"]
fn a_million_customers() {
    let said = |seq: usize, verified| Said { seq: seq as u64, at: Instant(seq as i64 * 1_000), verified };
    let user = |i: usize| Identifier::new(IdKind::User, format!("C{i:07}"));
    let visitor = |i: usize| Identifier::new(IdKind::Anonymous, format!("{i:08x}-aaaa-4bbb-8ccc-{i:012x}"));
    let email = |i: usize| Identifier::new(IdKind::Email, format!("customer{i}@mail{}.kr", i % 97));
    let mut ids = Identities::with_seed(Rules::default(), 42);
    let base: Vec<String> = (0..CUSTOMERS).map(|i| user(i).value).collect();
    measure("register a base of 1M customers", CUSTOMERS, || {
        for id in &base {
            ids.register(id);
        }
    });
    drop(base);
    println!("{} bytes a handle", ids.bytes() / ids.len());
    // Messages come in batches, just decoded: only what is asked of the identities is measured.
    let see = |ids: &mut Identities, what: &str, verified: bool, who: &dyn Fn(usize) -> Vec<Identifier>| {
        let mut spent = vec![];
        let all: Vec<usize> = scattered().collect();
        for batch in all.chunks(1_000) {
            let batch: Vec<_> = batch.iter().map(|i| (*i, who(*i))).collect();
            let start = Clock::now();
            for (i, who) in &batch {
                black_box(ids.see(who, said(*i, verified)).is_ok());
            }
            spent.push(start.elapsed());
        }
        // The median says what it costs, whatever else the machine does.
        spent.sort();
        let (median, sum) = (spent[spent.len() / 2], spent.iter().sum::<Duration>());
        println!("{what:46} {:8.1} ms {:7} ns each (median)", sum.as_secs_f64() * 1e3, median.as_nanos() / 1_000);
    };
    see(&mut ids, "see a known user", false, &|i| vec![user(i)]);
    see(&mut ids, "see a user of a thousand, again and again", false, &|i| vec![user(i % 1_000)]);
    see(&mut ids, "see a visitor sign in (a new name, a merge)", false, &|i| vec![user(i), visitor(i)]);
    see(&mut ids, "see the same again (known and linked)", false, &|i| vec![user(i), visitor(i)]);
    see(&mut ids, "see the same of a thousand, again and again", false, &|i| vec![user(i % 1_000), visitor(i % 1_000)]);
    see(&mut ids, "see an unverified e-mail (left out)", false, &|i| vec![user(i), email(i)]);
    see(&mut ids, "see a verified e-mail (a new name, a merge)", true, &|i| vec![user(i), email(i)]);
    see(&mut ids, "see the same again", true, &|i| vec![user(i), email(i)]);
    println!("{ids:?}, {} bytes a handle", ids.bytes() / ids.len());
    let saved = measure("save", ids.len(), || ids.save());
    println!("{} bytes a handle on disk", saved.len() / ids.len());
    let loaded = measure("load", ids.len(), || Identities::load(&saved, Rules::default()));
    assert_eq!(loaded.map(|l| l.save()), Ok(saved));
    see(&mut ids, "see one device with everybody (refused)", false, &|i| vec![user(i), visitor(0)]);
    see(&mut ids, "see the same again (refused as before)", false, &|i| vec![user(i), visitor(0)]);
}
