//! The description of the API (OpenAPI 3.1), written from the routes.

use serde_json::{Map, Value, json};

use super::route::{Body, Gives, Method, Parameter, Place, Route};
use super::{ROOT, routes};

/// The whole description.
pub(super) fn description() -> Value {
    let mut paths = Map::new();
    for route in routes() {
        let path = paths
            .entry(format!("{ROOT}{}", route.path))
            .or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            let method = match route.method {
                Method::Get => "get",
                Method::Post => "post",
                Method::Put => "put",
                Method::Delete => "delete",
            };
            path.insert(method.to_owned(), operation(route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Postrider",
            "description": "What can be asked of a Postrider mail server. Each operation names the right it needs.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0 OR MIT" },
        },
        "security": [{ "token": [] }],
        "components": {
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "As `postrider token add` prints it." },
            },
            "schemas": { "Problem": problem() },
        },
        "paths": paths,
    })
}

fn operation(route: &Route) -> Value {
    let right = route.right.word();
    let parameters: Vec<Value> = route.parameters.iter().map(parameter).collect();
    let mut operation = json!({
        "operationId": route.name,
        "summary": route.summary,
        "description": format!("{} Needs the right to {right}.", route.summary),
        "parameters": parameters,
        "responses": responses(route),
    });
    let body = match route.body {
        Body::None => None,
        Body::Json(schema) => {
            let schema = schema();
            let required = schema.get("required").is_some();
            let content = json!({ "application/json": { "schema": schema } });
            Some(json!({ "required": required, "content": content }))
        }
        Body::Message => {
            let content = json!({ "message/rfc822": { "schema": { "type": "string" } } });
            Some(json!({ "required": true, "content": content }))
        }
    };
    if let (Some(body), Some(operation)) = (body, operation.as_object_mut()) {
        operation.insert("requestBody".to_owned(), body);
    }
    operation
}

fn parameter(parameter: &Parameter) -> Value {
    let schema = parameter.form.schema();
    let (place, required, schema) = match parameter.place {
        Place::Path => ("path", true, schema),
        Place::Query => ("query", false, schema),
        Place::Needed => ("query", true, schema),
        Place::Repeated => ("query", false, json!({ "type": "array", "items": schema })),
    };
    json!({
        "name": parameter.name,
        "in": place,
        "required": required,
        "description": parameter.doc,
        "schema": schema,
    })
}

fn responses(route: &Route) -> Value {
    let given = match route.gives {
        Gives::One(schema) => json!({ "application/json": { "schema": schema() } }),
        Gives::Rows(schema) => json!({ "application/json": { "schema": {
            "type": "object",
            "properties": { "rows": { "type": "array", "items": schema() } },
            "required": ["rows"],
        } } }),
        Gives::Octets(media) => json!({ media: { "schema": { "type": "string" } } }),
    };
    let mut responses = Map::new();
    responses.insert(
        "200".to_owned(),
        json!({ "description": "What was asked for.", "content": given }),
    );
    for (status, when) in PROBLEMS {
        let content = json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } });
        responses.insert(
            (*status).to_owned(),
            json!({ "description": when, "content": content }),
        );
    }
    Value::Object(responses)
}

const PROBLEMS: &[(&str, &str)] = &[
    ("400", "The request cannot be understood: the asker's move."),
    ("401", "Nobody known asks."),
    ("403", "The right to it is missing."),
    ("404", "There is nothing there."),
    ("405", "There is nothing there for this method."),
    ("413", "The body is too long."),
    ("415", "The body is of another kind."),
    ("422", "It was understood and refused: the asker's move."),
    (
        "500",
        "Something here must be mended first: the operator's move.",
    ),
    ("503", "Not now; the same may work later."),
];

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "RFC 9457.",
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "whose_move": { "type": "string", "enum": ["asker", "operator", "time"] },
        },
        "required": ["type", "title", "status", "detail", "whose_move"],
    })
}
