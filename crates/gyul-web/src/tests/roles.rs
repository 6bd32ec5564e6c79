//! Each endpoint with each role, and without any.

use super::*;
use crate::api;
use crate::table::{Access, Endpoint};

/// A path of an endpoint with its parameters filled in.
pub fn path_of(e: &Endpoint) -> String {
    let mut path = e.path.clone();
    for (name, value) in [
        ("{id}", "x"),
        ("{kind}", "segments"),
        ("{definition}", "vip"),
        ("{decision}", "1"),
        ("{number}", "0"),
        ("{email}", "a@b.kr"),
        ("{name}", "shop"),
        ("{key}", "k"),
        ("{source}", "shop"),
        ("{version}", "1"),
        ("{file}", "app.js"),
        ("{class}", "new"),
    ] {
        path = path.replace(name, value);
    }
    assert!(!path.contains('{'), "{path}: name the parameter above");
    path
}

#[tokio::test]
async fn every_endpoint_lets_in_its_roles_and_nobody_else() {
    let bed = Bed::new();
    let mut checked = 0;
    for e in &api::table().endpoints {
        let path = path_of(e);
        for role in Role::ALL {
            if e.id == "streamChanges" && e.access.allows(role) {
                continue; // Its answer does not end; the live tests read it.
            }
            let answer = bed.call(role, e.method.clone(), &path, "").await;
            let code =
                serde_json::from_slice::<Value>(&answer.body).ok().and_then(|b| b["code"].as_str().map(String::from));
            let refused = answer.status == 403 && code.as_deref() == Some("forbidden");
            assert_eq!(refused, !e.access.allows(role), "{} {path} as {role:?}: {} {code:?}", e.method, answer.status);
            assert_ne!(answer.status, 500, "{path}");
            checked += 1;
        }
        for wrong in [
            None,
            Some("Bearer gyul_000000000000_0000000000000000000000000000000000000000000"),
            Some("Basic !"),
            Some("x"),
        ] {
            let mut request = Request::builder().method(e.method.clone()).uri(&path);
            if let Some(wrong) = wrong {
                request = request.header("authorization", wrong);
            }
            let answer = bed.send(request.body(Body::from("{}")).unwrap()).await;
            match e.access {
                // Signing in with nothing fails as signing in.
                Access::Open => assert!(e.id == "formSignIn" || answer.status != 401, "{path}"),
                Access::Ingest(_) => assert!([400, 401].contains(&answer.status.as_u16()), "{path}: {}", answer.status),
                Access::Roles(_) | Access::Signed => assert_eq!(answer.status, 401, "{path}"),
            }
            checked += 1;
        }
    }
    assert!(checked > 500, "{checked}");
    assert!(bed.fake.with(|s| s.messages.is_empty()));
}

#[test]
fn strong_roles_may_what_weaker_ones_may() {
    for e in &api::table().endpoints {
        let may = |role| e.access.allows(role);
        assert!(may(Role::Owner), "{}", e.id);
        assert!(!may(Role::Analyst) || may(Role::Marketer), "{}", e.id);
        assert!(!may(Role::ReadOnly) || may(Role::Analyst), "{}", e.id);
    }
}

#[test]
fn who_only_sends_or_counts_sees_nobody() {
    let people = ["customers", "changes"];
    for e in api::table().endpoints.iter().filter(|e| people.contains(&e.tag) || e.path.ends_with("/members")) {
        assert!(!e.access.allows(Role::ReadOnly) && !e.access.allows(Role::Ingest), "{}", e.id);
    }
    let open: Vec<String> = api::table()
        .endpoints
        .iter()
        .filter(|e| matches!(e.access, Access::Open) && !e.page)
        .map(|e| format!("{} {}", e.method, e.path))
        .collect();
    let expected = [
        "GET /v1/projects/{key}/settings",
        "POST /api/v1/setup",
        "POST /api/v1/session",
        "GET /health",
        "GET /ready",
        "GET /gyul.js",
        "GET /api/openapi.json",
        "GET /api/docs",
        "GET /api/docs.js",
        "GET /api/docs.css",
    ];
    assert_eq!(open, expected);
}

#[tokio::test]
async fn the_document_has_every_endpoint_and_all_that_it_refers_to() {
    let bed = Bed::new();
    let document = bed.send(Request::get("/api/openapi.json").body(Body::empty()).unwrap()).await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let endpoints: Vec<Endpoint> = api::table().endpoints.into_iter().filter(|e| !e.page).collect();
    let mut ids = std::collections::HashSet::new();
    for e in &endpoints {
        let operation = &document["paths"][&e.path][e.method.as_str().to_lowercase()];
        assert_eq!(operation["operationId"], e.id, "{}", e.path);
        assert!(ids.insert(&e.id), "{} twice", e.id);
        assert!(!e.ko.is_empty() && !e.en.is_empty(), "{} says nothing", e.id);
    }
    let text = document.to_string();
    for part in text.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name].is_object(), "no schema {name}");
    }
}

/// Two types of one name would share one schema, and the answers of one of them would break it.
#[test]
fn no_two_schemas_share_a_name() {
    let mut seen = std::collections::HashMap::new();
    for e in api::table().endpoints.iter().filter(|e| !e.page) {
        for shape in [e.reply.shape.as_ref(), e.body.as_ref().and_then(|b| b.shape.as_ref())].into_iter().flatten() {
            for (name, schema) in &shape.parts {
                let schema = serde_json::to_value(schema).unwrap();
                let first = seen.entry(name.clone()).or_insert_with(|| schema.clone());
                assert_eq!(*first, schema, "two schemas are called {name}; one of them is met in {}", e.path);
            }
        }
    }
}

/// Of `docs/reference/api.md`, kept as it is in the code.
#[test]
fn the_reference_lists_every_endpoint_with_its_roles() {
    use std::fmt::Write;
    let mut lines = String::from("\n| | path | roles | |\n| --- | --- | --- | --- |\n");
    for e in api::table().endpoints.iter().filter(|e| !e.page) {
        let roles = match e.access {
            Access::Open => "anybody".to_string(),
            Access::Signed => "signed".to_string(),
            Access::Roles(roles) | Access::Ingest(roles) if roles.len() < Role::ALL.len() => {
                let names = roles.iter().map(|r| serde_json::to_value(r).unwrap().as_str().unwrap().to_string());
                names.collect::<Vec<_>>().join(", ")
            }
            _ => "all".to_string(),
        };
        let words = e.en.split(". ").next().unwrap().split("; ").next().unwrap().replace('|', "\\|");
        writeln!(lines, "| {} | `{}` | {roles} | {words} |", e.method, e.path).unwrap();
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/api.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let mark = "cargo test -p gyul-web reference -->\n";
    let (head, table) = page.split_once(mark).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{head}{mark}{lines}")).unwrap();
        return;
    }
    assert_eq!(table, lines, "the page is behind the code: UPDATE_DOCS=1 cargo test -p gyul-web reference");
}
