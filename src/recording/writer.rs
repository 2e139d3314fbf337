//! Facts in their order in, a recording out.

use std::io::{self, Write};

use hashbrown::HashMap;

use super::{Header, Line, Record, SAID_MAX, Said, VERSION, is_singular};
use crate::facts::{Fact, FactKind, FlowRef};
use crate::protocol::Protocol;

/// Writes one recording.
pub struct Writer<W: Write> {
    output: W,
    flows: HashMap<u64, FlowRef>,
    /// The number of everything that is said by number, by its text.
    said: HashMap<String, u32>,
}

impl<W: Write> Writer<W> {
    pub fn new(mut output: W) -> io::Result<Self> {
        write(&mut output, &Line::Recording(Header { version: VERSION }))?;
        Ok(Self { output, flows: HashMap::new(), said: HashMap::new() })
    }

    /// Takes the next fact, which is not of a time before that of the last one.
    pub fn write(&mut self, fact: &Fact) -> io::Result<()> {
        self.write_flow(&fact.flow)?;
        let said = if is_singular(&fact.kind) { None } else { self.number(fact.protocol, &fact.kind)? };
        let (protocol, kind) = match said {
            Some(_) => (None, None),
            None => (fact.protocol, Some(fact.kind.clone())),
        };
        let number = fact.flow.id.0;
        write(&mut self.output, &Line::Fact(Record { at: fact.at, flow: number, said, protocol, kind }))?;
        if matches!(fact.kind, FactKind::FlowEnded(_)) {
            self.flows.remove(&number);
        }
        Ok(())
    }

    /// Hands everything on.
    pub fn finish(mut self) -> io::Result<W> {
        self.output.flush()?;
        Ok(self.output)
    }

    fn write_flow(&mut self, flow: &FlowRef) -> io::Result<()> {
        if self.flows.get(&flow.id.0) == Some(flow) {
            return Ok(());
        }
        self.flows.insert(flow.id.0, *flow);
        write(&mut self.output, &Line::Flow(*flow))
    }

    /// The number of what is said, written down with it where it is new; none where there are too many already.
    fn number(&mut self, protocol: Option<Protocol>, kind: &FactKind) -> io::Result<Option<u32>> {
        let line = serde_json::to_string(&Line::Said(Said { protocol, kind: kind.clone() }))?;
        if let Some(&number) = self.said.get(&line) {
            return Ok(Some(number));
        }
        let Some(number) = u32::try_from(self.said.len()).ok().filter(|_| self.said.len() < SAID_MAX) else {
            return Ok(None);
        };
        writeln!(self.output, "{line}")?;
        self.said.insert(line, number);
        Ok(Some(number))
    }
}

fn write(output: &mut impl Write, line: &Line) -> io::Result<()> {
    serde_json::to_writer(&mut *output, line)?;
    output.write_all(b"\n")
}
