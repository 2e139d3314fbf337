//! The shipped rules over what flows look like of which nothing can be read.

use super::shipped_tests::{check, on, open};
use crate::event::tests::summary;
use crate::facts::{EndReason, FactKind, FlowSummary, Shape};

#[test]
fn ssh_driven_from_its_server() {
    let over = |client: &str, shape: Option<Shape>| {
        let summary = FlowSummary { shape, end: Some(EndReason::Finished), ..summary(60) };
        on("ssh", client, "192.0.2.80:22", 1, FactKind::FlowEnded(summary))
    };
    let reversed = Some(Shape::Reversed);
    check(
        "ssh_driven_from_its_server",
        vec![over("10.1.0.7:50000", reversed)],
        vec![over("10.1.0.7:50000", None), over("10.3.0.7:50000", reversed)],
    );
}

#[test]
fn ssh_forwards_connections() {
    let forwarding = |client: &str, server: &str, shape: Option<Shape>| {
        on("ssh", client, server, 1, FactKind::Activity(FlowSummary { shape, ..summary(60) }))
    };
    let (desk, shape) = ("10.1.0.7:50000", Some(Shape::Forwarding));
    check(
        "ssh_forwards_connections",
        vec![forwarding(desk, "192.0.2.80:22", shape)],
        vec![
            forwarding(desk, "192.0.2.80:22", None),
            forwarding(desk, "192.0.2.80:22", Some(Shape::Reversed)),
            forwarding(desk, "198.51.100.7:22", shape),
            forwarding(desk, "10.9.0.7:22", shape),
            forwarding("10.3.0.7:50000", "192.0.2.80:22", shape),
        ],
    );
}

#[test]
fn connections_to_rented_machines() {
    let over = |(server, shape, secs): (&str, Option<Shape>, u64)| {
        let mut fact = open("tls", "10.1.0.7:50000", server, 1, secs);
        fact.kind = FactKind::Activity(FlowSummary { shape, ..summary(secs) });
        fact
    };
    let (rented, other) = ("192.0.2.150:443", "192.0.2.80:443");
    let (noise, nested) = (Some(Shape::FullyEncrypted), Some(Shape::Tls13InTls));
    for (rule, shape, not_its) in
        [("fully_encrypted_to_rented_machine", noise, nested), ("tls_in_tls_to_rented_machine", nested, noise)]
    {
        let quiet = [(rented, shape, 559), (rented, None, 560), (rented, not_its, 560), (other, shape, 560)];
        check(rule, vec![over((rented, shape, 560))], quiet.map(over).into());
    }
}
