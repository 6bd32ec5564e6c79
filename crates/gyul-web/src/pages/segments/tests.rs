//! The pages of segments and partitions on the fake backend.

use crate::access::Role;
use crate::data::DefKind;
use crate::tests::Bed;
use axum::body::Body;
use axum::http::{Method, Request};

async fn bed() -> Bed {
    let bed = Bed::new();
    bed.fake.with(|s| {
        s.definitions.insert((DefKind::Segment, "vip".into()), vec!["when: a".into(), "when: b".into()]);
        s.definitions.insert((DefKind::Segment, "lapsed".into()), vec!["when: c".into()]);
        s.definitions.insert((DefKind::Partition, "steps".into()), vec!["partitions: []".into()]);
    });
    bed
}

fn browser(bed: &Bed, role: Role, method: Method, path: &str, body: &str) -> Request<Body> {
    let request = bed.request(role, method, path).header("accept", "text/html").header("accept-language", "en");
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    request.body(Body::from(body.to_string())).unwrap()
}

#[tokio::test]
async fn the_list_answers_to_its_query() {
    let bed = bed().await;
    let get =
        async |path: &str| bed.send(browser(&bed, Role::ReadOnly, Method::GET, path, "")).await.text().to_string();
    let first = get("/segments").await;
    assert!(first.contains("href=\"/segments/vip\"") && !first.contains("/partitions/steps/classes/new"), "{first}");
    assert!(first.contains("kind=all"), "the way to classes");
    let all = get("/segments?kind=all").await;
    assert!(all.contains("href=\"/segments/vip\"") && all.contains("/partitions/steps/classes/new"), "{all}");
    let found = get("/segments?q=VIP&kind=segment").await;
    assert!(found.contains("href=\"/segments/vip\"") && !found.contains("href=\"/segments/lapsed\""));
    assert!(get("/segments?q=%3Cscript%3Ealert(1)").await.contains("&#60;script&#62;"), "what was typed stays text");
    assert!(get("/segments?tag=none").await.contains("Nothing matches"));
    assert!(!all.contains("/segments/new"), "who may not edit is not led to it");
}

#[tokio::test]
async fn what_cannot_be_told_has_no_number() {
    let bed = bed().await;
    bed.fake.with(|s| drop(s.definitions.insert((DefKind::Segment, "blind".into()), vec!["when: d".into()])));
    let get =
        async |path: &str| bed.send(browser(&bed, Role::ReadOnly, Method::GET, path, "")).await.text().to_string();
    for path in ["/segments?q=blind", "/segments/blind"] {
        let page = get(path).await;
        assert!(page.contains("No data: needs") && page.contains("coupons"), "{path}: {page}");
        assert!(!page.contains("3 customers"), "{path}: {page}");
    }
    assert!(get("/segments/vip").await.contains("3 customers"));
    // No part of its page counts it, and no other page compares with it.
    for tab in ["", "?tab=who", "?tab=overlap", "?tab=quality"] {
        let page = get(&format!("/segments/blind{tab}")).await;
        assert!(!page.contains("hx-get=\"/segments/blind/") && page.contains("so is the answer"), "{tab}: {page}");
    }
    let vip = get("/segments/vip").await;
    assert!(vip.contains("hx-get=\"/segments/vip/size\"") && vip.contains("<dd>Orders: at least 4</dd>"), "{vip}");
    let overlap = get("/segments/vip/overlap").await;
    assert!(overlap.contains("lapsed") && !overlap.contains("blind"), "{overlap}");
    for path in ["/explore/regions?of=blind", "/explore/comparison?of1=vip&of2=blind"] {
        let answer = get(&format!("{path}&answer=part")).await;
        assert!(
            answer.contains("blind: no data, needs coupons") && !answer.contains("class=\"chart"),
            "{path}: {answer}"
        );
    }
    let answer = get("/explore/regions?of=vip&answer=part").await;
    assert!(answer.contains("class=\"chart"), "{answer}");
}

#[tokio::test]
async fn every_part_comes_to_the_roles_that_may_see_it() {
    let bed = bed().await;
    for base in ["/segments/vip", "/partitions/steps/classes/new"] {
        for part in
            ["", "/size", "/size?range=all", "/overlap", "/quality", "/who", "/worth", "?tab=who", "?tab=members"]
        {
            let answer = bed.send(browser(&bed, Role::ReadOnly, Method::GET, &format!("{base}{part}"), "")).await;
            assert_eq!(answer.status, 200, "{base}{part}: {}", answer.text());
        }
        for part in ["/members", "/members.csv"] {
            let path = format!("{base}{part}");
            assert_eq!(bed.send(browser(&bed, Role::ReadOnly, Method::GET, &path, "")).await.status, 403, "{path}");
            let answer = bed.send(browser(&bed, Role::Analyst, Method::GET, &path, "")).await;
            assert!(answer.status == 200 && answer.text().contains("C4"), "{path}");
        }
        assert_eq!(bed.send(browser(&bed, Role::Owner, Method::GET, "/segments/no", "")).await.status, 404);
    }
    assert_eq!(bed.fake.with(|s| s.audit.len()), 2, "taking members away leaves a line each");
    for part in ["", "/flow", "/sizes", "/flow?from=2025-01-01&until=2025-02-01"] {
        let answer =
            bed.send(browser(&bed, Role::ReadOnly, Method::GET, &format!("/partitions/steps{part}"), "")).await;
        assert_eq!(answer.status, 200, "{part}: {}", answer.text());
    }
    let wrong = bed.send(browser(&bed, Role::Owner, Method::GET, "/partitions/steps/flow?from=x", "")).await;
    assert_eq!(wrong.status, 400);
}

#[tokio::test]
async fn an_old_version_is_saved_anew_and_nobody_is_overwritten() {
    let bed = bed().await;
    let post = async |path: &str, body: &str| bed.send(browser(&bed, Role::Marketer, Method::POST, path, body)).await;
    assert_eq!(post("/segments/vip/restore", "version=1&now=2").await.status, 303);
    let texts = || bed.fake.with(|s| s.definitions[&(DefKind::Segment, "vip".to_string())].clone());
    assert_eq!(texts(), ["when: a", "when: b", "when: a"]);
    assert!(post("/segments/vip/restore", "version=2&now=2").await.text().contains("role=\"alert\""));
    assert_eq!(texts().len(), 3);
    assert_eq!(post("/segments/vip/delete", "x=1").await.status, 303);
    assert!(bed.fake.with(|s| !s.definitions.contains_key(&(DefKind::Segment, "vip".to_string()))));
}

#[tokio::test]
async fn classes_are_arranged_counted_and_saved_by_a_plain_form() {
    let bed = bed().await;
    let post = async |path: &str, body: &str| bed.send(browser(&bed, Role::Marketer, Method::POST, path, body)).await;
    let form = "id=steps&version=1&yaml=y&c.0.id=a&c.0.when=x&c.1.id=b&c.1.when=z&c.other.id=c";
    let page = post("/partitions/steps/edit", &format!("{form}&do=up%3A1")).await;
    let text = page.text();
    assert!(
        text.find("name=\"c.0.id\" value=\"b\"").is_some() && text.contains("name=\"c.1.id\" value=\"a\""),
        "{text}"
    );
    let one = bed.send(browser(&bed, Role::Marketer, Method::GET, "/partitions/steps/edit", "")).await;
    assert!(one.text().contains("<strong data-says>Orders: at least 1</strong>"), "{}", one.text());
    let counted = post("/partitions/steps/preview", form).await;
    assert!(counted.text().contains("data-conditions=\"[{&#34;blanks&#34;:[{&#34;after&#34;"), "{}", counted.text());
    assert!(counted.text().contains("Saving moves 1 customer ("), "{}", counted.text());
    let wrong = post("/partitions/steps/preview", &form.replace("c.1.when=z", "c.1.when=oops")).await;
    assert!(wrong.text().contains("id=\"why-1\"") && wrong.text().contains("An unknown name"), "{}", wrong.text());
    assert_eq!(post("/partitions/steps/edit", &format!("{form}&do=save")).await.status, 303);
    let stale = post("/partitions/steps/edit", &format!("{form}&do=save")).await;
    assert!(stale.text().contains("role=\"alert\"") && stale.text().contains("target=\"_blank\""), "{}", stale.text());
    let denied = browser(&bed, Role::Analyst, Method::GET, "/partitions/steps/edit", "");
    assert_eq!(bed.send(denied).await.status, 403);
}
