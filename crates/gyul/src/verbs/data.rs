//! `gyul data`: what is known, what can be trusted, open files.

use crate::Context;
use crate::args::{Data, TextFormat};
use crate::definitions::view;
use crate::failure::{Failure, IO};
use crate::output::{json_text, percent, print, thousands};
use gyul_engine::{Engine, LeftOut, Sufficiency, sufficiency};
use gyul_model::{Instant, Zone};
use serde_json::json;
use std::path::Path;

pub fn run(context: &Context, verb: &Data) -> Result<u8, Failure> {
    match verb {
        Data::Info { format } => info(context, *format)?,
        Data::Sufficiency { asked, format } => {
            let (view, at) = view(context, asked)?;
            let s = sufficiency(&view, at);
            print(&match format {
                TextFormat::Text => said(context, &s, view.zone()),
                TextFormat::Json => json_text(&json(&s, at)),
            })?;
        }
        Data::Export { output } => {
            let engine = open(context)?;
            let base = engine.manifest().base(&context.data);
            copy(&base, output)?;
            let to = output.display();
            println!(
                "{}",
                context.lang.pick(
                    format!("Parquet 파일을 {to}에 저장했습니다. 이벤트 이름마다 폴더가 하나씩 있습니다."),
                    format!("wrote Parquet files to {to}: a folder for each event name"),
                )
            );
        }
        Data::Policy { policy } => {
            let text = policy.join(" ");
            if !text.is_empty() {
                let zone = Zone::new(&open(context)?.manifest().zone).unwrap_or_else(Zone::seoul);
                let policy = crate::policy::parse(&text, context.now, &zone)?;
                crate::serve::keep(&context.data, policy)?;
            }
            let engine = open(context)?;
            let left_out = left_out(&engine)?;
            let zone = Zone::new(&engine.manifest().zone).unwrap_or_else(Zone::seoul);
            let said = left_out.as_ref().map_or("none", |l| &l.policy);
            print(&format!("{said}\n{}", crate::policy::said(context.lang, left_out.as_ref(), &zone)))?;
        }
    }
    Ok(0)
}

fn open(context: &Context) -> Result<Engine, Failure> {
    Engine::open(&context.data).map_err(|e| Failure::says(IO, |l| e.message(l)))
}

/// What a policy leaves out; the events themselves are read only if there is one.
fn left_out(engine: &Engine) -> Result<Option<LeftOut>, Failure> {
    match engine.manifest().policy {
        Some(_) => Ok(engine.load_counted(None).map_err(|e| Failure::says(IO, |l| e.message(l)))?.1),
        None => Ok(None),
    }
}

fn info(context: &Context, format: TextFormat) -> Result<(), Failure> {
    let engine = open(context)?;
    let m = engine.manifest();
    let range = engine.range();
    let left_out = left_out(&engine)?;
    if format == TextFormat::Json {
        let streams: Vec<_> = m.streams.iter().map(|s| json!({"event": s.name, "rows": s.rows})).collect();
        let imports: Vec<_> = m
            .imports
            .iter()
            .map(|i| {
                json!({
                    "source": i.source, "kind": i.kind, "at": i.at.to_string(), "finished": i.finished,
                    "rows": i.events + i.duplicates + i.rejected_total(), "events": i.events,
                    "duplicates": i.duplicates, "rejected": i.rejected,
                })
            })
            .collect();
        return print(&json_text(&json!({
            "customers": m.customers, "zone": m.zone, "currency": m.currency, "generation": m.generation,
            "first": range.map(|r| r.0.to_string()), "last": range.map(|r| r.1.to_string()),
            "events": streams, "imports": imports, "policy": left_out.as_ref().map(json_policy),
        })));
    }
    let zone = Zone::new(&m.zone).unwrap_or_else(Zone::seoul);
    let date = |t: Instant| zone.date(t).to_string();
    let (dir, customers) = (context.data.display(), thousands(m.customers));
    let mut out = context.lang.pick(
        format!("{dir}: 고객 {customers}명, 시간대 {}, 통화 {}\n", m.zone, m.currency),
        format!("{dir}: {customers} customers, zone {}, currency {}\n", m.zone, m.currency),
    );
    if let Some((first, last)) = range {
        out += &format!("{} {} – {}\n", context.say("기간", "from"), date(first), date(last));
    }
    out += &crate::policy::said(context.lang, left_out.as_ref(), &zone);
    out += context.say("\n이벤트\n", "\nevents\n");
    m.streams.iter().for_each(|s| out += &format!("  {:>12}  {}\n", thousands(s.rows), s.name));
    out += context.say("\n가져오기\n", "\nimports\n");
    for i in &m.imports {
        let (rows, rejected) = (thousands(i.events + i.duplicates + i.rejected_total()), thousands(i.rejected_total()));
        let (events, duplicates) = (thousands(i.events), thousands(i.duplicates));
        let open = if i.finished {
            ""
        } else {
            context.say(" (중단됨: 같은 명령을 다시 실행하면 이어집니다)", " (interrupted: run it again to go on)")
        };
        out += &context.lang.pick(
            format!(
                "  {} {}: {rows}행 = 이벤트 {events} + 중복 {duplicates} + 거부 {rejected}{open}\n",
                i.source, i.kind
            ),
            format!(
                "  {} {}: {rows} rows = {events} events + {duplicates} duplicates + {rejected} rejected{open}\n",
                i.source, i.kind
            ),
        );
    }
    print(&out)
}

fn said(context: &Context, s: &Sufficiency, zone: &Zone) -> String {
    let n = thousands;
    let per = s.orders_per_buyer.map_or("–".into(), |x| format!("{x:.1}"));
    let months = format!("{:.1}", s.months);
    let mut out = context.lang.pick(
        format!(
            "고객 {}명 중 구매 고객 {}명, 주문 {}건 (1인당 {per}건), {months}개월\n",
            n(s.customers),
            n(s.buyers),
            n(s.orders)
        ),
        format!(
            "{} customers, {} of them bought, {} orders ({per} a buyer), {months} months\n",
            n(s.customers),
            n(s.buyers),
            n(s.orders)
        ),
    );
    if let Some(last) = s.last_order {
        let (date, days) = (zone.date(last), s.stale_days.unwrap_or(0));
        out += &context.lang.pick(
            format!("마지막 주문 {date}, 마지막 이벤트는 {days}일 전\n"),
            format!("last order {date}, last event {days} days ago\n"),
        );
    }
    out += &crate::policy::said(context.lang, s.left_out.as_ref(), zone);
    out += match s.months {
        ..12.0 => context.say(
            "! 1년이 안 되는 데이터입니다. 계절과 휴면(1년)에 관한 세그먼트는 아직 믿을 수 없습니다.\n",
            "! Less than a year: segments about seasons and about a year of silence cannot be trusted yet.\n",
        ),
        12.0..24.0 => context.say(
            "! 2년이 안 되는 데이터입니다. 계절 때문인지 추세 때문인지는 아직 가를 수 없습니다.\n",
            "! Less than two years: what is season and what is trend cannot be told apart yet.\n",
        ),
        _ => "",
    };
    if !s.traits.is_empty() {
        out += context.say("\n알려진 고객 속성\n", "\nknown traits\n");
        s.traits.iter().for_each(|(name, k)| out += &format!("  {:>6}  {name}\n", percent(*k, s.customers)));
    }
    if !s.missing.is_empty() {
        out += context.say(
            "\n데이터에 없는 것과, 그래서 알 수 없는 정의\n",
            "\nmissing, and the definitions that cannot be told without it\n",
        );
        for m in &s.missing {
            out += &format!("  {}: {}\n", m.lack.name(), m.definitions.join(", "));
        }
    }
    out
}

fn json(s: &Sufficiency, at: Instant) -> serde_json::Value {
    let share = |n: u64| if s.customers == 0 { None } else { Some(n as f64 / s.customers as f64) };
    let traits: Vec<_> =
        s.traits.iter().map(|(t, n)| json!({"trait": t, "customers": n, "share": share(*n)})).collect();
    let missing: Vec<_> = s
        .missing
        .iter()
        .map(|m| json!({"name": m.lack.name(), "is": m.lack.kind(), "definitions": m.definitions}))
        .collect();
    json!({
        "as_of": at.to_string(), "customers": s.customers, "buyers": s.buyers, "orders": s.orders, "events": s.events,
        "months": s.months, "orders_per_buyer": s.orders_per_buyer, "stale_days": s.stale_days,
        "first_order": s.first_order.map(|t| t.to_string()), "last_order": s.last_order.map(|t| t.to_string()),
        "traits": traits, "missing": missing, "policy": s.left_out.as_ref().map(json_policy),
    })
}

fn json_policy(l: &LeftOut) -> serde_json::Value {
    json!({"policy": l.policy, "from": l.from.to_string(), "left_out": l.events, "of": l.of})
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(to).map_err(|e| Failure::write(to, &e))?;
    for entry in std::fs::read_dir(from).map_err(|e| Failure::read(from, &e))? {
        let entry = entry.map_err(|e| Failure::read(from, &e))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target)?;
        } else {
            std::fs::copy(&source, &target).map_err(|e| Failure::write(&target, &e))?;
        }
    }
    Ok(())
}
