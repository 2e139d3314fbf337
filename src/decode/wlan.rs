//! IEEE 802.11 data frames in, what their 802.2 header announces out. What is protected stays closed.

use super::Skip;
use super::layer::{Layer, Position};
use crate::net::Mac;

const VERSION: u8 = 0x03;
const VERSION_AND_TYPE: u8 = 0x0f;
const DATA: u8 = 0x08;
const WITHOUT_DATA: u8 = 0x40;
const WITH_QUALITY: u8 = 0x80;

const TO_SYSTEM: u8 = 0x01;
const FROM_SYSTEM: u8 = 0x02;
const MORE_FRAGMENTS: u8 = 0x04;
const PROTECTED: u8 = 0x40;
const ORDERED: u8 = 0x80;

/// IEEE 802.11 §9.2.4 and §9.3.2: frame control, duration, three or four addresses, and what its bits announce.
pub(super) fn data(position: &mut Position<'_>) -> Result<(), Skip> {
    /// In the quality-of-service control: the body is a list of frames, an A-MSDU.
    const AGGREGATE: u8 = 0x80;
    let whole_len = position.rest.bytes().len();
    let (control, flags) = frame_control(position.rest.array()?);
    if control & (VERSION_AND_TYPE | WITHOUT_DATA) != DATA || flags & (PROTECTED | MORE_FRAGMENTS) != 0 {
        return Err(Skip::NotIp);
    }
    position.rest.skip(2)?;
    let (first, second, third) = (mac(position)?, mac(position)?, mac(position)?);
    position.rest.skip(2)?; // sequence control
    let to_and_from = flags & (TO_SYSTEM | FROM_SYSTEM);
    let fourth = if to_and_from == TO_SYSTEM | FROM_SYSTEM { mac(position)? } else { second };
    let mut is_aggregate = false;
    if control & WITH_QUALITY != 0 {
        let [quality, _] = position.rest.array()?;
        is_aggregate = quality & AGGREGATE != 0;
        if flags & ORDERED != 0 {
            position.rest.skip(4)?; // high-throughput control
        }
    }
    if position.layer == Layer::WlanPadded {
        let header_len = whole_len.saturating_sub(position.rest.bytes().len());
        position.rest.skip(header_len.next_multiple_of(4).saturating_sub(header_len))?;
    }
    match to_and_from {
        TO_SYSTEM => position.set_link(second, Some(third)),
        FROM_SYSTEM => position.set_link(third, Some(first)),
        0 => position.set_link(second, Some(first)),
        _ => position.set_link(fourth, Some(third)),
    }
    if is_aggregate {
        return first_of_aggregate(position);
    }
    position.descend(Layer::Llc)
}

/// Type and flags. Cisco's controllers hand them on in the other order, which shows: there is no version but 0.
const fn frame_control([first, second]: [u8; 2]) -> (u8, u8) {
    if first & VERSION != 0 && second & VERSION_AND_TYPE == DATA { (second, first) } else { (first, second) }
}

/// IEEE 802.11 §9.3.2.2: target, source, length, body. A frame has one packet, so the others are not read.
fn first_of_aggregate(position: &mut Position<'_>) -> Result<(), Skip> {
    let (target, source) = (mac(position)?, mac(position)?);
    let len = position.rest.u16()?;
    position.set_link(source, Some(target));
    position.rest.end_after(u32::from(len));
    position.descend(Layer::Llc)
}

fn mac(position: &mut Position<'_>) -> Result<Mac, Skip> {
    position.rest.array().map(Mac)
}
