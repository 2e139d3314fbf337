use std::io::{Read, Write};
use std::net::TcpStream;

use crossbeam_channel::Receiver;
use serde_json::json;

use super::*;

fn started() -> (Edge, Arc<View>, Receiver<Request>) {
    let (requests, requested) = crossbeam_channel::bounded(1);
    let view = Arc::new(View::new());
    let listener = listen(&Settings { listen: SocketAddr::from(([127, 0, 0, 1], 0)) }).unwrap();
    let mut edge = Edge::start(requests.clone()).unwrap();
    edge.serve(listener, Arc::clone(&view), requests).unwrap();
    (edge, view, requested)
}

fn ask(edge: &Edge, request: &str) -> String {
    let mut stream = TcpStream::connect(edge.address().unwrap()).unwrap();
    write!(stream, "{request} HTTP/1.1\r\nHost: sensor\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_sensor_is_healthy_at_once_and_ready_when_it_reads() {
    let (edge, view, _requested) = started();
    assert!(ask(&edge, "GET /-/healthy").starts_with("HTTP/1.1 200 OK"));
    assert!(ask(&edge, "GET /-/ready").starts_with("HTTP/1.1 503"));
    view.set_ready(true);
    assert!(ask(&edge, "GET /-/ready").starts_with("HTTP/1.1 200 OK"));
    edge.stop();
}

#[test]
fn metrics_are_given_in_the_text_format_with_the_process_beside_them() {
    let (edge, _view, _requested) = started();
    let answer = ask(&edge, "GET /metrics");
    assert!(answer.contains("content-type: text/plain; version=0.0.4"), "{answer}");
    assert!(answer.contains("\nspanwatch_build_info{version="), "{answer}");
    assert!(answer.contains("\nprocess_cpu_seconds_total "), "{answer}");
    edge.stop();
}

#[test]
fn a_reload_is_asked_with_post_only_and_answered_with_its_outcome() {
    let (edge, _view, requested) = started();
    assert!(ask(&edge, "GET /-/reload").starts_with("HTTP/1.1 405"));
    assert!(requested.is_empty());

    let asked = |outcome| {
        std::thread::scope(|scope| {
            let answer = scope.spawn(|| ask(&edge, "POST /-/reload"));
            let Ok(Request::Reload(reply)) = requested.recv() else { panic!("a reload was asked for") };
            reply.give(outcome);
            answer.join().unwrap()
        })
    };
    assert!(asked(Ok(())).starts_with("HTTP/1.1 200 OK"));
    let refused = asked(Err("spanwatch.yml:2:1: unknown key `x`".into()));
    assert!(
        refused.starts_with("HTTP/1.1 422") && refused.ends_with("spanwatch.yml:2:1: unknown key `x`\n"),
        "{refused}"
    );
    edge.stop();
}

#[test]
fn lists_are_cut_at_the_limit_asked_for() {
    let (edge, view, _requested) = started();
    for number in 0..3 {
        view.publish_alert(json!(number));
    }
    assert!(ask(&edge, "GET /api/v1/alerts?limit=2").ends_with("\r\n\r\n[2,1]"));
    assert!(ask(&edge, "GET /api/v1/devices").ends_with("\r\n\r\n[]"));
    edge.stop();
}

#[test]
fn an_address_in_use_is_refused_with_the_remedy() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let settings = Settings { listen: taken.local_addr().unwrap() };
    let message = listen(&settings).unwrap_err().to_string();
    let expected = format!(
        "cannot listen on {}: Address already in use (os error 98); set server.listen to a free address",
        settings.listen
    );
    assert_eq!(message, expected);
}
