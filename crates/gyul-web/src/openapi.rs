//! The OpenAPI 3.1 document, made from the table.

use crate::table::{Access, Body, Endpoint, Shape};
use serde_json::{Map, Value, json};

pub fn document(endpoints: &[Endpoint]) -> Value {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for e in endpoints.iter().filter(|e| !e.page) {
        for shape in [e.reply.shape.as_ref(), e.body.as_ref().and_then(|b| b.shape.as_ref())].into_iter().flatten() {
            collect(shape, &mut schemas);
        }
        let item = paths.entry(e.path.clone()).or_insert_with(|| json!({}));
        item[e.method.as_str().to_ascii_lowercase()] = operation(e);
    }
    schemas.insert("Error".into(), error_schema());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Gyul",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Customer segments for shops, exact at every moment.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "description": "An API key." },
                "basic": { "type": "http", "scheme": "basic", "description": "An API key as the user name, no password." },
                "session": { "type": "apiKey", "in": "cookie", "name": crate::guard::COOKIE, "description": "Set by signing in. Writes need the header X-CSRF-Token." },
            },
        },
    })
}

fn collect(shape: &Shape, schemas: &mut Map<String, Value>) {
    for (name, schema) in &shape.parts {
        if let Ok(schema) = serde_json::to_value(schema) {
            schemas.entry(name.clone()).or_insert(schema);
        }
    }
}

fn operation(e: &Endpoint) -> Value {
    let in_path = e
        .path
        .split('{')
        .skip(1)
        .filter_map(|p| p.split('}').next())
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": path_schema(name) }));
    let in_query = e.query.iter().map(|p| {
        json!({ "name": p.name, "in": "query", "required": p.required, "description": p.en, "schema": p.kind.schema() })
    });
    let mut parameters: Vec<Value> = in_path.chain(in_query).collect();
    if e.method == axum::http::Method::POST && e.body_max.is_some() && matches!(e.access, Access::Roles(_)) {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "The same request with the same key is done once (within a day and a server's life).",
            "schema": { "type": "string", "maxLength": 255 },
        }));
    }
    let mut good = json!({ "description": e.en });
    if e.status != 204 {
        good["content"] = content(&e.reply);
    }
    let error = json!({
        "description": "Refused, with a stable code",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Error" } } },
    });
    let mut out = json!({
        "operationId": e.id,
        "tags": [e.tag],
        "summary": e.en,
        "x-summary-ko": e.ko,
        "parameters": parameters,
        "responses": { e.status.to_string(): good, "default": error },
    });
    match e.access {
        Access::Open | Access::Signed => out["security"] = json!([]),
        Access::Roles(roles) | Access::Ingest(roles) => {
            out["x-roles"] = json!(roles);
            out["security"] = json!([{ "bearer": [] }, { "basic": [] }, { "session": [] }]);
        }
    }
    if let Some(body) = &e.body {
        out["requestBody"] = json!({ "required": true, "content": content(body) });
    }
    out
}

fn path_schema(name: &str) -> Value {
    match name {
        "email" => json!({ "type": "string", "pattern": EMAIL, "maxLength": 254 }),
        "kind" => json!({ "type": "string", "enum": ["segments", "partitions"] }),
        "decision" | "number" => json!({ "type": "integer", "minimum": 0 }),
        "name" => json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]+$", "maxLength": 64 }),
        _ => json!({ "type": "string", "minLength": 1 }),
    }
}

const EMAIL: &str = r"^[^@\s]+@[^@\s]+$";

fn content(body: &Body) -> Value {
    let schema = match &body.shape {
        Some(shape) => json!({ "schema": shape.schema }),
        // Text or bytes of their own syntax.
        None => json!({}),
    };
    json!({ body.media: schema })
}

fn error_schema() -> Value {
    json!({
        "type": "object",
        "description": "RFC 9457.",
        "required": ["type", "title", "status", "code", "detail", "request_id"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "code": { "type": "string", "description": "Stable." },
            "detail": { "type": "string", "description": "In Korean or English, by Accept-Language." },
            "request_id": { "type": "string" },
            "errors": { "type": "array", "items": {
                "type": "object",
                "required": ["code", "severity", "message"],
                "properties": {
                    "code": { "type": "string" },
                    "severity": { "type": "string", "enum": ["error", "warning"] },
                    "message": { "type": "string" },
                    "hint": { "type": "string" },
                    "line": { "type": "integer" },
                    "column": { "type": "integer" },
                    "width": { "type": "integer" },
                },
            } },
        },
    })
}
