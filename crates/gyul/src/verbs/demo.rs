//! `gyul demo`: half a million real invoice lines, from the file to the page.

use crate::Context;
use crate::args::DemoArgs;
use crate::definitions;
use crate::failure::{Failure, IO};
use crate::output::print;
use crate::verbs::{demo_live, import, report, segments};
use gyul_engine::{Engine, FileInput, View, schema_of, starter_at};
use gyul_ingest::{Kind, Mapping};
use gyul_report::Text;
use std::io::IsTerminal;
use std::path::PathBuf;

pub const FILE: &[u8] = include_bytes!("../../../../datasets/online-retail/online_retail.csv.zst");
pub const NAME: &str = "online_retail.csv.zst";

pub const MAP: &str = "kind: orders
rows: lines
zone: Europe/London
currency: GBP
columns:
  customer: CustomerID
  time: {column: InvoiceDate, format: ymd}
  order: InvoiceNo
  product: StockCode
  name: Description
  quantity: Quantity
  price: UnitPrice
cancel:
  prefix: C
traits:
  country: Country
";

/// What the shop's definitions say about itself.
const SHOP: &str = "version: 1\nzone: Europe/London\ncurrency: GBP\n";

pub fn run(context: &Context, args: &DemoArgs) -> Result<u8, Failure> {
    if !args.once {
        return demo_live::run(context, args);
    }
    // A folder of its own: the demo never touches the shop's data.
    let data = context.data.join("demo");
    let context = Context { lang: context.lang, data, now: context.now };
    let mapping = Mapping::from_yaml(MAP).map_err(|p| {
        Failure::says(crate::failure::OURS, |l| p.iter().map(|p| p.message(l)).collect::<Vec<_>>().join("\n"))
    })?;
    let done = import::in_workspace(
        &context,
        FileInput::Bytes(NAME, FILE),
        Kind::Orders,
        Some(mapping),
        "Europe/London",
        "GBP",
    )?;
    print(&import::summary(&context, &done, false))?;

    let mut files = starter_at("Europe/London", "GBP");
    files.push(("demo".into(), SHOP.into()));
    let engine = Engine::open(&context.data).map_err(|e| Failure::says(IO, |l| e.message(l)))?;
    let data = engine.load(None).map_err(|e| Failure::says(IO, |l| e.message(l)))?;
    let library = definitions::library(&files, Some(&schema_of(&data)))?;
    let view = View::new(data, library);
    let at = view.period().map_or(context.now, |p| p.1);
    print("\n")?;
    print(&segments::counts_table(context.lang, &view, &view.counts(at), at))?;

    let page = PathBuf::from("report.html");
    let source = Text::new(
        "데이터: Chen, D. (2015). Online Retail. UCI Machine Learning Repository. doi:10.24432/C5BW33. CC BY 4.0.",
        "Data: Chen, D. (2015). Online Retail. UCI Machine Learning Repository. doi:10.24432/C5BW33. CC BY 4.0.",
    );
    report::write(&context, &view, at, "Online Retail".into(), Some(source), &page)?;
    let (file, dir) = (page.display(), context.data.display());
    print(&context.lang.pick(
        format!(
            "\n리포트: {file}\n데이터: {dir} (예: gyul --data {dir} segments why rfm/champions 12347 --as-of end)\n"
        ),
        format!("\nreport: {file}\ndata: {dir} (try gyul --data {dir} segments why rfm/champions 12347 --as-of end)\n"),
    ))?;
    if !args.no_open && std::io::stdout().is_terminal() {
        open_in_browser(page.as_os_str());
    }
    Ok(0)
}

/// Shows a file or an address in the browser, where there is one.
pub fn open_in_browser(page: impl AsRef<std::ffi::OsStr>) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let quiet = std::process::Stdio::null;
    let _ =
        std::process::Command::new(opener).arg(page.as_ref()).stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn();
}
