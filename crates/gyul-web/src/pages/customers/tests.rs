//! Customers' pages through the whole stack: who sees what, and what people may call themselves.

use crate::access::Role;
use crate::data::DefKind;
use crate::tests::{Answer, Bed};
use axum::body::Body;
use axum::http::Method;

async fn page(bed: &Bed, role: Role, path: &str) -> Answer {
    let request = bed.request(role, Method::GET, path).header("accept", "text/html").header("cookie", "gyul_lang=ko");
    bed.send(request.body(Body::empty()).unwrap()).await
}

async fn part(bed: &Bed, path: &str) -> Answer {
    let request = bed.request(Role::Owner, Method::GET, path).header("hx-request", "true");
    bed.send(request.body(Body::empty()).unwrap()).await
}

async fn form(bed: &Bed, role: Role, path: &str, body: &str) -> Answer {
    let request = bed.request(role, Method::POST, path).header("content-type", "application/x-www-form-urlencoded");
    bed.send(request.header("accept", "text/html").body(Body::from(body.to_string())).unwrap()).await
}

#[tokio::test]
async fn analysts_see_people_veiled_in_pages_and_api_alike() {
    let bed = Bed::new();
    for path in
        ["/customers", "/customers?q=kim", "/customers/C1", "/api/v1/customers/C1", "/api/v1/customers?search=kim"]
    {
        let full = page(&bed, Role::Marketer, path).await;
        let veiled = page(&bed, Role::Analyst, path).await;
        assert_eq!((full.status.as_u16(), veiled.status.as_u16()), (200, 200), "{path}: {}", full.text());
        for own in ["김철수", "이영희", "kim@example.kr", "1012345678"] {
            assert!(!veiled.text().contains(own), "{path}: {own}");
        }
        assert!(full.text().contains("김철수") || full.text().contains("이영희"), "{path}");
        assert!(veiled.text().contains("김*수") || veiled.text().contains("이*희"), "{path}");
        // Why, is said.
        assert!(!path.starts_with("/customers") || veiled.text().contains("분석가"), "{path}");
    }
    assert_eq!(page(&bed, Role::ReadOnly, "/customers").await.status, 403);
    assert_eq!(page(&bed, Role::Analyst, "/customers/C1/merge").await.status, 403);
    let shown = page(&bed, Role::Analyst, "/customers/C1").await;
    for way in ["/merge\"", "/export\"", "/erase\"", "/unmerge\""] {
        assert!(!shown.text().contains(way), "{way}");
    }
}

#[tokio::test]
async fn the_card_of_changes_learns_names_as_far_as_the_role_may() {
    let bed = Bed::new();
    let named = async |role| page(&bed, role, "/start/names?ids=C1,nobody,C2").await.text().to_string();
    assert_eq!(named(Role::Marketer).await, r#"{"C1":"김철수","C2":"김철수"}"#);
    assert_eq!(named(Role::Analyst).await, r#"{"C1":"김*수","C2":"김*수"}"#);
    assert_eq!(page(&bed, Role::ReadOnly, "/start/names?ids=C1").await.status, 403);
}

#[tokio::test]
async fn what_cannot_be_told_is_neither_in_nor_out() {
    let bed = Bed::new();
    bed.fake.with(|s| drop(s.definitions.insert((DefKind::Segment, "blind".into()), vec!["when: d".into()])));
    for path in ["/customers/C1", "/customers/C1/memberships"] {
        let shown = page(&bed, Role::Owner, path).await;
        let (told, untold) = shown.text().split_once("<details class=\"more unknown\"").expect("a place of its own");
        assert!(!told.contains("/segments/blind") && untold.contains("데이터 없음: 쿠폰"), "{path}: {}", shown.text());
    }
}

#[tokio::test]
async fn a_name_is_a_text_whatever_is_in_it() {
    let bed = Bed::new();
    let shown = page(&bed, Role::Owner, "/customers/hostile").await;
    assert_eq!(shown.status, 200);
    assert!(!shown.text().contains("<script>alert"), "{}", shown.text());
    assert!(shown.text().contains("alert(1)"));
    let found = page(&bed, Role::Owner, "/customers?q=%3Cscript%3Ealert(1)%3C%2Fscript%3E").await;
    assert!(!found.text().contains("<script>alert"));
    assert_eq!(page(&bed, Role::Owner, &format!("/customers/{}", "x".repeat(600))).await.status, 400);
    assert_eq!(page(&bed, Role::Owner, "/customers/nobody").await.status, 404);
}

#[tokio::test]
async fn typing_replaces_the_list_alone() {
    let bed = Bed::new();
    let found = part(&bed, "/customers?q=kim").await;
    assert!(!found.text().contains("<html") && found.text().contains("href=\"/customers/kim\""), "{}", found.text());
    let first = part(&bed, "/customers?q=many").await;
    let next = first.text().split("href=\"").filter_map(|l| l.split('"').next()).find(|l| l.contains("cursor="));
    let next = next.expect("a way on").replace("&#38;", "&").replace("&amp;", "&");
    assert!(first.text().contains("/customers/many29\"") && !first.text().contains("/customers/many30\""));
    let second = part(&bed, &next).await;
    assert!(second.text().contains("/customers/many30\"") && second.text().contains("href=\"/customers?q=many\""));
    assert!(!second.text().contains("cursor="), "{}", second.text());
    assert!(part(&bed, "/customers?q=k").await.text().contains("role=\"status\""));
    let begin = part(&bed, "/customers?q=").await;
    assert!(!begin.text().contains("<html") && begin.text().contains("C0"), "{}", begin.text());
}

#[tokio::test]
async fn the_timeline_goes_on_where_it_ended() {
    let bed = Bed::new();
    let cursor = crate::args::cursor(format!("{} 3", crate::fake::T.0));
    let more = part(&bed, &format!("/customers/C1/timeline?cursor={cursor}&day=2026-01-01")).await;
    assert_eq!(more.text().matches("<li>").count(), 3, "{}", more.text());
    assert!(!more.text().contains("<h3>"), "the day was said on the page before");
    assert_eq!(part(&bed, "/customers/C1/timeline?cursor=x").await.status, 400);
    let none = page(&bed, Role::Owner, "/customers/C1?event=Nothing").await;
    assert!(!none.text().contains("class=\"events\""));
}

#[tokio::test]
async fn nobody_is_erased_by_a_slip() {
    let bed = Bed::new();
    let slip = form(&bed, Role::Owner, "/customers/C1/erase", "typed=C2").await;
    assert_eq!(slip.status, 200);
    assert!(slip.text().contains("role=\"alert\""));
    assert!(bed.fake.with(|s| s.erased.is_empty()));
    assert_eq!(form(&bed, Role::Marketer, "/customers/C1/erase", "typed=C1").await.status, 403);
    let done = form(&bed, Role::Owner, "/customers/C1/erase", "typed=C1").await;
    assert!(done.text().contains("log"), "the report: {}", done.text());
    assert_eq!(bed.fake.with(|s| s.erased.len()), 1);
}

#[tokio::test]
async fn a_merge_leads_to_the_one_who_stays_and_can_be_undone() {
    let bed = Bed::new();
    let asked = page(&bed, Role::Marketer, "/customers/C1/merge?q=kim").await;
    assert!(asked.text().contains("name=\"from\" value=\"kim\""), "{}", asked.text());
    let done = form(&bed, Role::Marketer, "/customers/C1/merge", "from=kim").await;
    assert_eq!(done.headers["location"], "/customers/C1?done=merged");
    let same = form(&bed, Role::Marketer, "/customers/C1/merge", "from=C1").await;
    assert!(same.text().contains("role=\"alert\""));
    let undone = form(&bed, Role::Marketer, "/customers/C1/unmerge", "decision=7").await;
    assert_eq!(undone.headers["location"], "/customers/C1?done=parted");
    assert_eq!(form(&bed, Role::Marketer, "/customers/C1/unmerge", "decision=404").await.status, 404);
}
