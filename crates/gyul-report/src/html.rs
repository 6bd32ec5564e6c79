//! Small pieces of HTML: escaping, and every text in both languages.

use crate::{Lang, Text};

/// Safe as text and inside a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Control characters are not allowed in HTML, and direction marks could make a name overwrite its neighbours.
            c if c.is_control() && c != '\n' => out.push('\u{fffd}'),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A text in both languages, of which the page shows one.
pub fn both(text: impl Fn(Lang) -> String) -> String {
    let (ko, en) = (escape(&text(Lang::Ko)), escape(&text(Lang::En)));
    if ko == en { ko } else { format!("<span lang=\"ko\">{ko}</span><span lang=\"en\">{en}</span>") }
}

pub fn say(ko: &str, en: &str) -> String {
    both(|lang| pick(lang, ko, en).into())
}

pub fn text(text: &Text) -> String {
    both(|lang| text.get(lang).into())
}

pub fn pick<'a>(lang: Lang, ko: &'a str, en: &'a str) -> &'a str {
    match lang {
        Lang::Ko => ko,
        Lang::En => en,
    }
}

/// For an attribute or an SVG title, which cannot switch: both languages side by side, escaped.
pub fn plain(text: impl Fn(Lang) -> String) -> String {
    let (ko, en) = (text(Lang::Ko), text(Lang::En));
    if ko == en { escape(&ko) } else { escape(&format!("{ko} / {en}")) }
}

/// A section with its heading and one sentence that says what the reader sees.
pub fn section(id: &str, title: String, lead: String, body: &str) -> String {
    let lead = if lead.is_empty() { lead } else { format!("<p class=\"lead\">{lead}</p>") };
    format!("<section id=\"{id}\" aria-labelledby=\"{id}-h\"><h2 id=\"{id}-h\">{title}</h2>{lead}{body}</section>\n")
}

/// What stands where data is missing: what, and what to do.
pub fn empty(what: String, next: String) -> String {
    format!("<div class=\"empty\"><p><strong>{what}</strong></p><p>{next}</p></div>")
}

/// The numbers behind a chart.
pub fn table_behind(head: &[String], rows: &[Vec<String>]) -> String {
    let mut out = format!(
        "<details><summary>{}</summary><div class=\"scroll\"><table class=\"plain\"><thead><tr>",
        say("표로 보기", "Show as a table")
    );
    for cell in head {
        out += &format!("<th scope=\"col\">{cell}</th>");
    }
    out += "</tr></thead><tbody>";
    for row in rows {
        out += "<tr>";
        for (i, cell) in row.iter().enumerate() {
            out += &if i == 0 { format!("<th scope=\"row\">{cell}</th>") } else { format!("<td>{cell}</td>") };
        }
        out += "</tr>";
    }
    out + "</tbody></table></div></details>"
}

/// The labels under `n` points: at most 13 on a wide screen, and of these about five on a narrow one, so that no two
/// of them collide. The last point always has one.
pub fn axis(n: usize, label: impl Fn(usize) -> String) -> String {
    let step = n.div_ceil(13).max(1);
    let narrow = step * n.div_ceil(step * 5).max(1);
    (0..n)
        .map(|i| match n - 1 - i {
            back if back.is_multiple_of(narrow) => format!("<span>{}</span>", label(i)),
            back if back.is_multiple_of(step) => format!("<span class=\"wide\">{}</span>", label(i)),
            _ => "<span></span>".into(),
        })
        .collect()
}

/// The heat step 0 to 6 of a value among values up to `max`. Zero is step 0 and nothing else is.
/// By the square root, because sizes are skewed and small ones should still differ.
pub fn heat(value: f64, max: f64) -> usize {
    if value <= 0.0 || max <= 0.0 {
        return 0;
    }
    ((value / max).sqrt() * 6.0).ceil().clamp(1.0, 6.0) as usize
}
