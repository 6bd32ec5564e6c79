//! `gyul generate`: a synthetic shop with known truth.

use crate::Context;
use crate::args::GenerateArgs;
use crate::failure::Failure;
use crate::output::thousands;
use gyul_model::{Date, Zone};
use gyul_sim::shop::{Options, generate};
use std::fs::File;
use std::io::{BufWriter, Write};

pub fn run(context: &Context, args: &GenerateArgs) -> Result<u8, Failure> {
    if !(0.0..=1.0).contains(&args.dirty) || args.months == 0 || args.months > 120 {
        return Err(Failure::usage(
            "--dirty는 0에서 1 사이, --months는 1에서 120 사이여야 합니다.",
            "--dirty lies between 0 and 1, --months between 1 and 120.",
        ));
    }
    std::fs::create_dir_all(&args.output).map_err(|e| Failure::write(&args.output, &e))?;
    let zone = Zone::seoul();
    let today = zone.date(context.now);
    let end = match &args.end {
        None => today,
        Some(text) => Date::parse(text).filter(|d| *d <= today).ok_or_else(|| {
            Failure::usage(
                format!("'{text}'에 끝낼 수 없습니다. --end는 2026-11-01 같은 날짜이고 오늘보다 늦을 수 없습니다."),
                format!("it cannot end on '{text}'. --end is a date such as 2026-11-01, today at the latest."),
            )
        })?,
    };
    let mut options = Options::new(args.customers, args.months, args.seed, end);
    options.dirty = args.dirty;
    let mut open = |name: &str| {
        let file = File::create(args.output.join(name))?;
        Ok(Box::new(BufWriter::new(file)) as Box<dyn Write>)
    };
    let counts = generate(&options, &mut open).map_err(|e| Failure::write(&args.output, &e))?;
    let n = |n: usize| thousands(n as u64);
    let dir = args.output.display();
    println!(
        "{}",
        context.lang.pick(
            format!(
                "{dir}: 고객 {}명, 주문 {}건(행 {}개), 환불 {}건, 이벤트 {}개. 읽는 법은 {dir}/README.md에 있습니다.",
                n(counts.customers), n(counts.orders), n(counts.order_rows), n(counts.refunds), n(counts.events)
            ),
            format!(
                "{dir}: {} customers, {} orders ({} rows), {} refunds, {} events. {dir}/README.md says how to import them.",
                n(counts.customers), n(counts.orders), n(counts.order_rows), n(counts.refunds), n(counts.events)
            ),
        )
    );
    Ok(0)
}
