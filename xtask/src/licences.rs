//! Rules for dependencies: each has a licence that `deny.toml` allows.

use crate::House;

pub fn check(house: &House) -> Vec<String> {
    let allowed = allowed(&house.read("deny.toml").unwrap_or_default());
    if allowed.is_empty() {
        return vec!["deny.toml: allows no licence".into()];
    }
    let packages = house.metadata["packages"].as_array().cloned().unwrap_or_default();
    let mut out = vec![];
    for p in &packages {
        let text = |key: &str| p[key].as_str().unwrap_or_default();
        let (name, licence) = (text("name"), text("license"));
        if !permits(licence, &allowed) {
            let said = if licence.is_empty() { "no licence" } else { licence };
            out.push(format!("dependency {name}: {said} is not among those that deny.toml allows"));
        }
    }
    out
}

/// The strings of `allow = [ … ]`.
fn allowed(deny: &str) -> Vec<String> {
    let list = deny.lines().skip_while(|l| !l.starts_with("allow = [")).take_while(|l| !l.starts_with(']'));
    list.flat_map(|l| l.split('"').skip(1).step_by(2)).map(str::to_string).collect()
}

/// Whether an SPDX expression can be met with the allowed licences.
fn permits(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    !words.is_empty() && any_of(&words, &mut at, allowed) && at == words.len()
}

fn any_of(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut met = all_of(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= all_of(words, at, allowed);
    }
    met
}

fn all_of(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut met = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(words, at, allowed);
    }
    met
}

fn one(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let met = any_of(words, at, allowed);
        *at += 1;
        return met;
    }
    let mut name = word.to_string();
    if words.get(*at) == Some(&"WITH") {
        name = format!("{name} WITH {}", words.get(*at + 1).unwrap_or(&""));
        *at += 2;
    }
    allowed.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_met_by_a_choice_and_fail_by_a_duty() {
        let allowed: Vec<String> = ["MIT", "Apache-2.0 WITH LLVM-exception", "Zlib"].map(String::from).into();
        for good in ["MIT", "MIT OR GPL-3.0", "GPL-3.0/MIT", "Zlib AND (GPL-3.0 OR Apache-2.0 WITH LLVM-exception)"] {
            assert!(permits(good, &allowed), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT"] {
            assert!(!permits(bad, &allowed), "{bad}");
        }
    }

    #[test]
    fn the_list_of_deny_toml_is_read() {
        assert_eq!(allowed("[licenses]\nallow = [\n  \"MIT\",\n  \"ISC\",\n]\nother = [\"GPL\"]"), ["MIT", "ISC"]);
    }
}
