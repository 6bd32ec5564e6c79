//! Definitions: the starter library, and what the data has to offer them.

use crate::explore::is_personal;
use crate::walk::walk;
use gyul_model::{ColumnKind, Snapshot, names};
use gyul_segment::Schema;
use gyul_segment::tree::{Expr, Kind, Library, Type};

/// The starter library as it was when Gyul was built: `(file name, text)`.
pub const STARTER: [(&str, &str); 7] = [
    ("segments/behaviour.yaml", include_str!("../../../segments/behaviour.yaml")),
    ("segments/channels.yaml", include_str!("../../../segments/channels.yaml")),
    ("segments/common.yaml", include_str!("../../../segments/common.yaml")),
    ("segments/lifecycle.yaml", include_str!("../../../segments/lifecycle.yaml")),
    ("segments/people.yaml", include_str!("../../../segments/people.yaml")),
    ("segments/rfm.yaml", include_str!("../../../segments/rfm.yaml")),
    ("segments/value.yaml", include_str!("../../../segments/value.yaml")),
];

/// The starter library in the form that [`gyul_segment::load`] takes.
pub fn starter() -> Vec<(String, String)> {
    STARTER.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect()
}

/// The same for a shop that is at home where its currency and zone say: who lives elsewhere is abroad.
pub fn starter_at(zone: &str, currency: &str) -> Vec<(String, String)> {
    let mut files = starter();
    if let Some(home) = home(zone, currency) {
        let at_home = format!("country != '{home}'");
        files.iter_mut().for_each(|(_, text)| *text = text.replace("country != 'KR'", &at_home));
    }
    files
}

/// ISO code of the country of a zone, or of a currency that one country alone has.
fn home(zone: &str, currency: &str) -> Option<&'static str> {
    const ZONES: [(&str, &str); 16] = [
        ("Asia/Seoul", "KR"),
        ("Europe/Berlin", "DE"),
        ("Europe/Paris", "FR"),
        ("Europe/Madrid", "ES"),
        ("Europe/Rome", "IT"),
        ("Europe/Amsterdam", "NL"),
        ("Europe/Brussels", "BE"),
        ("Europe/Vienna", "AT"),
        ("Europe/Dublin", "IE"),
        ("Europe/Lisbon", "PT"),
        ("Europe/Helsinki", "FI"),
        ("Europe/Athens", "GR"),
        ("Asia/Shanghai", "CN"),
        ("Asia/Tokyo", "JP"),
        ("Asia/Taipei", "TW"),
        ("Europe/London", "GB"),
    ];
    const CURRENCIES: [(&str, &str); 14] = [
        ("KRW", "KR"),
        ("JPY", "JP"),
        ("GBP", "GB"),
        ("USD", "US"),
        ("CNY", "CN"),
        ("TWD", "TW"),
        ("HKD", "HK"),
        ("SGD", "SG"),
        ("THB", "TH"),
        ("VND", "VN"),
        ("CAD", "CA"),
        ("AUD", "AU"),
        ("INR", "IN"),
        ("CHF", "CH"),
    ];
    let of = |list: &[(&str, &'static str)], key: &str| list.iter().find(|(k, _)| *k == key).map(|(_, c)| *c);
    // Shops abroad often sell in dollars; where they stand is the better sign.
    of(&ZONES, zone).or_else(|| of(&CURRENCIES, currency))
}

/// A trait with more values than this is no choice among a few.
const VALUES_MAX: usize = 50;

/// Which events, properties and traits the data has.
pub fn schema_of(data: &Snapshot) -> Schema {
    let mut schema = Schema::default();
    for stream in &data.streams {
        let columns = stream.columns.iter().map(|c| {
            let ty = match c.kind {
                ColumnKind::Bool => Type::Bool,
                ColumnKind::Num { .. } => Type::Num,
                ColumnKind::Instant => Type::Instant,
                ColumnKind::Text(_) => Type::Text,
                ColumnKind::List(_) => Type::List,
            };
            (c.name.clone(), ty)
        });
        if stream.name == names::IDENTIFY {
            schema.traits = columns.collect();
            let few = stream.columns.iter().filter_map(|c| match &c.kind {
                ColumnKind::Text(dict) if dict.len() <= VALUES_MAX && !is_personal(&c.name) => {
                    let values = (0..dict.len()).filter_map(|i| dict.get(i).map(str::to_string));
                    Some((c.name.clone(), values.collect()))
                }
                _ => None,
            });
            schema.values = few.collect();
        } else {
            schema.events.insert(stream.name.clone(), columns.collect());
        }
    }
    schema
}

/// The definitions that rest on a measure, segment or partition, directly or not: `what` picks it out of an expression.
pub fn resting_on(library: &Library, what: &dyn Fn(&Kind) -> bool) -> Vec<String> {
    let rests = |e: &Expr| {
        let mut found = false;
        walk(library, e, &mut |e| found |= what(&e.kind));
        found
    };
    let measures = library.measures.iter().filter(|m| rests(&m.expr)).map(|m| m.id.clone());
    let segments = library.segments.iter().filter(|s| rests(&s.when)).map(|s| s.id.clone());
    let partitions = library.partitions.iter().filter(|p| p.classes.iter().any(|c| rests(&c.when)));
    measures.chain(segments).chain(partitions.map(|p| p.id.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abroad_is_seen_from_where_the_shop_is() {
        let has = |zone, currency, text: &str| starter_at(zone, currency).iter().any(|(_, t)| t.contains(text));
        assert!(has("Europe/London", "GBP", "country != 'GB'") && !has("Europe/London", "GBP", "country != 'KR'"));
        assert!(has("Asia/Seoul", "USD", "country != 'KR'") && has("America/New_York", "USD", "country != 'US'"));
        assert_eq!(starter_at("Asia/Seoul", "KRW"), starter());
    }

    #[test]
    fn the_starter_library_holds_every_file_of_the_folder_and_has_no_problems() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../segments");
        let files = std::fs::read_dir(folder).unwrap().filter_map(|e| e.ok()?.file_name().into_string().ok());
        let mut files: Vec<_> = files.filter(|f| f.ends_with(".yaml")).map(|f| format!("segments/{f}")).collect();
        files.sort();
        assert_eq!(STARTER.map(|(name, _)| name.to_string()).to_vec(), files);
        let (library, problems) = gyul_segment::load(&starter(), None);
        let said: Vec<String> = problems.iter().map(|p| p.render(gyul_model::Lang::En)).collect();
        assert_eq!(said.concat(), "");
        assert!(library.segments.len() > 20);
    }
}
