//! Ledgers in, what outlives the process of them out, and back.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::detect::Family;
use crate::exhibit::ExhibitName;
use crate::identity::entity::Entity;
use crate::memory::{Memory, MemoryError};
use crate::risk::Risk;
use crate::risk::incident::IncidentId;
use crate::risk::ledger::{Item, Ledger, Open};
use crate::rules::{Level, Rule};
use crate::time::Timestamp;

#[derive(Deserialize, Serialize)]
struct KeptItem {
    /// The rule's id.
    rule: String,
    subject: Entity,
    /// The bits of the number, which JSON would round.
    nats: u64,
    credited: Timestamp,
    first: Timestamp,
    last: Timestamp,
    count: u64,
    values: Vec<(String, Value)>,
    flows: Vec<String>,
    #[serde(default)]
    captures: Vec<String>,
}

#[derive(Deserialize, Serialize)]
struct KeptOpen {
    id: String,
    opened: Timestamp,
    is_critical: bool,
    families: Vec<Family>,
    closes: Timestamp,
}

#[derive(Deserialize, Serialize)]
struct KeptLedger {
    entity: Entity,
    touched: Timestamp,
    items: Vec<KeptItem>,
    #[serde(default)]
    residents: usize,
    open: Option<KeptOpen>,
}

impl Risk {
    pub fn remember(&self, memory: &mut Memory) {
        let ledgers = self.ledgers.touched().map(|(entity, ledger, touched)| KeptLedger {
            entity: entity.clone(),
            touched,
            items: ledger.items.iter().map(KeptItem::of).collect(),
            residents: ledger.residents,
            open: ledger.open.as_ref().map(KeptOpen::of),
        });
        memory.put_list("risk", ledgers);
    }

    /// Evidence of rules that are no more is left out.
    pub fn recall<'r>(
        &mut self,
        memory: &Memory,
        rule: impl Fn(&str) -> Option<&'r Arc<Rule>>,
    ) -> Result<(), MemoryError> {
        let ledgers: Vec<KeptLedger> = memory.get("risk")?.unwrap_or_default();
        for kept in ledgers {
            let items = kept.items.into_iter().filter_map(|item| item.into_item(&rule)).collect();
            let open = kept.open.and_then(KeptOpen::into_open);
            self.closing.extend(open.as_ref().map(|open| (open.closes, kept.entity.clone())));
            self.ledgers.restore(vec![(kept.entity, Ledger { items, residents: kept.residents, open }, kept.touched)]);
        }
        Ok(())
    }
}

impl KeptItem {
    fn of(item: &Item) -> Self {
        Self {
            rule: item.rule.id.clone(),
            subject: item.subject.clone(),
            nats: item.nats.to_bits(),
            credited: item.credited,
            first: item.first,
            last: item.last,
            count: item.count,
            values: item.values.clone(),
            flows: item.flows.iter().cloned().collect(),
            captures: item.captures.iter().map(ToString::to_string).collect(),
        }
    }

    fn into_item<'r>(self, rule: &impl Fn(&str) -> Option<&'r Arc<Rule>>) -> Option<Item> {
        let nats = f64::from_bits(self.nats);
        Some(Item {
            rule: Arc::clone(rule(&self.rule)?),
            subject: self.subject,
            nats: if nats.is_finite() { nats } else { 0.0 },
            credited: self.credited,
            first: self.first,
            last: self.last,
            count: self.count,
            values: self.values,
            flows: self.flows.into(),
            captures: self.captures.iter().filter_map(|name| ExhibitName::parse(name)).collect(),
        })
    }
}

impl KeptOpen {
    fn of(open: &Open) -> Self {
        Self {
            id: open.id.to_string(),
            opened: open.opened,
            is_critical: open.level == Level::Critical,
            families: open.families.clone(),
            closes: open.closes,
        }
    }

    fn into_open(self) -> Option<Open> {
        Some(Open {
            id: IncidentId::parse(&self.id)?,
            opened: self.opened,
            level: if self.is_critical { Level::Critical } else { Level::High },
            families: self.families,
            closes: self.closes,
            is_dismissed: false,
        })
    }
}
