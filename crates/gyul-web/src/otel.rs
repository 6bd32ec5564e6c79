//! Where does the time of a request go? Traces for whoever collects them: [OpenTelemetry](https://opentelemetry.io) over
//! OTLP/HTTP, with the feature `otel`. Without it the same names do nothing and cost nothing.
//!
//! A span a request, named by the endpoint's template and never by its path: paths name people. A `traceparent` (W3C) that
//! comes with the request is continued.

#[cfg(not(feature = "otel"))]
mod off;
#[cfg(feature = "otel")]
mod on;
#[cfg(all(test, feature = "otel-test"))]
mod tests;

#[cfg(not(feature = "otel"))]
pub use off::*;
#[cfg(feature = "otel")]
pub use on::*;
