//! The one table of endpoints: who may call what, what it takes and gives. The router, the check of every request,
//! the OpenAPI document and the test of every endpoint with every role all come from it.

use crate::access::Role;
use crate::app::App;
use crate::args::{DAYS_MAX, LIMIT_MAX};
use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, on};
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

/// Sees people.
pub const PEOPLE: Access = Access::Roles(&[Role::Owner, Role::Marketer, Role::Analyst]);
/// Sees definitions and numbers.
pub const NUMBERS: Access = Access::Roles(&[Role::Owner, Role::Marketer, Role::Analyst, Role::ReadOnly]);
/// Changes definitions and data.
pub const EDIT: Access = Access::Roles(&[Role::Owner, Role::Marketer]);
pub const OWNER: Access = Access::Roles(&[Role::Owner]);
/// Whoever is signed in.
pub const ANYBODY: Access = Access::Roles(&Role::ALL);
/// Anybody at all.
pub const OPEN: Access = Access::Open;
/// Sends events.
pub const SEND: Access = Access::Ingest(&[Role::Owner, Role::Marketer, Role::Ingest]);

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Access {
    /// Anybody, without a key.
    Open,
    Roles(&'static [Role]),
    /// As `Roles`, but the key may also be in the body or the query, and any web page may call.
    Ingest(&'static [Role]),
    /// Proved by a signature over the body.
    Signed,
}

impl Access {
    pub fn allows(self, role: Role) -> bool {
        match self {
            Access::Open | Access::Signed => true,
            Access::Roles(roles) | Access::Ingest(roles) => roles.contains(&role),
        }
    }
}

/// A parameter of a query.
pub struct Param {
    pub name: &'static str,
    pub kind: Kind,
    pub required: bool,
    pub en: &'static str,
}

/// What a parameter can be.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Of so many characters.
    Text(usize, usize),
    /// From so much on.
    Whole(u64),
    /// So many days, up to a century.
    Days,
    /// 1 to 1000.
    Limit,
    Instant,
}

impl Kind {
    pub fn schema(self) -> Value {
        match self {
            Kind::Text(min, max) => json!({ "type": "string", "minLength": min, "maxLength": max }),
            Kind::Whole(min) => json!({ "type": "integer", "minimum": min, "maximum": i64::MAX }),
            Kind::Days => json!({ "type": "integer", "minimum": 1, "maximum": DAYS_MAX }),
            Kind::Limit => json!({ "type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": 100 }),
            Kind::Instant => json!({ "type": "string", "format": "date-time" }),
        }
    }
}

/// Names and ids.
pub const NAME: Kind = Kind::Text(1, 200);

/// A schema with all that it refers to.
#[derive(Clone)]
pub struct Shape {
    pub schema: Value,
    pub parts: Vec<(String, RefOr<Schema>)>,
}

impl Shape {
    pub fn of<T: ToSchema>() -> Shape {
        let name = T::name().to_string();
        let mut parts = vec![(name.clone(), T::schema())];
        T::schemas(&mut parts);
        Shape { schema: json!({ "$ref": format!("#/components/schemas/{name}") }), parts }
    }

    pub fn page_of<T: ToSchema>() -> Shape {
        let one = Shape::of::<T>();
        let schema = json!({
            "type": "object",
            "required": ["items", "next"],
            "properties": {
                "items": { "type": "array", "items": one.schema },
                "next": { "type": ["string", "null"], "description": "The cursor of the next page; null on the last." },
            },
        });
        Shape { schema, parts: one.parts }
    }

    pub fn json(schema: Value) -> Shape {
        Shape { schema, parts: vec![] }
    }
}

/// What a body is made of.
#[derive(Clone)]
pub struct Body {
    pub media: &'static str,
    pub shape: Option<Shape>,
}

pub struct Endpoint {
    pub method: Method,
    pub path: String,
    /// Names the operation: stable.
    pub id: String,
    pub tag: &'static str,
    pub access: Access,
    pub ko: &'static str,
    pub en: &'static str,
    pub query: Vec<Param>,
    pub body: Option<Body>,
    pub reply: Body,
    pub status: u16,
    /// Bytes of the body, before and after decompression; `None` streams.
    pub body_max: Option<usize>,
    /// Leaves a line in the audit log.
    pub audited: bool,
    /// The answer holds a secret and is never given twice.
    pub secret: bool,
    /// Called often by machines: another bucket.
    pub hot: bool,
    /// A page for people: no part of the API, answers are HTML, who is not signed in is led to do so.
    pub page: bool,
}

impl Endpoint {
    fn new(
        method: Method,
        path: impl Into<String>,
        id: impl Into<String>,
        tag: &'static str,
        access: Access,
    ) -> Endpoint {
        let audited = method != Method::GET && matches!(access, Access::Roles(_));
        Endpoint {
            method,
            path: path.into(),
            id: id.into(),
            tag,
            access,
            ko: "",
            en: "",
            query: vec![],
            body: None,
            reply: Body { media: "application/json", shape: None },
            status: 200,
            body_max: Some(256 * 1024),
            audited,
            secret: false,
            hot: false,
            page: false,
        }
    }

    pub fn get(path: impl Into<String>, id: impl Into<String>, tag: &'static str, access: Access) -> Endpoint {
        Endpoint::new(Method::GET, path, id, tag, access)
    }

    pub fn post(path: impl Into<String>, id: impl Into<String>, tag: &'static str, access: Access) -> Endpoint {
        Endpoint::new(Method::POST, path, id, tag, access)
    }

    pub fn put(path: impl Into<String>, id: impl Into<String>, tag: &'static str, access: Access) -> Endpoint {
        Endpoint::new(Method::PUT, path, id, tag, access)
    }

    pub fn delete(path: impl Into<String>, id: impl Into<String>, tag: &'static str, access: Access) -> Endpoint {
        Endpoint { status: 204, ..Endpoint::new(Method::DELETE, path, id, tag, access) }
    }

    pub fn says(mut self, ko: &'static str, en: &'static str) -> Endpoint {
        (self.ko, self.en) = (ko, en);
        self
    }

    pub fn query(mut self, name: &'static str, kind: Kind, en: &'static str) -> Endpoint {
        self.query.push(Param { name, kind, required: false, en });
        self
    }

    pub fn needs(mut self, name: &'static str, kind: Kind, en: &'static str) -> Endpoint {
        self.query.push(Param { name, kind, required: true, en });
        self
    }

    /// `limit` and `cursor`.
    pub fn paged<T: ToSchema>(self) -> Endpoint {
        self.gives_page::<T>().query("limit", Kind::Limit, "How many at most.").query(
            "cursor",
            Kind::Text(1, 1000),
            "The `next` of the page before.",
        )
    }

    /// `items` and `next`.
    pub fn gives_page<T: ToSchema>(mut self) -> Endpoint {
        self.reply.shape = Some(Shape::page_of::<T>());
        self
    }

    pub fn takes<T: ToSchema>(mut self) -> Endpoint {
        self.body = Some(Body { media: "application/json", shape: Some(Shape::of::<T>()) });
        self
    }

    pub fn takes_media(mut self, media: &'static str) -> Endpoint {
        self.body = Some(Body { media, shape: None });
        self
    }

    pub fn takes_json(mut self, schema: Value) -> Endpoint {
        self.body = Some(Body { media: "application/json", shape: Some(Shape::json(schema)) });
        self
    }

    pub fn gives<T: ToSchema>(mut self) -> Endpoint {
        self.reply.shape = Some(Shape::of::<T>());
        if self.status == 204 {
            self.status = 200;
        }
        self
    }

    pub fn gives_json(mut self, schema: Value) -> Endpoint {
        self.reply.shape = Some(Shape::json(schema));
        self
    }

    pub fn gives_media(mut self, media: &'static str) -> Endpoint {
        self.reply = Body { media, shape: None };
        self
    }

    pub fn status(mut self, status: u16) -> Endpoint {
        self.status = status;
        self
    }

    pub fn body_max(mut self, bytes: usize) -> Endpoint {
        self.body_max = Some(bytes);
        self
    }

    pub fn streams(mut self) -> Endpoint {
        self.body_max = None;
        self
    }

    pub fn audited(mut self, audited: bool) -> Endpoint {
        self.audited = audited;
        self
    }

    pub fn secret(mut self) -> Endpoint {
        self.secret = true;
        self
    }

    pub fn hot(mut self) -> Endpoint {
        self.hot = true;
        self
    }

    /// A page, or a part of one, that is read.
    pub fn page(path: impl Into<String>, id: impl Into<String>, access: Access) -> Endpoint {
        let endpoint = Endpoint::new(Method::GET, path, id, "pages", access).gives_media("text/html; charset=utf-8");
        Endpoint { page: true, ..endpoint }
    }

    /// What a form of a page is sent to.
    pub fn form(path: impl Into<String>, id: impl Into<String>, access: Access) -> Endpoint {
        let endpoint = Endpoint::new(Method::POST, path, id, "pages", access).gives_media("text/html; charset=utf-8");
        Endpoint { page: true, ..endpoint }.takes_media("application/x-www-form-urlencoded")
    }
}

/// Endpoints with what answers them.
#[derive(Default)]
pub struct Table {
    pub endpoints: Vec<Endpoint>,
    pub router: Router<Arc<App>>,
}

impl Table {
    pub fn at<H, T>(&mut self, endpoint: Endpoint, handler: H)
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        let filter = match endpoint.method {
            Method::POST => MethodFilter::POST,
            Method::PUT => MethodFilter::PUT,
            Method::DELETE => MethodFilter::DELETE,
            _ => MethodFilter::GET,
        };
        let router = std::mem::take(&mut self.router);
        self.router = router.route(&endpoint.path, on(filter, handler));
        self.endpoints.push(endpoint);
    }
}
