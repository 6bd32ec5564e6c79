//! What is seen of events, and what is expected of them.

use super::*;
use bytes::Bytes;

pub fn add(table: &mut Table) {
    table.at(Endpoint::page("/data/events", "pageEvents", NUMBERS), events);
    table.at(Endpoint::form("/data/events", "putPlan", EDIT), put);
}

#[derive(Template)]
#[template(path = "data/events.html")]
struct Events {
    page: Page,
    title: String,
    frame: Frame,
    events: Vec<EventLine>,
    plan: String,
    declared: bool,
    /// The text is a proposal that nobody saved yet.
    proposed: bool,
    problems: Vec<(Option<u64>, String)>,
    violations: u64,
}

async fn show_events(
    app: &Arc<App>,
    page: Page,
    frame: Frame,
    text: Option<String>,
    problems: Vec<(Option<u64>, String)>,
    propose: bool,
) -> ApiResult {
    let (events, plan, metrics) = app.ask(|b| Ok((b.events()?, b.plan()?, b.metrics()))).await?;
    let violations = metrics.iter().find(|m| m.name == "quarantine_messages").map_or(0, |m| m.value as u64);
    let declared = plan.is_some();
    let plan = match text {
        Some(text) => text,
        None if propose => seen_as_plan(&events),
        None => plan.unwrap_or_default(),
    };
    let template = Events {
        title: page.t("data-tab-events"),
        frame,
        events: events.into_iter().map(|e| event_line(&page, e)).collect(),
        plan,
        declared,
        proposed: propose,
        problems,
        violations,
        page: page.clone(),
    };
    show(&page, &template)
}

async fn events(State(app): Shared, page: Page, args: Args) -> ApiResult {
    let done = (args.get("done") == Some("saved")).then(|| page.t("data-plan-saved"));
    let frame = Frame::new(&page, "events").says(done);
    let propose = args.get("propose") == Some("seen") && page.may_edit();
    show_events(&app, page, frame, None, vec![], propose).await
}

async fn put(State(app): Shared, page: Page, body: Bytes) -> ApiResult {
    let yaml = field(&body, "yaml").unwrap_or_default().replace("\r\n", "\n");
    let text = yaml.clone();
    match app.ask(move |b| b.put_plan(&yaml)).await {
        Ok(()) => Ok(go(&page, "/data/events?done=saved")),
        Err(e) => {
            let of = |p: &Problem| (p.line.map(u64::from), page.either(&p.ko, &p.en).to_string());
            let problems = e.problems().iter().map(of).collect();
            let frame = Frame::new(&page, "events").wrong(&e, &page);
            show_events(&app, page, frame, Some(text), problems, false).await
        }
    }
}

/// A plan that takes all that was seen.
fn seen_as_plan(events: &[EventSchema]) -> String {
    // JSON's quoting is YAML's too.
    let quoted = |name: &str| {
        let plain =
            name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == ' ') && name.starts_with(char::is_alphabetic);
        if plain { name.to_string() } else { json!(name).to_string() }
    };
    let mut out = String::from("version: 1\nunknown_events: allow\nunknown_properties: allow\nevents:\n");
    for e in events.iter().filter(|e| e.name != gyul_model::names::IDENTIFY) {
        out += &format!("  {}:\n", quoted(&e.name));
        if !e.properties.is_empty() {
            out += "    properties:\n";
        }
        for p in &e.properties {
            let kind = match p.types.as_slice() {
                [one] => format!("type: {one}"),
                _ => String::new(),
            };
            let always = e.count > 0 && p.count == e.count;
            let required = if always && !kind.is_empty() { ", required: true" } else { "" };
            out += &format!("      {}: {{ {kind}{required} }}\n", quoted(&p.name));
        }
    }
    if events.is_empty() { out.replace("events:\n", "events: {}\n") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_of_what_is_seen_can_be_read_and_takes_it() {
        let property = |name: &str, count| PropertySchema {
            name: name.into(),
            types: vec!["number".into()],
            count,
            ..PropertySchema::default()
        };
        let event = EventSchema {
            name: "Order: Completed".into(),
            count: 3,
            properties: vec![property("total", 3), property("it's", 1)],
            ..EventSchema::default()
        };
        let text = seen_as_plan(&[event]);
        let plan = gyul_ingest::plan::Plan::from_yaml(&text).unwrap_or_else(|_| panic!("{text}"));
        assert!(!plan.is_empty());
        assert!(text.contains("total: { type: number, required: true }"), "{text}");
        assert!(gyul_ingest::plan::Plan::from_yaml(&seen_as_plan(&[])).is_ok());
    }
}
