//! The threads of a sensor: how each one ended, and who is still running.

use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};

use super::Fault;

/// The threads that read, by their number.
pub(super) struct Crew {
    members: Vec<Option<Member>>,
    ended: (Sender<usize>, Receiver<usize>),
}

struct Member {
    name: String,
    handle: JoinHandle<Vec<Fault>>,
}

/// Says that a thread ended, however it did.
pub(super) struct Bell {
    number: usize,
    ended: Sender<usize>,
}

impl Drop for Bell {
    fn drop(&mut self) {
        let _nobody_waits = self.ended.send(self.number);
    }
}

/// A thread that panicked, by its name.
pub(super) struct Panicked(pub(super) String);

impl Crew {
    pub(super) fn new() -> Self {
        Self { members: Vec::new(), ended: crossbeam_channel::unbounded() }
    }

    /// What the next member's thread must hold until its end.
    pub(super) fn bell(&self) -> Bell {
        Bell { number: self.members.len(), ended: self.ended.0.clone() }
    }

    pub(super) fn add(&mut self, name: String, handle: JoinHandle<Vec<Fault>>) {
        self.members.push(Some(Member { name, handle }));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.iter().all(Option::is_none)
    }

    /// Gets the number of each member that ended.
    pub(super) fn ended(&self) -> &Receiver<usize> {
        &self.ended.1
    }

    /// Takes leave of a member that ended: gets what went wrong with what it read.
    pub(super) fn dismiss(&mut self, number: usize) -> Result<Vec<Fault>, Panicked> {
        let Some(member) = self.members.get_mut(number).and_then(Option::take) else {
            return Ok(Vec::new());
        };
        member.handle.join().map_err(|_| Panicked(member.name))
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_member_that_panics_rings_and_is_named() {
        let mut crew = Crew::new();
        for name in ["well", "ill"] {
            let bell = crew.bell();
            let handle = thread::spawn(move || {
                let _rings_at_the_end = bell;
                assert_eq!(name, "well");
                Vec::new()
            });
            crew.add(name.into(), handle);
        }
        let mut panicked = Vec::new();
        while !crew.is_empty() {
            let number = crew.ended().recv().unwrap();
            panicked.extend(crew.dismiss(number).err().map(|Panicked(name)| name));
        }
        assert_eq!(panicked, ["ill"]);
    }
}
