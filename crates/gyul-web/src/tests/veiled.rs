//! Whoever counts people and need not know them reads no name, address or number, wherever it may stand.

use super::roles::path_of;
use super::*;
use crate::api;
use crate::data::{Moved, Rejected};
use crate::fake::SECRETS;
use std::collections::BTreeSet;

/// What is asked, beside what a path says.
fn query(id: &str) -> &'static str {
    match id {
        "searchCustomers" => "?search=email:kim@example.kr",
        "listPartitionMembers" => "?class=new&limit=2",
        "listSegmentMembers" => "?limit=2",
        "listChanges" => "?from=0",
        "exploreValues" => "?property=plan",
        _ => "",
    }
}

fn body(id: &str) -> &'static str {
    if id == "segmentEffects" { "{\"yaml\":\"x\",\"sample\":3}" } else { "" }
}

fn told(answer: &Answer) -> Vec<&'static str> {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    // Encoded is said as well: cursors are base64 of base64.
    let encoded = ["+821012345678", "1012345678", "a2ltQGV4", "ltQGV4YW", "bUBleGFt"];
    SECRETS.into_iter().chain(encoded).filter(|s| text.contains(s)).collect()
}

#[tokio::test]
async fn no_endpoint_shows_an_analyst_or_a_reader_whom_it_shows_a_marketer() {
    let bed = Bed::new();
    bed.fake.with(|s| {
        s.personal = true;
        let content = format!("{{\"name\":\"{}\",\"email\":\"{}\"}}", SECRETS[0], SECRETS[1]);
        let (ko, en) = (format!("주소가 아닙니다: {}", SECRETS[1]), format!("no address: {}", SECRETS[1]));
        s.rejects = vec![Rejected { code: "bad_id", place: "email".into(), ko, en, content }];
    });
    bed.fake.change(&format!("email:{}", SECRETS[1]), "vip", Moved::Entered);
    let mut full = BTreeSet::new();
    for e in &api::table().endpoints {
        // Pages are looked at by their own tests; the stream by the live ones.
        if e.page || e.method == Method::DELETE || e.id == "streamChanges" {
            continue;
        }
        let path = path_of(e).replace("/customers/x", "/customers/email:kim@example.kr") + query(&e.id);
        for role in [Role::Analyst, Role::ReadOnly, Role::Marketer, Role::Owner] {
            if !e.access.allows(role) {
                continue;
            }
            let answer = bed.call(role, e.method.clone(), &path, body(&e.id)).await;
            let told = told(&answer);
            if crate::veil::veils(role) {
                assert_eq!(told, [""; 0], "{} as {role:?}: {}", e.id, answer.text());
            } else if !told.is_empty() {
                full.insert(e.id.clone());
            }
        }
    }
    // Each of these would have failed above, were it not veiled.
    for id in [
        "searchCustomers",
        "getCustomer",
        "getTimeline",
        "decide",
        "explainMembership",
        "listSegmentMembers",
        "listPartitionMembers",
        "listChanges",
        "listQuarantine",
        "exploreValues",
    ] {
        assert!(full.contains(id), "{id} shows nobody: the test says nothing of it. It knows of {full:?}");
    }
}

#[tokio::test]
async fn pages_of_members_and_the_quarantine_are_veiled_too_and_members_follow_each_other() {
    let bed = Bed::new();
    bed.fake.with(|s| s.personal = true);
    bed.put("/api/v1/segments/vip", "x").await;
    for path in ["/segments/vip/members.csv", "/api/v1/segments/vip/members"] {
        let (full, veiled) = (bed.get(path).await, bed.call(Role::Analyst, Method::GET, path, "").await);
        assert_eq!((full.status, veiled.status), (StatusCode::OK, StatusCode::OK));
        assert!(full.text().contains(SECRETS[1]) && told(&veiled).is_empty(), "{}", veiled.text());
    }
    // Behind a cursor that names nobody comes who is next.
    let (mut next, mut seen) = (String::new(), vec![]);
    loop {
        let page = bed.get(&format!("/api/v1/segments/vip/members?limit=2{next}")).await.json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|m| m["customer"].as_str().unwrap().to_string()));
        let Some(cursor) = page["next"].as_str() else { break };
        next = format!("&cursor={cursor}");
    }
    assert_eq!(seen, (0..5).map(|i| format!("email:{i}{}", SECRETS[1])).collect::<Vec<_>>());
    bed.get("/api/v1/segments/vip/members?cursor=QzE").await.is_problem(400, "bad_parameter");
    let stored = bed.get("/").await;
    assert!(!stored.text().contains("role=\"alert\""));
    bed.fake.with(|s| s.damaged = 2);
    for page in ["/", "/data"] {
        let request = bed.request(Role::Owner, Method::GET, page).header("accept", "text/html");
        let shown = bed.send(request.header("cookie", "gyul_lang=en").body(Body::empty()).unwrap()).await;
        assert!(shown.text().contains("2 records"), "{page}: {}", shown.text());
    }
    bed.fake.with(|s| s.failing = vec!["checkpoint", "import", "retention"]);
    for page in ["/", "/data"] {
        assert_eq!(bed.get(page).await.text().matches("role=\"alert\"").count(), 4, "{page}");
    }
    assert_eq!(bed.get("/ready").await.json()["failing"], serde_json::json!(["checkpoint", "import", "retention"]));
}
