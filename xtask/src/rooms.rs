//! Rules for the rooms: what each must not know, and that each opens with a sentence.

use crate::House;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Rooms without clock, files, environment, network and chance. Files that may touch them, each for a reason.
const PURE: [&str; 6] = ["gyul-model", "gyul-segment", "gyul-profile", "gyul-timeline", "gyul-ingest", "gyul-report"];
const RIM: [(&str, &str); 3] = [
    ("gyul-ingest/src/source.rs", "opens the file it is given"),
    ("gyul-ingest/src/table.rs", "Parquet seeks in the file it is given"),
    ("gyul-ingest/src/decode.rs", "words for what opening a file can say"),
];
const IMPURE: [&str; 9] =
    ["std::fs", "std::env", "std::net", "std::process", "SystemTime", "time::Instant", "tokio", "rand::", "thread_rng"];
/// The heart builds fast and links no heavy library.
const HEART: [&str; 5] = ["gyul-model", "gyul-segment", "gyul-profile", "gyul-timeline", "gyul-report"];
const HEAVY: [&str; 10] =
    ["arrow", "parquet", "datafusion", "tokio", "hyper", "axum", "clap", "calamine", "zstd", "openssl-sys"];

pub fn check(house: &House) -> Vec<String> {
    let mut out = vec![];
    for path in house.with_ending(".rs") {
        let Some(room) = PURE.iter().find(|r| path.starts_with(&format!("crates/{r}/src/"))) else { continue };
        if RIM.iter().any(|(f, _)| path.ends_with(f)) {
            continue;
        }
        let text = house.read(path).unwrap_or_default();
        let code = text.lines().take_while(|l| !l.starts_with("#[cfg(test)]")).enumerate();
        for (i, line) in code.filter(|(_, l)| !l.trim_start().starts_with("//")) {
            for word in IMPURE.iter().filter(|w| line.contains(**w)) {
                out.push(format!("{path}:{}: {room} is pure: `{word}` has no place in it", i + 1));
            }
        }
    }
    let graph = Graph::new(&house.metadata);
    for room in HEART {
        for heavy in graph.reached_from(room).iter().filter(|d| is_heavy(d)) {
            out.push(format!("{room} reaches the heavy `{heavy}`: see `cargo tree -p {room} -i {heavy}`"));
        }
    }
    for room in graph.members.keys() {
        let front = ["lib.rs", "main.rs"].map(|f| format!("crates/{room}/src/{f}"));
        let front = if room == "xtask" { ["xtask/src/main.rs".into(), String::new()] } else { front };
        let doors = front.iter().filter_map(|f| house.read(f));
        if !doors.into_iter().any(|t| t.starts_with("//!")) {
            out.push(format!("{room}: lib.rs or main.rs opens with a sentence after `//!`"));
        }
    }
    out
}

fn is_heavy(name: &str) -> bool {
    HEAVY.iter().any(|h| name == *h || name.starts_with(&format!("{h}-")))
}

/// Who depends on whom, tests aside.
struct Graph {
    /// Package id by name, for the workspace's own.
    members: BTreeMap<String, String>,
    names: BTreeMap<String, String>,
    edges: BTreeMap<String, Vec<String>>,
}

impl Graph {
    fn new(metadata: &Value) -> Graph {
        let text = |v: &Value| v.as_str().unwrap_or_default().to_string();
        let list = |v: &Value| v.as_array().cloned().unwrap_or_default();
        let own: BTreeSet<String> = list(&metadata["workspace_members"]).iter().map(text).collect();
        let packages = list(&metadata["packages"]);
        let names: BTreeMap<_, _> = packages.iter().map(|p| (text(&p["id"]), text(&p["name"]))).collect();
        let members = names.iter().filter(|(id, _)| own.contains(*id)).map(|(id, n)| (n.clone(), id.clone())).collect();
        let normal = |dep: &Value| list(&dep["dep_kinds"]).iter().any(|k| k["kind"].is_null());
        let edges = list(&metadata["resolve"]["nodes"])
            .iter()
            .map(|n| {
                let deps = list(&n["deps"]);
                (text(&n["id"]), deps.iter().filter(|d| normal(d)).map(|d| text(&d["pkg"])).collect())
            })
            .collect();
        Graph { members, names, edges }
    }

    /// Names of all packages that a member needs in use.
    fn reached_from(&self, member: &str) -> BTreeSet<&str> {
        let mut seen = BTreeSet::new();
        let mut todo: Vec<&String> = self.members.get(member).into_iter().collect();
        while let Some(id) = todo.pop() {
            if seen.insert(id) {
                todo.extend(self.edges.get(id).into_iter().flatten());
            }
        }
        seen.into_iter().filter_map(|id| self.names.get(id).map(String::as_str)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heavy_libraries_are_found_through_others_but_not_through_tests() {
        let metadata = r#"{
            "workspace_members": ["w#a"],
            "packages": [{"id": "w#a", "name": "a"}, {"id": "b", "name": "b"}, {"id": "c", "name": "arrow-array"}, {"id": "d", "name": "clap"}],
            "resolve": {"nodes": [
                {"id": "w#a", "deps": [{"pkg": "b", "dep_kinds": [{"kind": null}]}, {"pkg": "d", "dep_kinds": [{"kind": "dev"}]}]},
                {"id": "b", "deps": [{"pkg": "c", "dep_kinds": [{"kind": null}]}]}
            ]}
        }"#;
        let graph = Graph::new(&serde_json::from_str(metadata).unwrap());
        let heavy: Vec<_> = graph.reached_from("a").into_iter().filter(|n| is_heavy(n)).collect();
        assert_eq!(heavy, ["arrow-array"]);
    }
}
