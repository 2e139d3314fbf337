//! The payload of a packet in, what the protocols say of it out, as long as somebody listens to the flow.

use crate::decode::{Packet, TcpHeader};
use crate::facts::{Channel, Fact, Sender, Statement};
use crate::flow::conversation::{Conversation, Said};
use crate::flow::key::End;
use crate::flow::reassembly::{Room, Seen, Sequence};
use crate::flow::record::{Flow, payload_of};
use crate::flow::{FlowTable, Moment};
use crate::protocol::{Chunk, SHELLS, ssh, wireguard};
use crate::slab::Slot;

impl FlowTable {
    /// Counts the packet on its flow and shows its payload to the flow's session.
    pub(super) fn read(&mut self, slot: Slot, source: End, packet: &Packet<'_>, facts: &mut Vec<Fact>) {
        let Some(flow) = self.flows.get_mut(slot) else {
            return;
        };
        let head = packet.head;
        let sender = flow.sender(source);
        flow.on_head(head, sender, &mut self.signatures);
        if let Some(openings) = &mut self.openings
            && flow.packets() <= openings.0.packets_max
        {
            openings.1.push(flow.id, packet, openings.0.payload_bytes_max);
        }
        let buffered = buffered_bytes(flow);
        let seen = match &head.tcp {
            Some(tcp) => read_segment(flow, self.room, (sender, tcp), packet, &mut self.said),
            None => read_datagram(flow, sender, packet, &mut self.said),
        };
        flow.on_payload(head, sender, seen);
        flow.on_datagram(datagram(sender, packet));
        self.counters.count_payload(seen);
        if flow.conversation.is_some() {
            self.after_reading(slot, buffered, Moment { at: head.at, seq: head.seq }, facts);
        }
    }

    /// Shows the session what still waits, tells it that the flow is over and drops it.
    pub(super) fn end_conversation(&mut self, slot: Slot, moment: Moment, facts: &mut Vec<Fact>) {
        let Some(flow) = self.flows.get_mut(slot) else {
            return;
        };
        let buffered = buffered_bytes(flow);
        let Some(conversation) = &mut flow.conversation else {
            return;
        };
        for (sender, side) in [(Sender::Client, &mut flow.client), (Sender::Server, &mut flow.server)] {
            let seen = conversation.flush((moment.at, sender), &mut side.track, &mut self.said);
            side.count(seen);
            self.counters.count_payload(seen);
        }
        conversation.on_end(&mut self.said);
        self.after_reading(slot, buffered, moment, facts);
    }

    /// Passes on what the session said, and drops it where it is over or has no room left.
    fn after_reading(&mut self, slot: Slot, buffered_before: u64, moment: Moment, facts: &mut Vec<Fact>) {
        if !self.said.is_empty() {
            self.relay(slot, moment, facts);
        }
        let Some(flow) = self.flows.get_mut(slot) else {
            return;
        };
        let Some(conversation) = &flow.conversation else {
            return;
        };
        let counters = &mut self.counters;
        let others = counters.buffered_bytes.saturating_sub(buffered_before);
        let total = others.saturating_add(buffered_bytes(flow));
        let is_over = conversation.is_over() || (flow.has_finished_side() && conversation.is_watching());
        let has_room = total <= self.buffers_bytes_max;
        counters.parser_panics = counters.parser_panics.saturating_add(u64::from(conversation.has_panicked()));
        counters.buffer_refusals = counters.buffer_refusals.saturating_add(u64::from(!is_over && !has_room));
        flow.shape = conversation.shape();
        if is_over || !has_room {
            flow.conversation = None;
            flow.is_read = true;
            counters.buffered_bytes = others;
        } else {
            counters.buffered_bytes = total;
        }
    }

    pub(super) fn relay(&mut self, slot: Slot, moment: Moment, facts: &mut Vec<Fact>) {
        let Some(flow) = self.flows.get_mut(slot) else {
            return self.said.clear();
        };
        if let Some(conversation) = &flow.conversation
            && let Some(protocol) = conversation.protocol()
        {
            // A protocol that follows another one on the flow may turn the roles.
            let is_reversed = conversation.is_reversed();
            if flow.recognise(protocol, is_reversed) {
                self.counters.count_session(protocol);
            }
        }
        let mut reference = flow.reference();
        flow.has_spoken = true;
        for (protocol, statement) in self.said.drain(..) {
            match statement {
                Statement::Malformed(reason) => self.counters.count_malformed(protocol, reason),
                Statement::RemoteDesktop(_) => flow.begin_metering(Channel::Desktop),
                Statement::Tunnel(_) if protocol == wireguard::SPEC.protocol => flow.begin_metering_rekeying(),
                Statement::Tunnel(_) => flow.begin_metering(Channel::Tunnel),
                _ if protocol == ssh::SPEC.protocol => flow.begin_metering_channels(),
                _ if SHELLS.contains(&protocol) => flow.begin_metering(Channel::Shell),
                _ => {}
            }
            let Moment { at, seq } = moment;
            facts.push(Fact { at, seq, flow: reference, protocol: Some(protocol), kind: statement.into() });
            reference.has_spoken = true;
        }
    }
}

fn buffered_bytes(flow: &Flow) -> u64 {
    let bytes = flow.conversation.as_ref().map_or(0, |conversation| conversation.buffered_bytes());
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn datagram<'a>(sender: Sender, packet: &Packet<'a>) -> Chunk<'a> {
    let captured = u32::try_from(packet.payload.len()).unwrap_or(u32::MAX);
    let missing = packet.head.payload_len.saturating_sub(captured);
    Chunk { at: packet.head.at, sender, bytes: packet.payload, missing }
}

fn read_datagram(flow: &mut Flow, sender: Sender, packet: &Packet<'_>, said: &mut Said) -> Seen {
    if !flow.is_read && !packet.payload.is_empty() {
        let start = flow.start();
        let conversation = flow.conversation.get_or_insert_with(|| Box::new(Conversation::new(start)));
        conversation.on_datagram(datagram(sender, packet), said);
    }
    Seen { fresh: packet.head.payload_len, ..Seen::default() }
}

fn read_segment(
    flow: &mut Flow,
    room: Room,
    (sender, tcp): (Sender, &TcpHeader),
    packet: &Packet<'_>,
    said: &mut Said,
) -> Seen {
    let payload = payload_of(packet.head, tcp, packet.payload);
    let has_payload = payload.len > 0 && !flow.side(sender).track.is_keepalive(&payload);
    if flow.is_read {
        return if has_payload { flow.side(sender).track.count(&payload) } else { Seen::default() };
    }
    if has_payload && flow.conversation.is_none() {
        flow.conversation = Some(Box::new(Conversation::new(flow.start())));
    }
    let Some(conversation) = &mut flow.conversation else {
        return Seen::default();
    };
    let at = packet.head.at;
    let (own, other) = match sender {
        Sender::Client => (&mut flow.client, &mut flow.server),
        Sender::Server => (&mut flow.server, &mut flow.client),
    };
    if tcp.has(TcpHeader::ACK) {
        let acknowledgment = Sequence(tcp.acknowledgment);
        let seen = conversation.on_acknowledgment((at, sender.other()), &mut other.track, acknowledgment, said);
        other.count(seen);
    }
    if has_payload {
        conversation.on_payload((at, sender), &mut own.track, payload, room, said)
    } else {
        Seen::default()
    }
}
