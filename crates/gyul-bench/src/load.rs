//! From the generator's files to timelines: one stream per event type with the columns that it uses.

use crate::read::{Fallible, Packed, Part, files, read};
use gyul_model::{
    BUCKETS, Bucket, Codes, ColumnData, ColumnInfo, ColumnKind, Event, Instant, Ints, Snapshot, Stream, StreamInfo,
    TextColumn, Value, bucket_of, names,
};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use std::path::Path;
use std::sync::Arc;

/// Rows of one kind of file from all parts; row r of part p belongs to customer `owner`.
struct Table {
    parts: Vec<Part>,
    /// For each part: its rows' customers, ascending.
    customers: Vec<Vec<i64>>,
}

/// Where a customer's rows of one stream are: part and position in that part's list.
type Span = (u32, u32, u32);

pub fn snapshot(data: &Path) -> Fallible<Snapshot> {
    let mut profile = table(&data.join("profile"))?;
    let mut events = table(&data.join("events"))?;
    let mut types = vec![];
    let mut instants = vec![];
    let mut type_names: Vec<String> = vec![];
    for part in &mut events.parts {
        let Packed::Text { codes, dict } = part.take("type")? else { return Err("type is no text".into()) };
        for name in &dict {
            if !type_names.contains(name) {
                type_names.push(name.clone());
            }
        }
        let global: Vec<u8> = dict.iter().map(|n| type_names.iter().position(|t| t == n).unwrap_or(0) as u8).collect();
        types.push((0..part.rows).map(|i| global[codes.get(i) as usize - 1]).collect::<Vec<u8>>());
        let Packed::Instant(ts) = part.take("ts")? else { return Err("ts is no instant".into()) };
        instants.push(ts);
    }
    let ids = bucketed(&profile);
    let mut out = Snapshot {
        streams: vec![],
        buckets: ids
            .iter()
            .map(|ids| {
                let mut customers = TextColumn::default();
                ids.iter().for_each(|(text, _)| customers.push(Some(text)));
                Arc::new(Bucket { exists_from: vec![Instant::ALWAYS.0; ids.len()], customers, streams: vec![] })
            })
            .collect(),
        arrivals: vec![],
    };

    // Traits: one undated row a customer.
    let always: Vec<Vec<i64>> = profile.parts.iter().map(|p| vec![Instant::ALWAYS.0; p.rows]).collect();
    for (name, _) in profile.parts.iter_mut().flat_map(|p| &mut p.columns) {
        if let Some(channel) = name.strip_prefix("consent_") {
            *name = format!("{}{channel}", names::CONSENT);
        }
    }
    let all: Vec<Vec<u32>> = profile.parts.iter().map(|p| (0..p.rows as u32).collect()).collect();
    add_stream(&mut out, names::IDENTIFY, &profile, &always, &all, &ids);

    for (t, name) in type_names.iter().enumerate() {
        let rows: Vec<Vec<u32>> = types
            .par_iter()
            .map(|types| (0..types.len() as u32).filter(|i| types[*i as usize] == t as u8).collect())
            .collect();
        add_stream(&mut out, name, &events, &instants, &rows, &ids);
    }
    for bucket in out.buckets.iter_mut().map(Arc::make_mut) {
        for c in 0..bucket.customers.len() {
            let first = bucket.streams[1..].iter().filter_map(|s| s.ts[s.rows(c)].first()).min();
            bucket.exists_from[c] = first.copied().unwrap_or(Instant::ALWAYS.0);
        }
    }
    Ok(out)
}

/// The later events of `delta.parquet`, in their order of arrival.
pub fn delta(data: &Path) -> Fallible<Vec<(String, Event)>> {
    let mut part = read(&data.join("delta.parquet"))?;
    let Packed::Instant(customers) = part.take("customer_id")? else { return Err("customer_id is no number".into()) };
    let Packed::Instant(ts) = part.take("ts")? else { return Err("ts is no instant".into()) };
    let Packed::Text { codes, dict } = part.take("type")? else { return Err("type is no text".into()) };
    let event = |i: usize| {
        let props = part.columns.iter().filter_map(|(name, data)| Some((name.clone(), value(data, i)?))).collect();
        let name = dict[codes.get(i) as usize - 1].clone();
        let event = Event { ts: Instant(ts[i]), seq: u64::from(u32::MAX / 2) + i as u64, name, props };
        (customers[i].to_string(), event)
    };
    Ok((0..part.rows).map(event).collect())
}

/// The newest `n` events in their order of arrival: instant of arrival, customer, event with these properties (all if none
/// is named). The log's rows are late ones now and then; the latest instant so far stands for that of arrival.
#[allow(dead_code, reason = "for the live binary")]
pub fn newest(data: &Path, n: usize, props: &[&str]) -> Fallible<Vec<(i64, i64, Event)>> {
    let mut rows: Vec<(i64, u32, u32)> = vec![];
    let mut parts = vec![];
    for (p, file) in files(&data.join("events_log"))?.iter().enumerate() {
        let mut part = read(file)?;
        let Packed::Instant(customers) = part.take("customer_id")? else {
            return Err("customer_id is no number".into());
        };
        let Packed::Instant(ts) = part.take("ts")? else { return Err("ts is no instant".into()) };
        let types = part.take("type")?;
        part.columns.retain(|(name, _)| props.is_empty() || props.contains(&name.as_str()));
        let mut latest = i64::MIN;
        let arrivals = ts.iter().enumerate().map(|(i, t)| {
            latest = latest.max(*t);
            (latest, p as u32, i as u32)
        });
        let arrivals: Vec<_> = arrivals.collect();
        rows.extend_from_slice(&arrivals[arrivals.len().saturating_sub(n)..]);
        parts.push((part, customers, ts, types));
    }
    rows.sort_by_key(|r| r.0);
    let from = rows.len().saturating_sub(n);
    let event = |(seq, (arrival, p, i)): (usize, &(i64, u32, u32))| {
        let (part, customers, ts, types) = &parts[*p as usize];
        let i = *i as usize;
        let props = part.columns.iter().filter_map(|(name, data)| Some((name.clone(), value(data, i)?))).collect();
        let Packed::Text { codes, dict } = types else { return Err("type is no text".into()) };
        let name = dict[codes.get(i) as usize - 1].clone();
        Ok((*arrival, customers[i], Event { ts: Instant(ts[i]), seq: seq as u64, name, props }))
    };
    rows[from..].iter().enumerate().map(event).collect()
}

fn value(data: &Packed, i: usize) -> Option<Value> {
    match data {
        Packed::Int(v) => Some(v.get(i)).filter(|v| *v != i64::MIN).map(Value::from),
        Packed::Real(v) => Some(v[i]).filter(|v| *v != i64::MIN).map(|v| Value::Num(gyul_model::Decimal::new(v, 6))),
        Packed::Bool(v) => (v[i] < 2).then_some(Value::Bool(v[i] == 1)),
        Packed::Instant(v) => Some(v[i]).filter(|v| *v != i64::MIN).map(|v| Value::Instant(Instant(v))),
        Packed::Text { codes, dict } => codes.get(i).checked_sub(1).map(|c| Value::text(&dict[c as usize])),
    }
}

fn table(folder: &Path) -> Fallible<Table> {
    let mut parts = files(folder)?.par_iter().map(|f| read(f)).collect::<Fallible<Vec<Part>>>()?;
    let customers = parts
        .iter_mut()
        .map(|p| match p.take("customer_id")? {
            Packed::Instant(ids) => Ok(ids),
            _ => Err("customer_id is no number".into()),
        })
        .collect::<Fallible<_>>()?;
    Ok(Table { parts, customers })
}

/// Customers of each bucket, ascending by the text of their id.
fn bucketed(profile: &Table) -> Vec<Vec<(String, i64)>> {
    let mut buckets = vec![vec![]; BUCKETS];
    for id in profile.customers.iter().flatten() {
        let text = id.to_string();
        buckets[bucket_of(&text)].push((text, *id));
    }
    buckets.par_iter_mut().for_each(|b| b.sort_unstable());
    buckets
}

/// Adds the rows with these positions (ascending within each part) as a stream to every bucket.
fn add_stream(
    out: &mut Snapshot,
    name: &str,
    table: &Table,
    ts: &[Vec<i64>],
    rows: &[Vec<u32>],
    ids: &[Vec<(String, i64)>],
) {
    let mut spans: FxHashMap<i64, Span> = FxHashMap::default();
    let mut seqs = vec![];
    let mut base = 0;
    for (p, rows) in rows.iter().enumerate() {
        let customers = &table.customers[p];
        seqs.push(base);
        base += customers.len() as u32;
        for run in chunks(rows, |r| customers[*r as usize]) {
            spans.insert(customers[rows[run.start] as usize], (p as u32, run.start as u32, run.end as u32));
        }
    }
    let used: Vec<usize> = (0..table.parts[0].columns.len())
        .filter(|c| {
            table.parts.iter().zip(rows).any(|(p, rows)| rows.iter().any(|r| has(&p.columns[*c].1, *r as usize)))
        })
        .collect();
    let dicts: Vec<Dict> = used.iter().map(|c| Dict::of(table, *c)).collect();
    let columns = used.iter().zip(&dicts).map(|(c, dict)| {
        let (name, data) = &table.parts[0].columns[*c];
        let kind = match data {
            Packed::Int(_) => ColumnKind::Num { scale: 0 },
            Packed::Real(_) => ColumnKind::Num { scale: 6 },
            Packed::Bool(_) => ColumnKind::Bool,
            Packed::Instant(_) => ColumnKind::Instant,
            Packed::Text { .. } => ColumnKind::Text(dict.texts.clone()),
        };
        ColumnInfo { name: name.clone(), kind }
    });
    out.streams.push(StreamInfo { name: name.to_string(), columns: columns.collect() });
    out.buckets.par_iter_mut().zip(ids).for_each(|(bucket, ids)| {
        let bucket = Arc::make_mut(bucket);
        let mut stream = Stream { offsets: vec![0], ..Stream::default() };
        let mut picked: Vec<(u32, u32)> = vec![];
        for (_, id) in ids {
            if let Some(&(part, from, to)) = spans.get(id) {
                picked.extend(rows[part as usize][from as usize..to as usize].iter().map(|r| (part, *r)));
            }
            stream.offsets.push(picked.len() as u32);
        }
        stream.ts = picked.iter().map(|(p, r)| ts[*p as usize][*r as usize]).collect();
        stream.seq = picked.iter().map(|(p, r)| seqs[*p as usize] + r).collect();
        for (c, dict) in used.iter().zip(&dicts) {
            let cells =
                || picked.iter().map(|(p, r)| (&table.parts[*p as usize].columns[*c].1, *p as usize, *r as usize));
            let numbers = || cells().map(|(data, _, r)| int(data, r)).collect::<Vec<i64>>();
            stream.columns.push(match &table.parts[0].columns[*c].1 {
                Packed::Int(_) | Packed::Real(_) => ColumnData::Num(Ints::pack(&numbers())),
                Packed::Instant(_) => ColumnData::Instant(numbers()),
                Packed::Bool(_) => ColumnData::Bool(numbers().iter().map(|v| *v as u8).collect()),
                Packed::Text { .. } => {
                    let codes: Vec<u32> = cells().map(|(data, p, r)| dict.maps[p][int(data, r) as usize]).collect();
                    ColumnData::Codes(Codes::pack(&codes))
                }
            });
        }
        bucket.streams.push(Arc::new(stream));
    });
}

/// One dictionary for all parts of a column, with each part's codes translated.
#[derive(Default)]
struct Dict {
    texts: Arc<TextColumn>,
    maps: Vec<Vec<u32>>,
}

impl Dict {
    fn of(table: &Table, column: usize) -> Dict {
        let mut texts = TextColumn::default();
        let mut known: FxHashMap<&str, u32> = FxHashMap::default();
        let mut maps = vec![];
        for part in &table.parts {
            let Packed::Text { dict, .. } = &part.columns[column].1 else { return Dict::default() };
            let mut map = vec![0];
            for text in dict {
                map.push(*known.entry(text).or_insert_with(|| {
                    texts.push(Some(text));
                    texts.len() as u32
                }));
            }
            maps.push(map);
        }
        Dict { texts: Arc::new(texts), maps }
    }
}

fn has(data: &Packed, i: usize) -> bool {
    match data {
        Packed::Bool(v) => v[i] < 2,
        Packed::Text { codes, .. } => codes.get(i) > 0,
        data => int(data, i) != i64::MIN,
    }
}

fn int(data: &Packed, i: usize) -> i64 {
    match data {
        Packed::Int(v) => v.get(i),
        Packed::Real(v) | Packed::Instant(v) => v[i],
        Packed::Bool(v) => v[i].into(),
        Packed::Text { codes, .. } => codes.get(i).into(),
    }
}

/// Ranges of neighbours with the same key.
fn chunks<'a, T, K: PartialEq + 'a>(
    items: &'a [T],
    key: impl Fn(&T) -> K + 'a,
) -> impl Iterator<Item = std::ops::Range<usize>> + 'a {
    let mut start = 0;
    std::iter::from_fn(move || {
        let first = key(items.get(start)?);
        let end = start + items[start..].iter().take_while(|i| key(i) == first).count();
        let range = start..end;
        start = end;
        Some(range)
    })
}
