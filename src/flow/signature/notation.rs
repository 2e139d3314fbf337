//! A signature in p0f notation in, with its window as a number, and the signature out: for facts that are read back.

use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Quirks, SynSignature, option};

impl FromStr for SynSignature {
    type Err = String;

    /// Reads what the alternate form of `Display` writes.
    fn from_str(text: &str) -> Result<Self, String> {
        parse(text)
            .ok_or_else(|| format!("{text:?} is no signature such as 4:57+7:0:1460:64240,7:mss,sok,ts,nop,ws:df,id+:0"))
    }
}

fn parse(text: &str) -> Option<SynSignature> {
    let mut parts = text.split(':');
    let version = parts.next()?;
    let (ttl, _distance) = parts.next()?.split_once('+')?;
    let (ip_options_len, mss) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let (window, window_scale) = parts.next()?.split_once(',')?;
    let (layout, quirks, payload) = (parts.next()?, parts.next()?, parts.next()?);
    let mut signature = SynSignature {
        quirks: parse_quirks(quirks)?,
        window: window.parse().ok()?,
        mss,
        ip_options_len,
        ttl: ttl.parse().ok()?,
        window_scale: window_scale.parse().ok()?,
        padding_len: 0,
        kinds_len: 0,
        kinds: [0; SynSignature::KINDS_MAX],
        v6: version == "6",
        has_payload: payload == "+",
    };
    for name in layout.split(',').filter(|name| !name.is_empty()) {
        let kind = kind(name)?;
        if let Some(padding) = name.strip_prefix("eol+") {
            signature.padding_len = padding.parse().ok()?;
        }
        signature.push(kind);
    }
    parts.next().is_none().then_some(signature)
}

fn kind(name: &str) -> Option<u8> {
    Some(match name {
        "mss" => option::MSS,
        "nop" => option::NOP,
        "sack" => option::SACK,
        "sok" => option::SACK_PERMITTED,
        "ts" => option::TIMESTAMPS,
        "ws" => option::WINDOW_SCALE,
        _ if name.starts_with("eol+") => option::END,
        _ => name.strip_prefix('?')?.parse().ok()?,
    })
}

fn parse_quirks(text: &str) -> Option<Quirks> {
    let mut quirks = Quirks::default();
    for name in text.split(',').filter(|name| !name.is_empty()) {
        let bit = Quirks::NAMES.iter().position(|known| *known == name)?;
        quirks.set(1_u32.checked_shl(u32::try_from(bit).ok()?)?);
    }
    Some(quirks)
}

impl Serialize for SynSignature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{self:#}"))
    }
}

impl<'de> Deserialize<'de> for SynSignature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back() {
        for text in [
            "4:57+7:0:1460:64240,7:mss,sok,ts,nop,ws:df,id+:0",
            "6:128+0:0:1440:65535,8:mss,nop,ws,nop,nop,sok::0",
            "4:64+0:4:0:1024,0:::+",
            "4:64+0:0:1460:65535,6:mss,nop,ws,nop,nop,ts,sok,eol+1,?34:df,id-,bad:0",
        ] {
            let signature: SynSignature = text.parse().unwrap();
            assert_eq!(format!("{signature:#}"), text);
            let json = serde_json::to_string(&signature).unwrap();
            assert_eq!(serde_json::from_str::<SynSignature>(&json).unwrap(), signature);
        }
    }

    #[test]
    fn what_is_no_signature_is_refused_with_an_example() {
        for text in ["", "4:57:0:1460:64240,7:mss:df:0", "4:57+7:0:1460:mss*44,7:mss:df:0", "4:57+7:0:1:1,7:x:df:0"] {
            let fault = text.parse::<SynSignature>().unwrap_err();
            assert!(fault.starts_with(&format!("{text:?} is no signature such as 4:57+7")), "{fault}");
        }
    }
}
