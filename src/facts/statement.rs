//! What a parser says of a flow. With the moment and the flow it becomes a fact.

use super::words::Word;
use super::{Credential, FactKind, Hello, Lease, Name, RemoteDesktop, Tunnel};
use crate::protocol::Protocol;

/// The behaviours that can be read off bytes: every kind of fact but the flow's own. Small, since it is passed on several
/// times before it lies in a fact.
#[derive(Clone, Debug)]
pub enum Statement {
    Credential(Box<Credential>),
    Hello(Box<Hello>),
    Lease(Box<Lease>),
    /// The parser gives the flow up, for a reason out of a closed set.
    Malformed(Word),
    Name(Box<Name>),
    RemoteDesktop(Box<RemoteDesktop>),
    Tunnel(Box<Tunnel>),
}

const _: () = assert!(size_of::<Statement>() == 24);

impl Statement {
    /// The protocol that speaks where another one carries it.
    pub fn carried(&self) -> Option<Protocol> {
        match self {
            Self::Credential(credential) => credential.protocol,
            Self::Name(name) => name.protocol,
            Self::RemoteDesktop(desktop) => desktop.protocol,
            Self::Tunnel(tunnel) => tunnel.protocol,
            Self::Hello(_) | Self::Lease(_) | Self::Malformed(_) => None,
        }
    }

    /// The fields set beside the typed members.
    #[cfg(test)]
    pub const fn fields(&self) -> Option<&super::Fields> {
        match self {
            Self::Credential(credential) => Some(&credential.fields),
            Self::Hello(hello) => Some(&hello.fields),
            Self::Lease(lease) => Some(&lease.fields),
            Self::Malformed(_) => None,
            Self::Name(name) => Some(&name.fields),
            Self::RemoteDesktop(desktop) => Some(&desktop.fields),
            Self::Tunnel(tunnel) => Some(&tunnel.fields),
        }
    }
}

impl From<Statement> for FactKind {
    fn from(statement: Statement) -> Self {
        match statement {
            Statement::Credential(credential) => Self::Credential(credential),
            Statement::Hello(hello) => Self::Hello(hello),
            Statement::Lease(lease) => Self::Lease(lease),
            Statement::Malformed(reason) => Self::Malformed(reason),
            Statement::Name(name) => Self::Name(name),
            Statement::RemoteDesktop(desktop) => Self::RemoteDesktop(desktop),
            Statement::Tunnel(tunnel) => Self::Tunnel(tunnel),
        }
    }
}
