//! A chart and the table behind it: who cannot see the one reads the other, and takes it away as CSV.

use serde_json::Value;

/// Colours that tell classes apart: `--c0` and on in `base.css`. RFM has eleven classes and the rest.
pub const COLOURS: usize = 12;

/// Drawn by `charts.js` with [ECharts](https://echarts.apache.org); without scripts the table is all there is.
///
/// `option` is what ECharts takes, except that colours, fonts and axes come from the page's theme, and that functions
/// are named: a `"$fmt"` beside an axis or in `tooltip` is one of `count`, `money`, `percent`, `short`, and `day` for dates.
/// Use it in a template as `{{ chart.html()|safe }}`.
pub struct Chart {
    /// Unique on its page.
    pub id: &'static str,
    /// Says in a sentence what the reader sees; read to those who do not.
    pub says: String,
    pub option: Value,
    /// `low`, `middle`, `tall`.
    pub height: &'static str,
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// Where the numbers are to be had as a file.
    pub csv: Option<String>,
    /// Words of the page: "as a table", "as CSV".
    pub as_table: String,
    pub as_csv: String,
}

impl Chart {
    pub fn new(page: &super::Page, id: &'static str, says: impl Into<String>, option: Value) -> Chart {
        Chart {
            id,
            says: says.into(),
            option,
            height: "middle",
            head: vec![],
            rows: vec![],
            csv: None,
            as_table: page.t("common-as-table"),
            as_csv: page.t("common-as-csv"),
        }
    }

    pub fn height(mut self, height: &'static str) -> Chart {
        self.height = height;
        self
    }

    /// The first cell of a row is its heading; cells are written as people read them.
    pub fn table(mut self, head: Vec<String>, rows: Vec<Vec<String>>) -> Chart {
        (self.head, self.rows) = (head, rows);
        self
    }

    pub fn csv(mut self, address: impl Into<String>) -> Chart {
        self.csv = Some(address.into());
        self
    }

    pub fn html(&self) -> String {
        // `<` would end the block, whatever it is part of.
        let data = self.option.to_string().replace('<', "\\u003c");
        let (id, says, height) = (self.id, escape(&self.says), self.height);
        let mut out = format!(
            "<figure class=\"chart {height}\" id=\"{id}\"><figcaption class=\"says\">{says}</figcaption>\
             <div class=\"canvas\" role=\"img\" aria-label=\"{says}\"></div>\
             <script type=\"application/json\">{data}</script>"
        );
        if !self.head.is_empty() {
            out += &format!(
                "<details><summary>{}</summary><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{says}\"><table><thead><tr>",
                escape(&self.as_table)
            );
            self.head.iter().for_each(|h| out += &format!("<th scope=\"col\">{}</th>", escape(h)));
            out += "</tr></thead><tbody>";
            for row in &self.rows {
                out += "<tr>";
                for (i, cell) in row.iter().enumerate() {
                    let cell = escape(cell);
                    out += &if i == 0 { format!("<th scope=\"row\">{cell}</th>") } else { format!("<td>{cell}</td>") };
                }
                out += "</tr>";
            }
            out += "</tbody></table></div>";
            if let Some(csv) = &self.csv {
                out += &format!("<p><a href=\"{}\" download>{}</a></p>", escape(csv), escape(&self.as_csv));
            }
            out += "</details>";
        }
        out + "</figure>"
    }
}

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
            c => out.push(c),
        }
    }
    out
}
