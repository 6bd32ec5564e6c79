//! `gyul demo` as a server: the real shop's history, moved so that it ends today; what it sold next may arrive live.

use crate::Context;
use crate::args::DemoArgs;
use crate::failure::{Failure, IO, OURS};
use crate::output::{print, thousands};
use crate::verbs::demo::{FILE, MAP, NAME};
use crate::verbs::{import, serve};
use gyul_engine::FileInput;
use gyul_ingest::{Input, Kind, Mapping, Options as Reading, Source};
use gyul_model::{Date, Instant, MICROS_DAY, MICROS_HOUR, MICROS_MINUTE, Zone, names};
use gyul_web::{Options, Role};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

/// The last event of the file: 9 December 2011, 12:50 in London, where clocks then showed UTC.
const LAST: &str = "2011-12-09T12:50:00Z";
/// How much of the end arrives live: it happens from now on, so that what comes in is new and nothing falls for the
/// lack of a month.
const REPLAYED: i64 = 30 * MICROS_DAY;
/// Nights and Saturdays, when this shop sells nothing, pass in a moment: somebody is watching.
const PAUSE: Duration = Duration::from_secs(5);
/// Events of one request.
const BATCH: usize = 500;

/// One line of an invoice.
struct Line {
    /// When it was, as moved; it arrives sooner.
    ts: Instant,
    invoice: String,
    product: String,
    name: String,
    quantity: f64,
    price: f64,
    customer: String,
}

pub fn run(context: &Context, args: &DemoArgs) -> Result<u8, Failure> {
    let speed = args.replay.as_deref().map(speed).transpose()?;
    let listen = serve::address(&args.listen)?;
    let data = context.data.join("demo-live");
    let context = Context { lang: context.lang, data, now: context.now };
    empty(&context.data)?;
    let zone = Zone::new("Europe/London").unwrap_or_else(Zone::seoul);
    let last = Instant::parse_rfc3339(LAST).unwrap_or(Instant(0));
    // Whole days: the hours of the day stay what they are.
    let end = last.0 - speed.map_or(0, |_| REPLAYED);
    let days = (context.now.0 - end).div_euclid(MICROS_DAY);
    let from = speed.map(|_| Instant(end + days * MICROS_DAY));
    let file = context.data.join("online_retail.csv");
    let month = shift(&file, &zone, days, from)?;
    let mapping = Mapping::from_yaml(MAP)
        .map_err(|p| Failure::says(OURS, |l| p.iter().map(|p| p.message(l)).collect::<Vec<_>>().join("\n")))?;
    let input = FileInput::Named("online_retail.csv", &file);
    let done = import::in_workspace(&context, input, Kind::Orders, Some(mapping), "Europe/London", "GBP")?;
    std::fs::remove_file(&file).map_err(|e| Failure::write(&file, &e))?;
    print(&import::summary(&context, &done, false))?;

    let begun = Clock::now();
    let live = Arc::new(crate::serve::open(&context.data, None)?);
    let opened = begun.elapsed();
    let key = gyul_web::make_key(&*live, "demo", Role::Owner, context.now)
        .map_err(|r| Failure::io(format!("키를 만들 수 없습니다({r:?})."), format!("no key ({r:?})")))?;
    let uploads = context.data.join("uploads");
    std::fs::create_dir_all(&uploads).map_err(|e| Failure::write(&uploads, &e))?;
    print(&context.lang.pick(
        format!("\n데모용 API 키: {key}\n  curl -H 'Authorization: Bearer {key}' http://{listen}/api/v1/segments\n"),
        format!(
            "\nAPI key of the demo: {key}\n  curl -H 'Authorization: Bearer {key}' http://{listen}/api/v1/segments\n"
        ),
    ))?;
    if let (Some(speed), Some(from)) = (speed, from) {
        let n = thousands(month.len() as u64);
        print(&context.lang.pick(
            format!("그다음 한 달의 주문 {n}행이 지금부터 {speed}배속으로 들어옵니다. 변화: curl -N … http://{listen}/v1/changes\n"),
            format!("the month that followed, {n} lines, arrives from now on at {speed} times its speed. Changes: curl -N … http://{listen}/v1/changes\n"),
        ))?;
        let thread = std::thread::Builder::new().name("gyul-replay".into());
        let now = context.now;
        let replay = move || replay(listen, &key, &month, (from, now), speed);
        thread.spawn(replay).map_err(|e| Failure::write(Path::new("thread"), &e))?;
    }
    let guest = gyul_web::make_guest(&*live, "demo@localhost", "Demo", context.now)
        .map_err(|r| Failure::io(format!("사용자를 만들 수 없습니다({r:?})."), format!("no user ({r:?})")))?;
    let open = !args.no_open && std::io::stdout().is_terminal();
    serve::serve(&context, live, Options { listen, uploads, guest: Some(guest), ..Options::default() }, opened, open)
}

/// `60x` or `60`.
fn speed(text: &str) -> Result<u32, Failure> {
    let n = text.trim().trim_end_matches(['x', 'X']).parse().ok().filter(|n| (1..=1_000_000).contains(n));
    n.ok_or_else(|| {
        Failure::usage(
            format!("'{text}'은(는) 배속이 아닙니다. 60x처럼 적으세요."),
            format!("'{text}' is no speed. Write it like 60x."),
        )
    })
}

/// Yesterday's demo goes: its history ended yesterday.
fn empty(data: &Path) -> Result<(), Failure> {
    let _lock = crate::serve::lock_of(data)?;
    let entries = std::fs::read_dir(data).map_err(|e| Failure::read(data, &e))?;
    for path in entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| !p.ends_with("serve.lock")) {
        let gone = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        gone.map_err(|e| Failure::write(&path, &e))?;
    }
    Ok(())
}

/// Writes the lines before `from` with moved dates into a file; gives those from then on.
fn shift(to: &Path, zone: &Zone, days: i64, from: Option<Instant>) -> Result<Vec<Line>, Failure> {
    let input = Input::Stream(Box::new(FILE));
    let says = |e: gyul_ingest::InputError| Failure::says(IO, |l| e.message(l));
    let mut source = Source::open(NAME, input, &Reading::default()).map_err(says)?;
    let file = std::fs::File::create(to).map_err(|e| Failure::write(to, &e))?;
    let mut out = std::io::BufWriter::new(file);
    let write = |e: std::io::Error| Failure::write(to, &e);
    let cells: Vec<String> = source.header().to_vec();
    writeln!(out, "{}", cells.join(",")).map_err(write)?;
    let mut rest = vec![];
    while let Some(chunk) = source.next_chunk().map_err(says)? {
        let rows = chunk.into_rows();
        for r in 0..rows.len() {
            let cell = |c: usize| rows.cell(r, c);
            let moved = moment(cell(4)).map(|(date, time)| (Date(date.0 + days as i32), time));
            let ts = moved.map(|(date, time)| zone.at(date, time));
            if let (Some(ts), Some(from)) = (ts, from)
                && ts >= from
            {
                rest.push(Line {
                    ts,
                    invoice: cell(0).into(),
                    product: cell(1).into(),
                    name: cell(2).into(),
                    quantity: cell(3).parse().unwrap_or(0.0),
                    price: cell(5).parse().unwrap_or(0.0),
                    customer: cell(6).into(),
                });
                continue;
            }
            let date = match moved {
                Some((date, time)) => {
                    let minutes = time / MICROS_MINUTE;
                    format!("{date} {:02}:{:02}", minutes / 60, minutes % 60)
                }
                None => cell(4).to_string(),
            };
            let text = |c: usize| if c == 4 { date.clone() } else { quoted(cell(c)) };
            let line: Vec<String> = (0..cells.len()).map(text).collect();
            writeln!(out, "{}", line.join(",")).map_err(write)?;
        }
    }
    out.flush().map_err(write)?;
    // Nobody knows whose the others are.
    rest.retain(|l| !l.customer.is_empty() && l.quantity != 0.0);
    rest.sort_by_key(|l| l.ts);
    Ok(rest)
}

/// `2011-12-09 12:50`.
fn moment(text: &str) -> Option<(Date, i64)> {
    let date = Date::parse(text.get(..10)?)?;
    let (h, m) = text.get(11..)?.split_once(':')?;
    Some((date, h.parse::<i64>().ok()? * MICROS_HOUR + m.get(..2)?.parse::<i64>().ok()? * MICROS_MINUTE))
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.into() }
}

/// What an invoice says, in our own form of events, as if it were written at `ts`.
fn events(lines: &[Line], ts: Instant) -> Vec<Value> {
    let refund = lines[0].invoice.starts_with('C');
    let (whole, part) = if refund { (names::REFUND, names::ITEM_REFUND) } else { (names::ORDER, names::ITEM) };
    let amount = |x: f64| json!((x * 100.0).round() / 100.0);
    let order = lines[0].invoice.trim_start_matches('C');
    let total: f64 = lines.iter().map(|l| l.price * l.quantity.abs()).sum();
    let event = |l: &Line, name: &str, id: String, props: Value| json!({ "customer": l.customer, "name": name, "ts": ts.to_string(), "id": id, "props": props });
    let props = json!({ "order_id": order, "total": amount(total), "currency": "GBP" });
    let mut out = vec![event(&lines[0], whole, lines[0].invoice.clone(), props)];
    for (i, l) in lines.iter().enumerate() {
        let props = json!({
            "order_id": order, "product_id": l.product, "name": l.name, "price": amount(l.price),
            "quantity": l.quantity.abs(), "total": amount(l.price * l.quantity.abs()),
        });
        out.push(event(l, part, format!("{}#{}", l.invoice, i + 1), props));
    }
    out
}

/// Sends a month as it was, only faster: what came at `from` and after arrives from `now` on.
fn replay(to: SocketAddr, key: &str, lines: &[Line], (from, now): (Instant, Instant), speed: u32) {
    let (begun, mut cut) = (Clock::now(), Duration::ZERO);
    let mut client = None;
    let mut waiting: Vec<Value> = vec![];
    let mut invoices = lines.chunk_by(|a, b| a.invoice == b.invoice).peekable();
    while let Some(invoice) = invoices.next() {
        let due = Duration::from_micros((invoice[0].ts.0 - from.0).max(0) as u64 / u64::from(speed));
        let (wait, left_out) = pause(due, begun.elapsed() + cut);
        cut += left_out;
        std::thread::sleep(wait);
        waiting.extend(events(invoice, Instant(now.0 + begun.elapsed().as_micros() as i64)));
        // What is due together goes together.
        let later = |next: &&[Line]| next[0].ts > invoice[0].ts;
        if waiting.len() < BATCH && !invoices.peek().is_none_or(later) {
            continue;
        }
        for some in waiting.chunks(BATCH) {
            let body = Value::from(some.to_vec()).to_string();
            let mut tries = 0;
            // A server that is not there yet, or has too much to do, is asked again; one that has stopped is not.
            while tries < 40 && post(&mut client, to, key, &body).is_none() {
                client = None;
                tries += 1;
                std::thread::sleep(Duration::from_millis(250));
            }
            if tries == 40 {
                return;
            }
        }
        waiting.clear();
    }
}

/// How long to wait for what is due, and how much of the wait is left out.
fn pause(due: Duration, now: Duration) -> (Duration, Duration) {
    let wait = due.saturating_sub(now);
    (wait.min(PAUSE), wait.saturating_sub(PAUSE))
}

/// One request on a connection that is kept. `None`: again, on another.
fn post(client: &mut Option<BufReader<TcpStream>>, to: SocketAddr, key: &str, body: &str) -> Option<()> {
    let connection = match client {
        Some(c) => c,
        None => client.insert(BufReader::new(TcpStream::connect(to).ok()?)),
    };
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nHost: {to}\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let stream = connection.get_mut();
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).ok()?;
    let mut line = String::new();
    connection.read_line(&mut line).ok()?;
    let taken = line.split(' ').nth(1).is_some_and(|status| status == "200");
    let mut length = 0_u64;
    loop {
        line.clear();
        connection.read_line(&mut line).ok()?;
        let lower = line.trim_end().to_lowercase();
        if lower.is_empty() {
            break;
        }
        if let Some(n) = lower.strip_prefix("content-length:") {
            length = n.trim().parse().ok()?;
        }
    }
    connection.take(length.min(1 << 20)).read_to_end(&mut vec![]).ok()?;
    taken.then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_night_passes_in_a_moment_and_what_follows_keeps_its_pace() {
        let s = Duration::from_secs;
        assert_eq!(pause(s(3), s(1)), (s(2), s(0)));
        assert_eq!(pause(s(3), s(4)), (s(0), s(0)), "late is at once");
        // A night of 900 s, then an order 2 s after the one that ended it.
        let (wait, cut) = pause(s(1000), s(100));
        assert_eq!((wait, cut), (s(5), s(895)));
        assert_eq!(pause(s(1002), s(105) + cut), (s(2), s(0)));
    }

    #[test]
    fn speeds_and_moments_are_read_as_written() {
        assert_eq!((speed("60x").unwrap(), speed("1").unwrap()), (60, 1));
        ["", "x", "0x", "-1", "fast"].into_iter().for_each(|bad| assert!(speed(bad).is_err(), "{bad}"));
        let at = |t| moment(t).map(|(d, t)| (d.to_string(), t / MICROS_MINUTE));
        assert_eq!(at("2011-12-09 12:50"), Some(("2011-12-09".into(), 770)));
        ["", "2011-12-09", "2011-12-09 1250", "귤귤귤귤귤귤"].into_iter().for_each(|bad| assert_eq!(at(bad), None));
    }

    #[test]
    fn an_invoice_becomes_an_order_with_its_lines_and_a_credit_note_a_refund() {
        let line = |invoice: &str, quantity| Line {
            ts: Instant(0),
            invoice: invoice.into(),
            product: "p".into(),
            name: "n".into(),
            quantity,
            price: 2.55,
            customer: "17850".into(),
        };
        let arrived = Instant(7_000_000);
        let order = events(&[line("536365", 6.0), line("536365", 2.0)], arrived);
        let name = |e: &Value| e["name"].as_str().unwrap().to_string();
        assert_eq!(order.iter().map(name).collect::<Vec<_>>(), [names::ORDER, names::ITEM, names::ITEM]);
        assert_eq!(order[0]["props"]["total"], json!(20.4));
        assert!(order.iter().all(|e| e["ts"] == json!(arrived.to_string())), "{order:?}");
        let refund = events(&[line("C536365", -1.0)], arrived);
        assert_eq!(refund.iter().map(name).collect::<Vec<_>>(), [names::REFUND, names::ITEM_REFUND]);
        assert_eq!((&refund[1]["props"]["quantity"], &refund[0]["props"]["order_id"]), (&json!(1.0), &json!("536365")));
    }
}
