//! Pages through the whole stack, in both languages, for each role.

use crate::access::Role;
use crate::api;
use crate::tests::Bed;
use axum::body::Body;
use axum::http::{Method, Request};

/// Pages of the table that are read and whose paths name nothing.
fn plain_pages() -> Vec<String> {
    let endpoints = api::table().endpoints;
    let pages = endpoints.into_iter().filter(|e| e.page && e.method == Method::GET && !e.path.contains('{'));
    pages.filter(|e| e.query.iter().all(|q| !q.required)).map(|e| e.path).collect()
}

fn as_browser(bed: &Bed, role: Role, path: &str) -> Request<Body> {
    bed.request(role, Method::GET, path).header("accept", "text/html").body(Body::empty()).unwrap()
}

#[tokio::test]
async fn every_page_is_whole_html_in_both_languages_without_anything_inline() {
    let bed = Bed::new();
    for path in plain_pages().iter().filter(|p| *p != "/preferences") {
        for lang in ["ko", "en"] {
            let mut request = as_browser(&bed, Role::Owner, path);
            request.headers_mut().insert("cookie", format!("gyul_lang={lang}").parse().unwrap());
            let answer = bed.send(request).await;
            if answer.status == 303 {
                continue;
            }
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            let text = answer.text();
            let whole = text.contains("<html");
            assert!(!whole || text.contains(&format!("<html lang=\"{lang}\"")), "{path}");
            assert!(!whole || text.matches("<h1").count() == 1, "{path}: one first heading");
            assert!(
                answer.headers["content-security-policy"].to_str().unwrap().contains("script-src 'self'"),
                "{path}"
            );
            for inline in [" style=\"", " onclick=", " onchange=", " onsubmit=", "javascript:", "hx-on"] {
                assert!(!text.contains(inline), "{path}: {inline}");
            }
            for script in text.split("<script").skip(1) {
                let tag = script.split('>').next().unwrap();
                assert!(tag.contains(" src=") || tag.contains("application/json"), "{path}: <script{tag}>");
            }
            // A message that is not there shows as its name.
            for area in super::words::FILES.iter().map(|(area, ..)| area) {
                let left = text.split(&format!(">{area}-")).skip(1).find(|t| !t.starts_with(' '));
                assert!(left.is_none(), "{path}: {area}-{}", left.unwrap().chars().take(30).collect::<String>());
            }
        }
    }
}

#[tokio::test]
async fn who_is_not_signed_in_is_led_to_the_door_and_back() {
    let bed = Bed::new();
    let knock = |path: &str| Request::get(path).header("accept", "text/html").body(Body::empty()).unwrap();
    let answer = bed.send(knock("/?q=1")).await;
    assert_eq!((answer.status.as_u16(), answer.headers["location"].to_str().unwrap()), (303, "/welcome"));
    let token = bed.setup.clone().unwrap();
    let form = format!("token={token}&email=a%40b.kr&name=A&password=a-long-password");
    let post = |path: &str, body: String| {
        let request = Request::post(path).header("accept", "text/html");
        request.header("content-type", "application/x-www-form-urlencoded").body(Body::from(body)).unwrap()
    };
    let answer = bed.send(post("/welcome", form)).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    let cookie = answer.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_string();
    let answer = bed.send(knock("/?q=1")).await;
    assert_eq!(answer.headers["location"], "/sign-in?to=%2F%3Fq%3D1");
    let mut inside = knock("/");
    inside.headers_mut().insert("cookie", cookie.parse().unwrap());
    let answer = bed.send(inside).await;
    assert_eq!(answer.status, 200);
    // Writes without the page's token change nothing.
    let mut out = post("/sign-out", "x=1".into());
    out.headers_mut().insert("cookie", cookie.parse().unwrap());
    assert_eq!(bed.send(out).await.status, 403);
    let csrf = answer.text().split("name=\"_csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_string();
    let mut out = post("/sign-out", format!("_csrf={csrf}"));
    out.headers_mut().insert("cookie", cookie.parse().unwrap());
    assert_eq!(bed.send(out).await.status, 303);
    let wrong = bed.send(post("/sign-in", "email=a%40b.kr&password=wrong-password&to=%2F%2Fevil.example".into())).await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.text().contains("role=\"alert\""));
    let good = bed.send(post("/sign-in", "email=a%40b.kr&password=a-long-password&to=%2F%2Fevil.example".into())).await;
    assert_eq!(good.headers["location"], "/");
    let mut foreign = post("/sign-in", "email=a%40b.kr&password=a-long-password".into());
    foreign.headers_mut().insert("sec-fetch-site", "cross-site".parse().unwrap());
    assert_eq!(bed.send(foreign).await.status, 403);
}

#[tokio::test]
async fn refusals_are_pages_that_say_the_next_step() {
    let bed = Bed::new();
    let answer = bed.send(as_browser(&bed, Role::Ingest, "/")).await;
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("<h1>") && answer.text().contains("href=\"/\""), "{}", answer.text());
    let answer = bed.send(as_browser(&bed, Role::Owner, "/no-such-page")).await;
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("<html"));
    // Programs are told as before.
    bed.get("/no-such-page").await.is_problem(404, "not_found");
    bed.send(as_browser(&bed, Role::Owner, "/api/v1/nothing")).await.is_problem(404, "not_found");
}

#[tokio::test]
async fn a_choice_of_language_is_kept_and_leads_back() {
    let bed = Bed::new();
    let answer = bed.get("/preferences?lang=ko&to=%2Fsegments").await;
    assert_eq!(answer.headers["location"], "/segments");
    assert!(answer.headers["set-cookie"].to_str().unwrap().starts_with("gyul_lang=ko;"));
    assert_eq!(bed.get("/preferences?lang=fr").await.status, 400);
    assert_eq!(bed.get("/preferences?theme=dark&to=https%3A%2F%2Fevil.example").await.headers["location"], "/");
}

#[tokio::test]
async fn assets_are_kept_for_ever_under_their_version() {
    let bed = Bed::new();
    let page = bed.send(as_browser(&bed, Role::Owner, "/")).await;
    let mut seen = 0;
    for address in
        page.text().split("\"/assets/").skip(1).map(|a| format!("/assets/{}", a.split(['"', '#']).next().unwrap()))
    {
        let answer =
            bed.send(Request::get(&address).header("accept-encoding", "gzip").body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 200, "{address}");
        assert!(answer.headers["cache-control"].to_str().unwrap().contains("immutable"));
        assert_eq!(answer.headers["content-encoding"], "gzip");
        seen += 1;
    }
    assert!(seen > 3);
    assert_eq!(bed.get("/assets/x/no-such.js").await.status, 404);
}

/// The form has a field for each segment, the API one parameter: the file is of what the page shows.
#[tokio::test]
async fn explore_begins_with_an_answer_whose_file_is_there() {
    let bed = Bed::new();
    bed.fake.with(|s| {
        for id in ["vip", "lapsed"] {
            s.definitions.insert((crate::data::DefKind::Segment, id.into()), vec!["when: a".into()]);
        }
    });
    let mut files = 0;
    for path in
        ["/explore/comparison", "/explore/comparison?of1=vip&of2=lapsed&of3=", "/explore/funnel", "/explore/cohorts"]
    {
        let asked = format!("{path}{}answer=part", if path.contains('?') { "&" } else { "?" });
        let answer = bed.send(as_browser(&bed, Role::Owner, &asked)).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        for link in answer
            .text()
            .split("href=\"")
            .skip(1)
            .map(|l| l.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&"))
        {
            let file = bed.get(&link).await;
            assert_eq!(file.status, 200, "{path}: {link}: {}", file.text());
            files += 1;
        }
    }
    assert!(files >= 4, "{files}");
}

/// In cells, in the labels of axes, in sentences and in the heads of files.
#[tokio::test]
async fn a_measure_of_money_is_shown_as_money() {
    let bed = Bed::new();
    bed.fake.with(|s| {
        s.definitions.insert((crate::data::DefKind::Segment, "vip".into()), vec!["when: a".into()]);
    });
    let get = async |path: &str| {
        let request = bed.request(Role::Owner, Method::GET, path).header("accept", "text/html");
        bed.send(request.header("cookie", "gyul_lang=ko").body(Body::empty()).unwrap()).await.text().to_string()
    };
    let spread = get("/explore/distribution?measure=spend&of1=vip&answer=part").await;
    assert!(spread.contains("\"0원 – 1원\"") && spread.contains(">1원<"), "{spread}");
    assert!(!get("/explore/distribution?measure=orders&answer=part").await.contains('원'));
    let beside = get("/explore/comparison?of1=vip&answer=part").await;
    assert!(beside.contains("2원 / 1원") && beside.contains("2 / 1"), "{beside}");
    let who = get("/segments/vip/who").await;
    assert!(who.contains("<span>3원</span>") && who.contains("<span>3</span>"), "{who}");
    let file = async |path: &str| bed.get(&format!("/api/v1/explore/{path}&format=csv")).await.text().to_string();
    assert!(file("distribution?measure=spend").await.starts_with("of,from (KRW),to (KRW),customers\r\n"));
    assert!(file("distribution?measure=orders").await.starts_with("of,from,to,customers\r\n"));
    let beside = file("comparison?of=vip").await;
    assert!(beside.contains("\nmean spend (KRW),") && beside.contains("\nmean orders,"), "{beside}");
    assert!(beside.contains("\nnet (KRW),"), "{beside}");
    let who = file("profile?of=vip").await;
    assert!(who.lines().any(|l| l.starts_with("measure,spend,") && l.ends_with(",KRW")), "{who}");
}

/// What comes behind a page by a script is a link away for those who have none.
#[tokio::test]
async fn what_comes_by_script_is_linked_without_one() {
    let bed = Bed::new();
    let mut parts = 0;
    for path in ["/", "/data", "/segments/vip", "/explore"] {
        bed.fake.with(|s| s.definitions.insert((crate::data::DefKind::Segment, "vip".into()), vec!["when: a".into()]));
        let text = bed.send(as_browser(&bed, Role::Owner, path)).await.text().to_string();
        for part in
            text.split("hx-get=\"").skip(1).filter(|p| p.split('>').next().unwrap().contains("hx-trigger=\"load\""))
        {
            let from = part.split('"').next().unwrap();
            let linked =
                text.split("class=\"noscript\"").skip(1).filter_map(|l| l.split("href=\"").nth(1)?.split('"').next());
            // Some lead to the whole page with the part in it.
            let same = |to: &str| to.split('?').next() == from.split('?').next();
            assert!(linked.into_iter().any(same), "{path}: {from}");
            parts += 1;
        }
    }
    assert!(parts >= 5, "{parts}");
}
