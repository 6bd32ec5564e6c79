//! Markdown pages that are documentation and test at once.
//!
//! Fenced blocks carry the case; everything else is prose.
//! - `timeline`: customers, each with indented events: `2026-03-01 09:00 order total=12.5 channel='web'`.
//! - `yaml`: a definition file. It and the latest timelines hold until the next block of the same kind.
//! - `members at 2026-03-15 09:00`: a line a segment, `vip: kim, lee`, or `vip: nobody`; a class is `partition/class`.
//!
//! Moments are local to the definitions' zone: `2026-03-01`, `2026-03-01 09:00`, `2026-03-01 09:00:59.999999`, or
//! RFC 3339 with an offset; `always` for undated traits. Event names are the short ones of [`EVENTS`] or quoted.

use gyul_model::{Date, Decimal, Event, Instant, MICROS_HOUR, MICROS_MINUTE, Timeline, Value, Zone, names};
use gyul_segment::reference::Reference;
use gyul_segment::tree::Library;
use std::fmt::Write;

/// Members by segment id or `partition/class`.
pub type Members = Vec<(String, Vec<String>)>;
pub type Load<'a> = &'a dyn Fn(&str) -> Result<Library, String>;
pub type Evaluator<'a> = &'a dyn Fn(&Library, &[Timeline], Instant) -> Members;

/// Short names for events in timelines.
pub const EVENTS: &[(&str, &str)] = &[
    ("order", names::ORDER),
    ("item", names::ITEM),
    ("refund", names::REFUND),
    ("view", names::VIEW),
    ("cart", names::CART),
    ("search", names::SEARCH),
    ("checkout", names::CHECKOUT),
    ("sent", names::SENT),
    ("opened", names::OPENED),
    ("clicked", names::CLICKED),
    ("traits", names::IDENTIFY),
];

/// Checks a page. The error shows each line that should read otherwise.
pub fn run(page: &str, load: Load, evaluator: Evaluator) -> Result<(), String> {
    let fresh = updated(page, load, evaluator)?;
    let differ = |(i, (old, new)): (usize, (&str, &str))| {
        (old != new).then(|| format!("line {}:\n  expected  {old}\n  got       {new}\n", i + 1))
    };
    let wrong: String = page.lines().zip(fresh.lines()).enumerate().filter_map(differ).collect();
    match wrong.as_str() {
        "" if page.lines().count() == fresh.lines().count() => Ok(()),
        "" => Err("a members block lacks its lines".into()),
        _ => Err(wrong),
    }
}

/// The page with its expectations as the evaluator has them. An empty members block gets a line for everything.
pub fn updated(page: &str, load: Load, evaluator: Evaluator) -> Result<String, String> {
    let mut out = String::new();
    let (mut events, mut library) = (String::new(), None);
    let mut blocks = 0;
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        out.push_str(line);
        out.push('\n');
        let Some(info) = line.strip_prefix("```") else { continue };
        let mut body = String::new();
        let mut closed = false;
        for (_, line) in lines.by_ref() {
            if line == "```" {
                closed = true;
                break;
            }
            body.push_str(line);
            body.push('\n');
        }
        if !closed {
            return Err(format!("line {}: the block never ends: close it with ```", number + 1));
        }
        let here = |e: String| format!("line {}: {e}", number + 1);
        if info == "timeline" {
            events = body.clone();
        } else if info == "yaml" {
            library = Some(load(&body).map_err(here)?);
        } else if let Some(at) = info.strip_prefix("members at ") {
            let Some(library) = &library else { return Err(here("no yaml block comes before".into())) };
            let at = moment(at.trim(), &library.zone).ok_or_else(|| here(format!("'{at}' is no moment")))?;
            let timelines = timelines(&events, &library.zone).map_err(here)?;
            body = members(&body, evaluator(library, &timelines, at)).map_err(here)?;
            blocks += 1;
        }
        out.push_str(&body);
        out.push_str("```\n");
    }
    if blocks == 0 { Err("the page has no members block, so it tests nothing".into()) } else { Ok(out) }
}

/// Everybody's segments and classes by the reference evaluator.
pub fn by_reference(library: &Library, timelines: &[Timeline], at: Instant) -> Members {
    let reference = Reference::new(library, timelines, at, None);
    let who = |test: &dyn Fn(usize) -> bool| {
        let ids = (0..timelines.len()).filter(|c| test(*c)).map(|c| timelines[c].customer.clone());
        ids.collect::<Vec<String>>()
    };
    let mut out: Members = vec![];
    for (i, s) in library.segments.iter().enumerate() {
        out.push((s.id.clone(), who(&|c| reference.member(i, c))));
    }
    for (p, partition) in library.partitions.iter().enumerate() {
        for (k, id) in classes(library, p).into_iter().enumerate() {
            out.push((format!("{}/{id}", partition.id), who(&|c| reference.class(p, c) == Some(k))));
        }
    }
    out
}

/// Ids of a partition's classes, `otherwise` last.
pub fn classes(library: &Library, partition: usize) -> Vec<&str> {
    let p = &library.partitions[partition];
    p.classes.iter().map(|c| c.id.as_str()).chain([p.otherwise.id.as_str()]).collect()
}

fn members(body: &str, mut found: Members) -> Result<String, String> {
    found.iter_mut().for_each(|(_, ids)| ids.sort());
    let mut wanted: Vec<&str> = body.lines().filter_map(|l| l.split_once(':')).map(|(id, _)| id.trim()).collect();
    if wanted.is_empty() {
        wanted = found.iter().map(|(id, _)| id.as_str()).collect();
    }
    let mut out = String::new();
    for id in wanted {
        let Some((_, ids)) = found.iter().find(|(f, _)| f == id) else { return Err(format!("no segment '{id}'")) };
        let ids = if ids.is_empty() { "nobody".to_string() } else { ids.join(", ") };
        let _ = writeln!(out, "{id}: {ids}");
    }
    Ok(out)
}

/// Reads customers and their events. `seq` counts the lines.
pub fn timelines(text: &str, zone: &Zone) -> Result<Vec<Timeline>, String> {
    let mut customers: Vec<(&str, Vec<Event>)> = vec![];
    for (i, line) in text.lines().enumerate() {
        let line = line.split(" #").next().unwrap_or("");
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if !line.starts_with(' ') {
            customers.push((line.trim().trim_end_matches(':'), vec![]));
            continue;
        }
        let event = event(line.trim(), i as u64, zone).ok_or_else(|| format!("this is no event: {line}"))?;
        match customers.last_mut() {
            Some((_, events)) => events.push(event),
            None => return Err(format!("whose event is this? {line}")),
        }
    }
    Ok(customers.into_iter().map(|(c, events)| Timeline::new(c, events)).collect())
}

fn event(line: &str, seq: u64, zone: &Zone) -> Option<Event> {
    let mut words = words(line).into_iter().peekable();
    let mut when = words.next()?;
    if words.peek()?.starts_with(|c: char| c.is_ascii_digit()) {
        when = format!("{when} {}", words.next()?);
    }
    let ts = if when == "always" { Instant::ALWAYS } else { moment(&when, zone)? };
    let name = words.next()?;
    let name = match EVENTS.iter().find(|(short, _)| *short == name) {
        Some((_, long)) => long.to_string(),
        None => name.strip_prefix('\'')?.strip_suffix('\'')?.to_string(),
    };
    let prop = |w: String| {
        let (name, v) = w.split_once('=')?;
        Some((name.to_string(), value(v, zone)?))
    };
    Some(Event { ts, seq, name, props: words.map(prop).collect::<Option<_>>()? })
}

/// Splits at spaces outside quotes and brackets.
fn words(line: &str) -> Vec<String> {
    let (mut out, mut quoted, mut listed) = (vec![String::new()], false, false);
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            '[' | ']' if !quoted => listed = c == '[',
            _ => {}
        }
        match (c, out.last_mut()) {
            (' ', _) if !quoted && !listed => out.push(String::new()),
            (_, Some(word)) => word.push(c),
            _ => {}
        }
    }
    out.retain(|w| !w.is_empty());
    out
}

/// `true`, `12.5`, `'text'`, `[a, b]`, `@2026-03-01`.
fn value(text: &str, zone: &Zone) -> Option<Value> {
    if let Some(t) = text.strip_prefix('@') {
        return Some(Value::Instant(moment(&t.replace('_', " "), zone)?));
    }
    if let Some(t) = text.strip_prefix('\'') {
        return Some(Value::text(t.strip_suffix('\'')?));
    }
    if let Some(items) = text.strip_prefix('[') {
        return Some(Value::List(items.strip_suffix(']')?.split(',').map(|t| t.trim().to_string()).collect()));
    }
    match text {
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        _ => Decimal::parse(text).map(Value::Num),
    }
}

fn moment(text: &str, zone: &Zone) -> Option<Instant> {
    if text.contains('T') {
        return Instant::parse_rfc3339(text);
    }
    let (date, time) = text.split_once(' ').unwrap_or((text, "00:00"));
    let mut parts = time.split(':');
    let hours: i64 = parts.next()?.parse().ok()?;
    let minutes: i64 = parts.next()?.parse().ok()?;
    let seconds = Decimal::parse(parts.next().unwrap_or("0"))?.at_scale(6)?;
    let micros = hours * MICROS_HOUR + minutes * MICROS_MINUTE + seconds;
    Some(zone.at(Date::parse(date)?, micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timelines_read_back() {
        let text = "kim\n  2026-03-01 09:00 order total=12.5 channel='web shop' tags=[a, b]  # first\n  \
                    always traits vip=true since=@2026-01-01\nlee\n  2026-03-01T00:00:00Z 'My Event'\n";
        let all = timelines(text, &Zone::seoul()).unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].events[0].ts, Instant::ALWAYS);
        assert_eq!(all[0].events[1].ts, all[1].events[0].ts);
        assert_eq!(all[0].events[1].prop("channel"), Some(&Value::text("web shop")));
        assert_eq!(all[0].events[1].prop("tags"), Some(&Value::List(vec!["a".into(), "b".into()])));
        assert_eq!(all[1].events[0].name, "My Event");
        assert!(timelines("  2026-03-01 order\n", &Zone::seoul()).is_err());
        assert!(timelines("kim\n  2026-03-01 ordre\n", &Zone::seoul()).is_err());
    }
}
