//! What answers in the place of hosts: web servers, MCP servers over HTTP, and ports that say one thing.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::table::Fake;
use crate::error::{Failure, Kind};

/// A public address (that of example.com for years). Some servers refuse one of those that RFC 5737 keeps for documents.
const PUBLIC: Ipv4Addr = Ipv4Addr::new(93, 184, 215, 14);
/// Ports with TLS.
const TLS: [u16; 2] = [443, 8443];
const REQUEST_BYTES_MAX: usize = 1 << 20;

/// Where each host's stand-in listens: no two at one address, as it is outside.
pub(super) fn addresses(fakes: &[Fake]) -> BTreeMap<String, IpAddr> {
    let hosts: BTreeSet<_> = fakes.iter().map(|fake| fake.host.clone()).collect();
    let public = (PUBLIC.to_bits()..).map(Ipv4Addr::from_bits);
    let address = |(host, public): (String, Ipv4Addr)| {
        let address = if host == "localhost" { Ipv4Addr::LOCALHOST } else { public };
        (host, address.into())
    };
    hosts.into_iter().zip(public).map(address).collect()
}

/// Listens for all of them, and answers in a thread of its own for as long as this process lives.
///
/// # Errors
/// When a port can't be had.
pub(super) fn serve(fakes: &[Fake], tls: Arc<ServerConfig>) -> Result<(), Failure> {
    let mut listeners = Vec::new();
    let addresses = addresses(fakes);
    let place = |fake: &Fake| addresses.get(&fake.host).map(|address| SocketAddr::new(*address, fake.port));
    // With what is said there, if it is no web server.
    let places: BTreeMap<_, _> =
        fakes.iter().filter_map(|fake| Some((place(fake)?, fake.tcp.clone()))).collect();
    for (place, said) in places {
        let listener = TcpListener::bind(place).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok(listener)
        });
        listeners.push((
            place,
            said,
            listener.map_err(|error| failed(&format!("cannot listen at {place}"), &error))?,
        ));
    }
    let fakes: Arc<[Fake]> = fakes.into();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed("cannot start a runtime", &error))?;
    let answering = move || {
        runtime.block_on(async {
            for (place, said, listener) in listeners {
                match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => {
                        drop(tokio::spawn(accept((place.port(), said), listener, fakes.clone(), tls.clone())))
                    }
                    Err(_) => continue,
                }
            }
            std::future::pending::<Infallible>().await
        })
    };
    let thread = std::thread::Builder::new().name("stand-ins".into());
    thread.spawn(answering).map_err(|error| failed("cannot start a thread", &error))?;
    Ok(())
}

fn failed(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(Kind::Software, what).because(error)
}

async fn accept(
    (port, said): (u16, Option<String>),
    listener: tokio::net::TcpListener,
    fakes: Arc<[Fake]>,
    tls: Arc<ServerConfig>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (fakes, tls, said) = (fakes.clone(), tls.clone(), said.clone());
        tokio::spawn(async move {
            // Whoever hangs up or speaks something else is not answered.
            if let Some(text) = said {
                let _ = say(stream, &text).await;
            } else if TLS.contains(&port) {
                if let Ok(stream) = TlsAcceptor::from(tls).accept(stream).await {
                    web(stream, port, fakes).await;
                }
            } else {
                web(stream, port, fakes).await;
            }
        });
    }
}

async fn say(mut stream: tokio::net::TcpStream, text: &str) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    while stream.read(&mut buffer).await? > 0 {
        stream.write_all(text.as_bytes()).await?;
    }
    Ok(())
}

async fn web(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, port: u16, fakes: Arc<[Fake]>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let fakes = fakes.clone();
        async move { Ok::<_, Infallible>(answer(request, port, &fakes).await) }
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, port: u16, fakes: &[Fake]) -> Response<Full<Bytes>> {
    let named = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = named.or(request.uri().host()).unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default().to_owned();
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let asked = |fake: &&Fake| {
        fake.host == host
            && fake.port == port
            && fake.tcp.is_none()
            && path.starts_with(fake.path.as_deref().unwrap_or("/"))
    };
    match fakes.iter().find(asked) {
        None => made(StatusCode::NOT_FOUND, "application/json", "{}"),
        Some(fake) if fake.mcp => mcp(request).await,
        Some(fake) => {
            let status = fake.status.and_then(|status| StatusCode::from_u16(status).ok());
            let media_type = fake.media_type.as_deref().unwrap_or("application/json");
            made(status.unwrap_or(StatusCode::OK), media_type, &fake.body)
        }
    }
}

/// A Streamable HTTP server without sessions and streams, as MCP's revision 2025-06-18 allows.
async fn mcp(request: Request<Incoming>) -> Response<Full<Bytes>> {
    const JSON: &str = "application/json";
    if request.method() != Method::POST {
        return made(StatusCode::METHOD_NOT_ALLOWED, JSON, "");
    }
    let body = http_body_util::Limited::new(request.into_body(), REQUEST_BYTES_MAX).collect().await;
    let message = body.ok().and_then(|body| serde_json::from_slice::<Value>(&body.to_bytes()).ok());
    let Some(message) = message else { return made(StatusCode::BAD_REQUEST, JSON, "{}") };
    let Some(id) = message.get("id") else { return made(StatusCode::ACCEPTED, JSON, "") };
    let params = message.get("params").cloned().unwrap_or_default();
    let result = match message["method"].as_str() {
        Some("initialize") => json!({
            "protocolVersion": params["protocolVersion"],
            "capabilities": { "tools": {} },
            "serverInfo": { "name": "stand-in", "version": "1" },
        }),
        Some("tools/list") => json!({ "tools": [{
            "name": "count",
            "description": "counts",
            "inputSchema": { "type": "object", "properties": { "of": { "type": "string" } } },
        }] }),
        Some("tools/call") => {
            let of = params["arguments"]["of"].as_str().unwrap_or_default();
            json!({ "content": [{ "type": "text", "text": format!("seven {of}") }] })
        }
        _ => json!({}),
    };
    made(StatusCode::OK, JSON, &json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string())
}

fn made(status: StatusCode, media_type: &str, body: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *response.status_mut() = status;
    if let Ok(media_type) = media_type.parse() {
        response.headers_mut().insert(CONTENT_TYPE, media_type);
    }
    response
}
