mod sample;

use gyul_report::*;

/// Elements without an end tag in HTML; those of SVG end with `/>` in our pages.
const VOID: [&str; 4] = ["meta", "input", "br", "link"];

/// Checks that tags nest and close, attributes are quoted, and no bare `<` or `&` is left. Yields all ids.
fn well_formed(page: &str) -> Vec<String> {
    let mut open: Vec<String> = Vec::new();
    let mut ids = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        assert!(
            at == 0 || !rest[..at].contains('>') || open.last().is_some_and(|t| t == "style"),
            "bare > before {at}"
        );
        rest = &rest[at..];
        if rest.starts_with("<!DOCTYPE html>") {
            rest = &rest[15..];
            continue;
        }
        let mut quoted = false;
        let end = rest.char_indices().find(|(_, c)| {
            quoted ^= *c == '"';
            *c == '>' && !quoted
        });
        let end = end.expect("a tag ends").0;
        let tag = &rest[1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "closing </{name}>");
            continue;
        }
        let name: String = tag.chars().take_while(|c| c.is_ascii_alphanumeric()).collect();
        assert!(!name.is_empty(), "no name in <{tag}>");
        assert_eq!(tag.matches('"').count() % 2, 0, "quotes in <{tag}>");
        if let Some(id) = tag.split(" id=\"").nth(1) {
            ids.push(id.split('"').next().unwrap_or_default().to_owned());
        }
        if !tag.ends_with('/') && !VOID.contains(&name.as_str()) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    ids
}

fn pages() -> Vec<(&'static str, ReportData)> {
    let mut only_customers = sample::empty();
    only_customers.totals.customers = 3;
    let mut zero_rows = sample::empty();
    zero_rows.quality = Some(Quality::default());
    zero_rows.lifecycle = Some(Lifecycle::default());
    zero_rows.rfm = Some(Rfm::default());
    zero_rows.overlap = Some(Overlap::default());
    vec![
        ("full", sample::full("KRW")),
        ("pounds", sample::full("GBP")),
        ("empty", sample::empty()),
        ("only customers", only_customers),
        ("zero rows", zero_rows),
    ]
}

#[test]
fn every_page_is_well_formed_and_every_link_has_a_target() {
    for (name, data) in pages() {
        let page = render(&data);
        let ids = well_formed(&page);
        let mut unique = ids.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), ids.len(), "{name}: an id twice");
        for link in page.split("href=\"#").skip(1) {
            let target = link.split('"').next().unwrap_or_default();
            assert!(ids.iter().any(|id| id == target), "{name}: no #{target}");
        }
    }
}

/// Korean texts stand only in `lang="ko"` (or in attributes and titles, which hold both), English only in `lang="en"`;
/// the two come in pairs.
#[test]
fn both_languages_are_complete() {
    for (name, data) in pages() {
        let page = render(&data);
        let ko = page.matches("<span lang=\"ko\">").count();
        let en = page.matches("<span lang=\"en\">").count();
        assert_eq!(ko, en, "{name}");
        assert!(ko > 10, "{name}");
        assert!(!page.contains("<span lang=\"ko\"></span>") && !page.contains("<span lang=\"en\"></span>"), "{name}");
        for span in page.split("<span lang=\"en\">").skip(1) {
            let text = span.split('<').next().unwrap_or_default();
            assert!(
                !text.chars().any(|c| ('가'..='힣').contains(&c)) || text.contains("귤상회"),
                "{name}: Korean in English: {text}"
            );
        }
    }
}

#[test]
fn a_text_in_one_language_stands_in_for_the_other() {
    let mut data = sample::empty();
    data.warnings = vec![Text::new("한국어만", "")];
    let page = render(&data);
    assert!(page.contains("<li>한국어만</li>"));
}

#[test]
fn hostile_names_stay_text() {
    let evil = "</title></style><script>alert(1)</script><img src=x onerror=\"x\">'&\u{202e}\u{0}";
    let text = || Text::same(evil);
    let mut data = sample::full(evil);
    data.shop = evil.into();
    data.warnings = vec![text()];
    data.source = Some(text());
    for s in &mut data.segments {
        (s.id, s.name, s.group, s.goal, s.treatment) = (evil.into(), text(), text(), text(), text());
    }
    if let Some(q) = &mut data.quality {
        q.files = vec![evil.into()];
        q.rejected
            .iter_mut()
            .for_each(|r| (r.code, r.reason, r.hint, r.examples) = (evil.into(), text(), text(), vec![evil.into()]));
    }
    if let Some(s) = &mut data.sufficiency {
        s.known.iter_mut().for_each(|k| k.what = text());
        s.missing.iter_mut().for_each(|m| (m.what, m.segments) = (text(), vec![text()]));
    }
    data.lifecycle.iter_mut().flat_map(|l| &mut l.classes).for_each(|c| *c = text());
    data.rfm.iter_mut().flat_map(|r| r.cells.iter_mut().flatten()).for_each(|c| c.class = text());
    data.overlap.iter_mut().flat_map(|o| &mut o.names).for_each(|n| *n = text());
    let page = render(&data);
    well_formed(&page);
    assert!(
        !page.contains("<script") && !page.contains("<img") && !page.contains('\u{202e}') && !page.contains('\u{0}')
    );
}

/// Lists of unequal length, numbers at their limits, impossible shares: a page all the same.
#[test]
fn odd_data_does_not_panic() {
    let mut data = sample::full("KRW");
    data.totals.customers = 0;
    data.totals.revenue = f64::NAN;
    data.months.iter_mut().for_each(|m| m.revenue = f64::NEG_INFINITY);
    data.history_dates.truncate(1);
    data.segments.iter_mut().for_each(|s| (s.customers, s.revenue) = (u64::MAX, Some(f64::INFINITY)));
    if let Some(l) = &mut data.lifecycle {
        l.classes.truncate(2);
        l.series.iter_mut().for_each(|(_, counts)| counts.truncate(1));
        l.flow.iter_mut().for_each(|f| (f.moves, f.joined) = (vec![vec![1]], vec![]));
    }
    data.overlap
        .iter_mut()
        .for_each(|o| (o.both, o.names) = (vec![vec![], vec![u64::MAX, u64::MAX]], vec![Text::default(); 3]));
    data.sufficiency.iter_mut().for_each(|s| (s.months, s.known[0].share) = (f64::NAN, 7.0));
    well_formed(&render(&data));
}

#[test]
fn needs_neither_network_nor_scripts() {
    let page = render(&sample::full("KRW"));
    assert!(!page.contains("http") && !page.contains("url(") && !page.contains("<script") && !page.contains("@import"));
}

#[test]
fn says_what_the_numbers_mean() {
    let page = render(&sample::full("KRW"));
    assert!(page.contains("구매액 상위 10% 고객이 매출의 58%를 차지합니다."));
    assert!(page.contains("The top 10% of buyers bring 58% of the revenue."));
    assert!(page.contains("18억 6,800만 원"), "money as Koreans write it");
    assert!(render(&sample::full("GBP")).contains("£1.1M"));
}
