//! A collector of our own takes what is sent.

use crate::Options;
use crate::tests::Bed;
use axum::body::Body;
use axum::http::Request;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Takes one export after the other.
fn collector() -> (String, Receiver<ExportTraceServiceRequest>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let (mut length, mut line) = (0, String::new());
            while reader.read_line(&mut line).unwrap() > 2 {
                if let Some(n) = line.to_lowercase().strip_prefix("content-length:") {
                    length = n.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            reader.into_inner().write_all(answer).unwrap();
            if tell.send(ExportTraceServiceRequest::decode(&body[..]).unwrap()).is_err() {
                return;
            }
        }
    });
    (format!("http://{address}/v1/traces"), told)
}

fn said<'a>(span: &'a Span, name: &str) -> Option<&'a Value> {
    span.attributes.iter().find(|a| a.key == name)?.value.as_ref()?.value.as_ref()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_a_span_that_continues_the_callers_trace_and_names_nobody() {
    let (endpoint, told) = collector();
    let bed = Bed::with(|o: &mut Options| o.traces = Some(endpoint));
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let key = bed.key(crate::access::Role::Owner).to_string();
    let ask = |path: &str| {
        let request = Request::get(path).header("authorization", format!("Bearer {key}"));
        request.header("traceparent", parent).body(Body::empty()).unwrap()
    };
    assert_eq!(bed.send(ask("/api/v1/customers/nobody")).await.status, 404);
    assert_eq!(bed.send(ask("/api/v1/segments")).await.status, 200);
    let app = bed.app.clone();
    tokio::task::spawn_blocking(move || app.traces.stop()).await.unwrap();
    let mut spans: Vec<Span> = vec![];
    let mut service = None;
    while let Ok(export) = told.recv_timeout(Duration::from_millis(500)) {
        assert!(!format!("{export:?}").contains("nobody"), "a path names people");
        for r in export.resource_spans {
            let attributes = r.resource.unwrap_or_default().attributes;
            service = attributes.into_iter().find(|a| a.key == "service.name").and_then(|a| a.value?.value);
            spans.extend(r.scope_spans.into_iter().flat_map(|s| s.spans));
        }
    }
    assert_eq!(service, Some(Value::StringValue("gyul".into())));
    let of = |name: &str| spans.iter().find(|s| s.name == name).unwrap_or_else(|| panic!("no {name} in {spans:?}"));
    let (one, list) = (of("GET /api/v1/customers/{id}"), of("GET /api/v1/segments"));
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    for span in [one, list] {
        assert_eq!((hex(&span.trace_id), hex(&span.parent_span_id)), (parent[3..35].into(), parent[36..52].into()));
        assert_eq!(said(span, "http.request.method"), Some(&Value::StringValue("GET".into())));
    }
    assert_eq!(said(one, "http.route"), Some(&Value::StringValue("/api/v1/customers/{id}".into())));
    assert_eq!(said(one, "http.response.status_code"), Some(&Value::IntValue(404)));
    assert_eq!(said(list, "http.response.status_code"), Some(&Value::IntValue(200)));
    let inner = spans.iter().find(|s| s.parent_span_id == list.span_id).expect("the question is a part of it");
    assert_eq!(inner.name, "question");
}
