//! Conditions in words, and each of their numbers in the words around it: what sliders are called.

use super::definitions::errors;
use gyul_model::Lang;
use gyul_segment::explain::{asked, parts};
use gyul_segment::tree::{Expr, Library};
use gyul_segment::{Schema, load, syntax};
use gyul_web::data::{Blank, ConditionShown};
use std::ops::Range;

/// Numbers to be found again in a sentence: one that no condition has, and others for where it says too much.
const MARKS: [&str; 3] = ["7919", "17", "13"];
const FILE: &str = "conditions.yaml";
/// Numbers of one condition that get words.
const BLANKS_MAX: usize = 12;

pub(super) fn in_words(library: &Library, e: &Expr, source: &str) -> (Option<String>, Option<String>) {
    (Some(asked(library, e, source, Lang::Ko)), Some(asked(library, e, source, Lang::En)))
}

/// Each number is replaced by a mark, and the words of that text are searched for it: words may put a number anywhere,
/// in any unit, and leave no trace of where it came from.
pub(super) fn shown(files: &[(String, String)], schema: &Schema, texts: &[&str]) -> Vec<ConditionShown> {
    let mut all: Vec<String> = texts.iter().map(|t| t.to_string()).collect();
    let mut places: Vec<(usize, Range<usize>)> = vec![];
    for (n, text) in texts.iter().enumerate() {
        places.extend(syntax::numbers(text).into_iter().take(BLANKS_MAX).map(|at| (n, at)));
    }
    for (n, at) in &places {
        all.extend(MARKS.map(|mark| format!("{}{mark}{}", &texts[*n][..at.start], &texts[*n][at.end..])));
    }
    // JSON's texts are YAML's.
    let segment = |(i, when): (usize, &String)| format!("  - {{ id: x_{i}, when: {} }}\n", serde_json::json!(when));
    let mut files = files.to_vec();
    files.push((FILE.into(), format!("segments:\n{}", all.iter().enumerate().map(segment).collect::<String>())));
    let (library, problems) = load(&files, Some(schema));
    // A line each. What cannot be read counts as false, which nobody wrote.
    let wrong: Vec<usize> = errors(&problems).filter(|p| p.file == FILE).map(|p| p.line).collect();
    let found = |i: usize| {
        let there = library.segments.iter().find(|s| s.id == format!("x_{i}"));
        there.filter(|_| !wrong.contains(&(i + 2)))
    };
    let words = |i: usize, lang| found(i).map(|s| asked(&library, &s.when, &s.source, lang));
    let around = |i: usize, mark: &str, lang| {
        let s = found(i)?;
        parts(&library, &s.when, &s.source, lang).iter().find_map(|said| split(said, mark))
    };
    let mut out: Vec<ConditionShown> = texts
        .iter()
        .enumerate()
        .map(|(n, when)| ConditionShown {
            when: when.to_string(),
            says_ko: words(n, Lang::Ko),
            says_en: words(n, Lang::En),
            blanks: vec![],
        })
        .collect();
    for (k, (n, at)) in places.iter().enumerate() {
        let first = texts.len() + k * MARKS.len();
        // A mark that stands in the text already would be found where it does.
        let own = MARKS.iter().enumerate().filter(|(_, mark)| !texts[*n].contains(**mark));
        let mut both =
            own.filter_map(|(m, mark)| Some((around(first + m, mark, Lang::Ko)?, around(first + m, mark, Lang::En)?)));
        let Some((ko, en)) = both.next() else { continue };
        // Scripts count in units of UTF-16.
        let at = texts[*n][..at.start].encode_utf16().count() as u32;
        let blank = Blank { at, before_ko: ko.0, after_ko: ko.1, before_en: en.0, after_en: en.1 };
        out[*n].blanks.push(blank);
    }
    out
}

/// What stands before and after a number, if it is there once.
fn split(said: &str, mark: &str) -> Option<(String, String)> {
    let plain = said.replace("7,919", "7919");
    let is_part = |c: char| c.is_ascii_digit() || c == '.';
    let whole = |(at, _): &(usize, &str)| {
        let (before, after) = (&plain[..*at], &plain[at + mark.len()..]);
        !before.ends_with(is_part) && !after.starts_with(|c: char| c.is_ascii_digit())
    };
    let mut places = plain.match_indices(mark).filter(whole);
    let (at, _) = places.next()?;
    places.next().is_none().then(|| (plain[..at].to_string(), plain[at + mark.len()..].to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_stands_in_the_words_of_its_condition() {
        let files = vec![(
            "m.yaml".to_string(),
            "measures:\n  orders: { value: count(order), name: { ko: 주문 수, en: Orders } }\n  spend: { value: sum(order.total), name: { ko: 구매액, en: Spend } }\n".to_string(),
        )];
        let texts = [
            "since(order) <= 90d and orders >= 4",
            "count(order where gap >= 180d, last 90d) >= 1 or spend in top 10%",
            "count(order >= 3",
            "region = 'KR-11' and spend > 17 and since(order) < 2w",
        ];
        let found = shown(&files, &Schema::default(), &texts);
        let blanks = |n: usize| -> Vec<String> {
            found[n].blanks.iter().map(|b| format!("{}: {}[]{}", b.at, b.before_ko, b.after_ko)).collect()
        };
        assert_eq!(found[0].says_ko.as_deref(), Some("마지막 주문 후 90일 이하 그리고 주문 수 4건 이상"));
        assert_eq!(blanks(0), ["16: 마지막 주문 후 []일 이하", "34: 주문 수 []건 이상"]);
        assert_eq!(found[0].blanks[0].before_en, "time since the last order: at most ");
        assert_eq!(
            blanks(1),
            [
                "25: 최근 90일 안에 '앞 이벤트와의 간격 []일 이상'인 주문 1건 이상",
                "36: 최근 []일 안에 '앞 이벤트와의 간격 180일 이상'인 주문 1건 이상",
                "44: 최근 90일 안에 '앞 이벤트와의 간격 180일 이상'인 주문 []건 이상",
                "62: 구매액 상위 []%",
            ]
        );
        // What cannot be read has no words; a number that words write in another unit has no place in them.
        assert_eq!((found[2].says_ko.as_deref(), blanks(2).len()), (None, 0));
        assert_eq!(blanks(3), ["29: 구매액 []원 초과"]);
    }
}
