//! `spanwatch dismiss`: an analyst's word in; what is innocent, kept for the sensor, out.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::{Failure, Sources, print};
use crate::detect::Family;
use crate::identity::entity::Entity;
use crate::risk::Dismissal;
use crate::state::StateDirectory;
use crate::time::Timestamp;

#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    sources: Sources,
    /// The directory of the state, instead of the configuration's
    #[arg(short, long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// What is innocent
    #[arg(value_name = "KIND", value_parser = PossibleValuesParser::new(["site", "device", "account"]))]
    kind: String,
    /// Which one, as `spanwatch.entity.id` names it
    #[arg(value_name = "ID")]
    id: String,
    /// Only this family of evidence
    #[arg(short, long, value_parser = PossibleValuesParser::new(Family::ALL.iter().map(|family| family.as_str())))]
    family: Option<String>,
    /// Why, for who looks at it later
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(super) fn dismiss(options: &Options) -> Result<(), Failure> {
    let config = options.sources.config().map_err(Failure::before_start)?;
    let directory = options.state.clone().or(config.state.dir).ok_or_else(|| {
        Failure::before_start("no directory of the state; give --state DIR, or set state.dir in the configuration")
    })?;
    let entity = Entity::parse(&options.kind, &options.id).ok_or_else(|| {
        Failure::before_start(format!("{:?} is no {}; take it from spanwatch.entity.id", options.id, options.kind))
    })?;
    let family = Family::ALL.iter().copied().find(|family| options.family.as_deref() == Some(family.as_str()));
    let dismissal = Dismissal { entity: entity.canonical(), family, reason: options.reason.clone(), at: now() };
    let state = StateDirectory::open(&directory).map_err(Failure::before_start)?;
    state.add_dismissal(&dismissal).map_err(Failure::before_start)?;
    print(&format!(
        "{} {} is dismissed{} for {} days. A running sensor learns of it when it reloads.\n",
        dismissal.entity.kind(),
        dismissal.entity,
        family.map_or_else(String::new, |family| format!(" for {}", family.as_str())),
        config.risk.dismissal.as_secs() / 86_400,
    ))
}

/// The one time that is not a packet's: when the analyst spoke.
#[allow(clippy::disallowed_methods)]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::ZERO + since
}
