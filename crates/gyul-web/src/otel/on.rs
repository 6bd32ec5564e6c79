//! Of a build with the feature. The SDK batches on a thread of its own and reads the rest of the standard variables
//! (`OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS`, …) itself.

use async_trait::async_trait;
use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{HeaderExtractor, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use std::time::Duration;

tokio::task_local! {
    /// Of the request that is being answered.
    static CURRENT: Context;
}

const NAME: &str = "gyul";
const ANSWER_MAX: u64 = 4 << 20;

/// Where spans go.
pub struct Traces(Option<(SdkTracerProvider, SdkTracer)>);

/// A request's, from its first byte to its answer.
pub struct Span(Option<Context>);

/// A part of a request; ends when it is dropped.
pub struct Within(Option<Context>);

impl Traces {
    /// `endpoint`: where traces go, like `http://localhost:4318/v1/traces`; `None` sends none.
    pub fn new(endpoint: Option<&str>) -> Result<Traces, String> {
        let Some(endpoint) = endpoint else { return Ok(Traces(None)) };
        let client = Client::new();
        let exporter = SpanExporter::builder().with_http().with_http_client(client).with_endpoint(endpoint).build();
        let exporter = exporter.map_err(|e| e.to_string())?;
        let mut resource = Resource::builder();
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name(NAME);
        }
        let resource = resource.with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))).build();
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        let tracer = provider.tracer(NAME);
        Ok(Traces(Some((provider, tracer))))
    }

    pub fn none() -> Traces {
        Traces(None)
    }

    /// `route`: the template of the path.
    pub fn request(&self, method: &Method, route: Option<&str>, headers: &HeaderMap) -> Span {
        let Some((_, tracer)) = &self.0 else { return Span(None) };
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(headers));
        let name = route.map_or(method.to_string(), |route| format!("{method} {route}"));
        let mut told = vec![KeyValue::new("http.request.method", method.to_string())];
        told.extend(route.map(|route| KeyValue::new("http.route", route.to_string())));
        let span = tracer.span_builder(name).with_kind(SpanKind::Server).with_attributes(told);
        Span(Some(parent.with_span(span.start_with_context(tracer, &parent))))
    }

    /// A part of the request that is being answered; nothing outside of one.
    pub fn within(&self, name: &'static str) -> Within {
        let Some((_, tracer)) = &self.0 else { return Within(None) };
        let child = |parent: &Context| parent.with_span(tracer.span_builder(name).start_with_context(tracer, parent));
        Within(CURRENT.try_with(child).ok())
    }

    /// Sends what was not sent yet. Blocks for some seconds where nobody answers.
    pub fn stop(&self) {
        if let Some((provider, _)) = &self.0 {
            // Whoever collects may be gone before us.
            let _ = provider.shutdown_with_timeout(Duration::from_secs(5));
        }
    }
}

impl Span {
    /// What is done for the request: parts of it find the request by this.
    pub async fn scope<F: Future>(&self, work: F) -> F::Output {
        match &self.0 {
            Some(context) => CURRENT.scope(context.clone(), work).await,
            None => work.await,
        }
    }

    pub fn end(self, status: u16) {
        let Some(context) = self.0 else { return };
        let span = context.span();
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        if status >= 500 {
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

impl Drop for Within {
    fn drop(&mut self) {
        if let Some(context) = &self.0 {
            context.span().end();
        }
    }
}

/// The client that hooks use, for the exporter's thread.
struct Client(ureq::Agent);

impl Client {
    fn new() -> Client {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(10)))
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("gyul/", env!("CARGO_PKG_VERSION")));
        Client(config.build().new_agent())
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let (head, mut body) = self.0.run(Request::from_parts(head, body.to_vec()))?.into_parts();
        let bytes = body.with_config().limit(ANSWER_MAX).read_to_vec()?;
        Ok(Response::from_parts(head, bytes.into()))
    }
}
