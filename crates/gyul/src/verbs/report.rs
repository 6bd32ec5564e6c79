//! `gyul report`: one page of HTML with everything.

use crate::Context;
use crate::args::ReportArgs;
use crate::definitions::view;
use crate::failure::{Failure, IO};
use crate::output::deliver;
use gyul_engine::{Engine, ReportOptions, View, report};
use gyul_ingest::RejectCode;
use gyul_model::{Instant, Lang};
use gyul_report::{Quality, Rejected, Text, render};
use std::path::Path;

/// Places shown for each reason.
const EXAMPLES: usize = 3;

pub fn run(context: &Context, args: &ReportArgs) -> Result<u8, Failure> {
    let (view, at) = view(context, &args.asked)?;
    let shop = args.shop.clone().unwrap_or_default();
    write(context, &view, at, shop, None, &args.output)?;
    println!("{}", context.lang.pick("리포트:", "report:").to_string() + " " + &args.output.display().to_string());
    Ok(0)
}

pub fn write(
    context: &Context,
    view: &View,
    at: Instant,
    shop: String,
    source: Option<Text>,
    to: &Path,
) -> Result<(), Failure> {
    let engine = Engine::open(&context.data).map_err(|e| Failure::says(IO, |l| e.message(l)))?;
    let currency = Some(engine.manifest().currency.clone());
    let quality = Some(quality(&engine)?);
    let options = ReportOptions { shop, lang: context.lang, quality, source, currency };
    deliver(Some(to), render(&report(view, at, options)).as_bytes())
}

fn quality(engine: &Engine) -> Result<Quality, Failure> {
    let mut out = Quality::default();
    let mut codes: Vec<(String, u64)> = vec![];
    for i in engine.imports() {
        out.rows += i.events + i.duplicates + i.rejected_total();
        out.events += i.events;
        out.duplicates += i.duplicates;
        let file = Path::new(&i.source).file_name().map_or(i.source.clone(), |f| f.to_string_lossy().into_owned());
        out.files.push(file);
        for (code, n) in &i.rejected {
            match codes.iter_mut().find(|(c, _)| c == code) {
                Some((_, sum)) => *sum += n,
                None => codes.push((code.clone(), *n)),
            }
        }
    }
    codes.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let quarantine = engine.quarantine().map_err(|e| Failure::says(IO, |l| e.message(l)))?;
    for (code, count) in codes {
        let said = |l: Lang| RejectCode::parse(&code).map_or("", |c| c.message(l));
        let split = |l: Lang| said(l).split_once(". ").unwrap_or((said(l), ""));
        let (ko, en) = (split(Lang::Ko), split(Lang::En));
        let rows = quarantine.iter().flat_map(|(_, f)| &f.rows).filter(|r| r.code == code);
        let place = |r: &gyul_store::Rejected| {
            let file = Path::new(&r.source).file_name().map_or_else(String::new, |f| f.to_string_lossy().into_owned());
            format!("{file}:{}", if r.line > 0 { r.line } else { r.row })
        };
        out.rejected.push(Rejected {
            reason: Text::new(ko.0, en.0),
            hint: Text::new(ko.1, en.1),
            count,
            examples: rows.take(EXAMPLES).map(place).collect(),
            code,
        });
    }
    Ok(out)
}
