//! Requests and their answers.

use std::{collections::HashMap, io};

use axum::{
    body::{Body, to_bytes},
    extract::{Query, Request},
    http::{HeaderMap, Method, StatusCode, header::ACCEPT},
    response::{IntoResponse, Response},
};
use enforcer::policy::DocumentName;
use serde_json::{Value, json};

use super::{
    Shared,
    store::{Application, Event, Gone, Refusal, refusal},
};

/// Largest body.
const LARGEST: usize = 16 << 20;

type Parameters = HashMap<String, String>;

/// What is asked for.
struct Asked {
    collection: String,
    namespace: Option<String>,
    /// With the namespace before it, where there is one.
    name: Option<String>,
    status: bool,
}

pub(super) async fn answer(shared: Shared, request: Request) -> Response {
    let asked = asked(request.uri().path());
    let parameters: Parameters = Query::try_from_uri(request.uri())
        .map(|Query(parameters)| parameters)
        .unwrap_or_default();
    let bare = wants_metadata(request.headers());
    let method = request.method().clone();
    let served = shared.store().serves(
        &asked.collection,
        asked.namespace.is_some(),
        asked.name.is_some(),
    );
    let answered = match (&method, &asked.name) {
        _ if !served => Err(refusal(404, "NotFound", "page not found")),
        (&Method::GET, None)
            if parameters
                .get("watch")
                .is_some_and(|it| it != "false" && it != "0") =>
        {
            watch(shared, &asked, parameters, bare)
        }
        (&Method::GET, None) => Ok(list(&shared, &asked, &parameters, bare)),
        (&Method::GET, Some(name)) => {
            let found = shared.store().get(&asked.collection, name);
            found
                .map(|object| json_of(StatusCode::OK, &object))
                .ok_or_else(|| refusal(404, "NotFound", format!("{name} not found")))
        }
        (&Method::PATCH, Some(name)) => {
            let body = to_bytes(request.into_body(), LARGEST)
                .await
                .unwrap_or_default();
            let has = |name: &str, value: &str| parameters.get(name).is_some_and(|it| it == value);
            let how = Application {
                manager: parameters.get("fieldManager").cloned().unwrap_or_default(),
                force: has("force", "true"),
                dry_run: has("dryRun", "All"),
                status: asked.status,
            };
            let applied = serde_json::from_slice(&body)
                .map_err(|error| refusal(400, "BadRequest", error.to_string()))
                .and_then(|manifest| {
                    shared
                        .store()
                        .apply(&asked.collection, name, &manifest, &how)
                });
            shared.ring();
            applied.map(|object| json_of(StatusCode::OK, &object))
        }
        _ => Err(refusal(405, "MethodNotAllowed", method.to_string())),
    };
    answered.unwrap_or_else(|refused| {
        let code = StatusCode::from_u16(refused.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        json_of(code, &status_of(&refused))
    })
}

/// `/apis/GROUP/VERSION[/namespaces/NAMESPACE]/PLURAL[/NAME[/status]]`, `/api/v1/PLURAL[/NAME]`.
fn asked(path: &str) -> Asked {
    let mut parts: Vec<&str> = path.split('/').skip(1).collect();
    let head = if parts.first() == Some(&"apis") { 4 } else { 3 };
    let mut namespace = None;
    if parts.get(head - 1) == Some(&"namespaces") && parts.len() > head + 1 {
        namespace = parts.drain(head - 1..=head).nth(1).map(str::to_owned);
    }
    let (collection, rest) = parts.split_at(head.min(parts.len()));
    let name = rest.first().map(|name| {
        let name = DocumentName::new(namespace.as_deref(), name);
        name.to_string()
    });
    Asked {
        collection: format!("/{}", collection.join("/")),
        namespace,
        name,
        status: rest.get(1) == Some(&"status"),
    }
}

fn list(shared: &Shared, asked: &Asked, parameters: &Parameters, bare: bool) -> Response {
    let mut store = shared.store();
    let namespace = asked.namespace.as_deref();
    let items: Vec<Value> = store
        .list(&asked.collection)
        .into_iter()
        .filter(|object| namespace.is_none_or(|it| object["metadata"]["namespace"] == it))
        .filter(|object| selected(object, parameters))
        .map(|object| shown(object, bare))
        .collect();
    let number = |name: &str| parameters.get(name).and_then(|it| it.parse::<usize>().ok());
    let from = number("continue").unwrap_or(0);
    // Small pages, so that there are several.
    let most = number("limit").unwrap_or(items.len()).clamp(1, 2);
    let until = (from + most).min(items.len());
    let more = (until < items.len()).then(|| until.to_string());
    json_of(
        StatusCode::OK,
        &json!({
            "apiVersion": if bare { "meta.k8s.io/v1" } else { "v1" },
            "kind": if bare { "PartialObjectMetadataList" } else { "List" },
            "metadata": {"resourceVersion": store.version.to_string(), "continue": more},
            "items": items[from.min(until)..until],
        }),
    )
}

fn watch(
    shared: Shared,
    asked: &Asked,
    parameters: Parameters,
    bare: bool,
) -> Result<Response, Refusal> {
    let from = parameters.get("resourceVersion");
    let from: u64 = from.and_then(|it| it.parse().ok()).unwrap_or(0);
    let gone = refusal(410, "Expired", format!("too old resource version: {from}"));
    let (epoch, is_gone) = {
        let store = shared.store();
        let is_gone = from < store.oldest;
        if is_gone && store.gone == Gone::AtItsStart {
            return Err(gone);
        }
        (store.epoch, is_gone)
    };
    shared.store().watch_began(&asked.collection);
    let open = Open {
        changes: shared.changes.subscribe(),
        ended: EndOfWatch {
            shared,
            collection: asked.collection.clone(),
        },
        sent: from,
        epoch,
        parameters,
        bare,
        last: is_gone.then(|| line("ERROR", &status_of(&gone))),
        over: false,
    };
    let lines = futures_util::stream::unfold(open, Open::next);
    Ok(Response::new(Body::from_stream(lines)))
}

/// A watch.
struct Open {
    changes: tokio::sync::watch::Receiver<u64>,
    ended: EndOfWatch,
    sent: u64,
    epoch: u64,
    parameters: Parameters,
    bare: bool,
    /// What is said before it ends, in the middle of a line or not.
    last: Option<String>,
    over: bool,
}

/// Counts a watch until it is dropped.
struct EndOfWatch {
    shared: Shared,
    collection: String,
}

impl Drop for EndOfWatch {
    fn drop(&mut self) {
        self.shared.store().watch_ended(&self.collection);
    }
}

impl Open {
    async fn next(mut self) -> Option<(io::Result<String>, Self)> {
        if self.over {
            return None;
        }
        if let Some(last) = self.last.take() {
            self.over = true;
            return Some((Ok(last), self));
        }
        loop {
            self.changes.borrow_and_update();
            let (lines, ends) = self.news();
            if !lines.is_empty() {
                return Some((Ok(lines), self));
            }
            if ends {
                self.over = true;
                return Some((Err(io::Error::other("the connection breaks")), self));
            }
            self.changes.changed().await.ok()?;
        }
    }

    /// What happened since, and whether the watch ends then.
    fn news(&mut self) -> (String, bool) {
        let store = self.ended.shared.store();
        if store.epoch != self.epoch {
            return (String::new(), true);
        }
        let mut lines = String::new();
        for event in &store.history {
            if event.version > self.sent && event.collection == self.ended.collection {
                lines += &told(event, &self.parameters, self.bare);
            }
        }
        self.sent = store.version.max(self.sent);
        (lines, false)
    }
}

fn told(event: &Event, parameters: &Parameters, bare: bool) -> String {
    if event.kind == "BOOKMARK" {
        return line(event.kind, &event.object);
    }
    if !selected(&event.object, parameters) {
        return String::new();
    }
    line(event.kind, &shown(event.object.clone(), bare))
}

fn line(kind: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": kind, "object": object}))
}

/// `fieldSelector=spec.nodeName=NODE` and `labelSelector=KEY=VALUE`.
fn selected(object: &Value, parameters: &Parameters) -> bool {
    let pair = |name: &str| parameters.get(name).and_then(|it| it.split_once('='));
    let by_field = pair("fieldSelector").is_none_or(|(path, value)| {
        let pointer = format!("/{}", path.replace('.', "/"));
        object.pointer(&pointer).is_some_and(|it| it == value)
    });
    let by_label = pair("labelSelector")
        .is_none_or(|(label, value)| object["metadata"]["labels"][label] == value);
    by_field && by_label
}

fn shown(object: Value, bare: bool) -> Value {
    if !bare {
        return object;
    }
    json!({
        "apiVersion": "meta.k8s.io/v1",
        "kind": "PartialObjectMetadata",
        "metadata": object["metadata"],
    })
}

fn wants_metadata(headers: &HeaderMap) -> bool {
    let accepts = headers.get(ACCEPT).and_then(|it| it.to_str().ok());
    accepts.is_some_and(|it| it.contains("as=PartialObjectMetadata"))
}

fn status_of(refused: &Refusal) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Status",
        "metadata": {},
        "status": "Failure",
        "message": refused.message,
        "reason": refused.reason,
        "code": refused.code,
    })
}

fn json_of(code: StatusCode, value: &Value) -> Response {
    (code, axum::Json(value)).into_response()
}
