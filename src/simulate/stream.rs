//! Packets in, a recording of the facts that the sensor's own flow table says of them out: what a capture of them would
//! give, without the frames.

use std::io::{self, Write};
use std::time::Duration;

use super::traffic::Traffic;
use crate::decode::Packet;
use crate::facts::{Fact, Watermark};
use crate::flow::{self, FlowTable};
use crate::recording::Writer;
use crate::time::Timestamp;

/// How far packet time may come before what is due is asked for.
const TICK: Duration = Duration::from_secs(1);

/// Writes the facts of all packets. Returns how many there were.
pub fn record<W: Write>(
    traffic: &mut Traffic<'_>,
    settings: &flow::Settings,
    writer: &mut Writer<W>,
) -> io::Result<u64> {
    let mut table = FlowTable::new(settings);
    let mut waiting = Waiting { facts: Vec::new(), written: 0 };
    let (mut payload, mut now, mut asked_at) = (Vec::new(), Timestamp::ZERO, Timestamp::ZERO);
    while let Some(head) = traffic.next(&mut payload) {
        now = head.at;
        if now.since(asked_at) >= TICK {
            asked_at = now;
            let watermark = table.on_time(now, &mut waiting.facts);
            waiting.write(watermark, writer)?;
        }
        table.on_packet(Packet { head: &head, payload: &payload }, &mut waiting.facts);
    }
    loop {
        let watermark = table.finish(now, &mut waiting.facts);
        waiting.write(watermark, writer)?;
        if watermark == Watermark::END {
            return Ok(waiting.written);
        }
    }
}

/// Facts that others may still come before.
struct Waiting {
    facts: Vec<Fact>,
    written: u64,
}

impl Waiting {
    /// Writes what is complete, in order.
    fn write<W: Write>(&mut self, until: Watermark, writer: &mut Writer<W>) -> io::Result<()> {
        self.facts.sort_by_key(place);
        let complete = self.facts.partition_point(|fact| place(fact) < (until.at, until.seq));
        for fact in self.facts.drain(..complete) {
            writer.write(&fact)?;
            self.written += 1;
        }
        Ok(())
    }
}

const fn place(fact: &Fact) -> (Timestamp, u64) {
    (fact.at, fact.seq)
}
