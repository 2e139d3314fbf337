//! The segments of an SSH session in, whether connections are carried through it out.
//!
//! Packets are encrypted and their sizes are not: who sends each as it is written shows its size. A channel that carries
//! a connection is opened by a message as long as an address makes it (RFC 4254 §7.2), where a shell's, an agent's and a
//! window's are shorter; it is confirmed by one of 17 bytes (§5.1) and ended by the shortest ones (§5.3). What 17 bytes
//! become under the session's cipher and authenticator is shown before: `SSH_MSG_SERVICE_REQUEST` and
//! `SSH_MSG_SERVICE_ACCEPT` of `ssh-userauth` (RFC 4253 §10) have as many.
//!
//! It is a likelihood. Packets that are sent together hide each other's size, and so does compression.

use crate::facts::Sender;

/// Counts the connections that were seen from their channel's opening to its end.
#[derive(Debug, Default)]
pub(super) struct Channels {
    /// The size of a packet with 17 bytes of payload.
    confirmation: Option<u32>,
    segments: u32,
    last: Option<(Sender, u32)>,
    /// The latest that ended no channel: what ends one may come between what opens the next and its confirmation.
    last_message: Option<(Sender, u32)>,
    of_client: Opened,
    of_server: Opened,
}

/// The channels that one side opens.
#[derive(Debug, Default)]
struct Opened {
    connections: u32,
    /// Packets of 17 bytes by the opener, and the channels of shells that it opens. The first confirm the other side's
    /// channels, as windows and agents have, or are requests of SFTP, whose handles look like confirmations where blocks have
    /// 16 bytes. A session that carries connections and nothing else has none.
    messages: u32,
    /// Whether the latest one that was confirmed has not been seen to end, and who has sent something since.
    is_open: bool,
    client_has_sent: bool,
    server_has_sent: bool,
}

impl Channels {
    /// So many connections tell.
    const CONNECTIONS_MIN: u32 = 3;
    /// The service is asked for by then: the offers and the key exchange lie before.
    const HANDSHAKE_SEGMENTS_MAX: u32 = 24;
    /// 17 bytes, from the shortest padding and authenticator to the longest.
    const CONFIRMATION_SIZES: std::ops::RangeInclusive<u32> = 36..=100;
    /// `SSH_MSG_NEWKEYS`, the last packet in clear, which some send together with the next.
    const NEWKEYS_SIZE: u32 = 16;
    /// How much longer than its confirmation the opening of a connection's channel is: 45 bytes and two addresses, of
    /// which the shortest are `::1`, to a name of 60.
    const OPENING_LONGER: std::ops::RangeInclusive<u32> = 32..=112;
    /// The same of a shell's: 24 bytes, which is a block more, or none where it opens like a confirmation.
    const SHELL_LONGER: std::ops::RangeInclusive<u32> = 8..=16;
    /// Packets under one cipher differ by its blocks.
    const BLOCK: u32 = 8;

    /// A segment all of whose payload is new; none where a part of it is.
    pub(super) fn on_segment(&mut self, sender: Sender, size: Option<u32>) {
        let last = std::mem::replace(&mut self.last, size.map(|size| (sender, size)));
        let Some(size) = size else {
            self.last_message = None;
            return;
        };
        let Some(confirmation) = self.confirmation else { return self.learn(sender, size, last) };
        let by_other = |&(by, _): &(Sender, u32)| by != sender;
        let end = End::of(size, confirmation);
        let last_message = self.last_message;
        if end.is_none() {
            self.last_message = Some((sender, size));
        }
        if size == confirmation {
            let answered = last_message.filter(by_other).map(|(_, size)| size);
            let longer = answered.map_or(0, |opening| opening.saturating_sub(confirmation));
            let is_whole = longer.is_multiple_of(Self::BLOCK);
            self.opened_by(sender).on_message();
            let opened = self.opened_by(sender.other());
            if is_whole && Self::OPENING_LONGER.contains(&longer) {
                opened.on_confirmation();
            } else if is_whole && Self::SHELL_LONGER.contains(&longer) {
                opened.on_message();
            }
        } else if let Some(end) = end {
            let answered = last.filter(by_other).and_then(|(_, size)| End::of(size, confirmation));
            let ended = match answered {
                None => false,
                // A key and its echo are as long, unless the length is encrypted with the rest: then they take a block more.
                Some(answered) if answered == end => end == End::One && confirmation.is_multiple_of(16),
                Some(_) => true,
            };
            if ended {
                self.of_client.on_end();
                self.of_server.on_end();
            }
        } else if size > confirmation {
            self.of_client.on_payload(sender);
            self.of_server.on_payload(sender);
        }
    }

    /// Whether connections are carried to where the server reaches.
    pub(super) const fn are_forwarding(&self) -> bool {
        self.of_client.are_enough()
    }

    /// Whether connections are carried to where the client reaches.
    pub(super) const fn are_reversed(&self) -> bool {
        self.of_server.are_enough()
    }

    /// The server accepts in as many bytes as it was asked in.
    fn learn(&mut self, sender: Sender, size: u32, last: Option<(Sender, u32)>) {
        self.segments = self.segments.saturating_add(1);
        let asked = last.filter(|&(by, _)| by == Sender::Client && sender == Sender::Server).map(|(_, asked)| asked);
        let is_accepted = asked.is_some_and(|asked| asked == size || asked == size.saturating_add(Self::NEWKEYS_SIZE));
        if is_accepted
            && self.segments <= Self::HANDSHAKE_SEGMENTS_MAX
            && Self::CONFIRMATION_SIZES.contains(&size)
            && size.is_multiple_of(4)
        {
            self.confirmation = Some(size);
        }
    }

    const fn opened_by(&mut self, opener: Sender) -> &mut Opened {
        match opener {
            Sender::Client => &mut self.of_client,
            Sender::Server => &mut self.of_server,
        }
    }
}

/// What ends a channel: a segment of `SSH_MSG_CHANNEL_EOF` or `SSH_MSG_CHANNEL_CLOSE`, or of both, as OpenSSH answers the
/// other side's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    One,
    Both,
}

impl End {
    /// Each is a block shorter than the confirmation. A block has 16 bytes, or 8 under ChaCha20-Poly1305, whose
    /// confirmation has 44.
    fn of(size: u32, confirmation: u32) -> Option<Self> {
        const CHACHA20_POLY1305: u32 = 44;
        let of_block = |block| match confirmation.saturating_sub(block) {
            one if size == one => Some(Self::One),
            one if size == one.saturating_mul(2) => Some(Self::Both),
            _ => None,
        };
        of_block(16).or_else(|| if confirmation == CHACHA20_POLY1305 { of_block(8) } else { None })
    }
}

impl Opened {
    const fn are_enough(&self) -> bool {
        self.connections >= Channels::CONNECTIONS_MIN && self.connections > self.messages
    }

    const fn on_confirmation(&mut self) {
        self.begin(true);
    }

    const fn on_message(&mut self) {
        self.messages = self.messages.saturating_add(1);
        self.begin(false);
    }

    const fn on_payload(&mut self, sender: Sender) {
        match sender {
            Sender::Client => self.client_has_sent = true,
            Sender::Server => self.server_has_sent = true,
        }
    }

    /// Both sides have ended a channel, one right after the other.
    const fn on_end(&mut self) {
        if self.is_open && self.client_has_sent && self.server_has_sent {
            self.connections = self.connections.saturating_add(1);
            self.begin(false);
        }
    }

    const fn begin(&mut self, is_open: bool) {
        self.is_open = is_open;
        self.client_has_sent = false;
        self.server_has_sent = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: Sender = Sender::Client;
    const SERVER: Sender = Sender::Server;

    /// The sizes of packets under a cipher and its authenticator.
    #[derive(Clone, Copy, Debug)]
    struct Cipher {
        block: u32,
        /// The length is encrypted and padded like the rest.
        is_length_padded: bool,
        authenticator: u32,
    }

    impl Cipher {
        const CHACHA20_POLY1305: Self = Self { block: 8, is_length_padded: false, authenticator: 16 };
        const ALL: [Self; 4] = [
            Self::CHACHA20_POLY1305,
            Self { block: 16, is_length_padded: false, authenticator: 16 }, // aes256-gcm
            Self { block: 16, is_length_padded: false, authenticator: 8 },  // aes256-ctr, umac-64-etm
            Self { block: 16, is_length_padded: true, authenticator: 32 },  // aes256-ctr, hmac-sha2-256
        ];

        const fn size(self, payload: u32) -> u32 {
            const LENGTH: u32 = 4;
            let padded = if self.is_length_padded { LENGTH } else { 0 };
            let content = (padded + 1 + payload + 4).next_multiple_of(self.block);
            LENGTH - padded + content + self.authenticator
        }
    }

    /// A session under a cipher, after its handshake.
    struct Session {
        cipher: Cipher,
        channels: Channels,
    }

    impl Session {
        fn new(cipher: Cipher) -> Self {
            let mut session = Self { cipher, channels: Channels::default() };
            for (sender, size) in [(CLIENT, 1448), (SERVER, 1088), (CLIENT, 1208), (SERVER, 1564), (CLIENT, 16)] {
                session.channels.on_segment(sender, Some(size));
            }
            // The service, and the key that is shown for it.
            session.say(&[(CLIENT, 17), (SERVER, 17), (CLIENT, 40), (SERVER, 48), (CLIENT, 280), (SERVER, 1)]);
            session
        }

        /// One packet a segment, each of so much payload.
        fn say(&mut self, packets: &[(Sender, u32)]) {
            for &(sender, payload) in packets {
                self.channels.on_segment(sender, Some(self.cipher.size(payload)));
            }
        }

        /// A page fetched through a channel, whose opening has so much payload.
        fn connection(&mut self, opener: Sender, opening: u32) {
            let other = opener.other();
            self.say(&[(opener, opening), (other, 17), (opener, 526), (other, 1400), (other, 1400), (opener, 5)]);
            self.channels.on_segment(other, Some(2 * self.cipher.size(5)));
            self.say(&[(opener, 5)]);
        }
    }

    #[test]
    fn three_connections_are_forwarding_under_every_cipher() {
        for cipher in Cipher::ALL {
            // To `::1` on a port of the same, to a usual address, and to a long name.
            for opening in [45 + 3 + 9, 45 + 12 + 9, 45 + 45 + 9] {
                let mut session = Session::new(cipher);
                for _ in 1..Channels::CONNECTIONS_MIN {
                    session.connection(CLIENT, opening);
                }
                assert!(!session.channels.are_forwarding(), "{cipher:?}");
                session.connection(CLIENT, opening);
                assert!(session.channels.are_forwarding(), "{cipher:?} {opening}");
                assert!(!session.channels.are_reversed());
            }
        }
    }

    #[test]
    fn files_and_commands_over_one_session_carry_no_connection() {
        for cipher in Cipher::ALL {
            let mut session = Session::new(cipher);
            for _ in 0..50 {
                // A shell's channel for each: a file by scp's own protocol, whose name is confirmed by a zero; a command.
                session.say(&[(CLIENT, 24), (SERVER, 17), (CLIENT, 9 + 52), (SERVER, 10), (CLIENT, 9 + 900)]);
                session.say(&[(CLIENT, 24), (SERVER, 17), (CLIENT, 40), (SERVER, 9 + 300)]);
                session.channels.on_segment(SERVER, Some(2 * cipher.size(5)));
                session.say(&[(CLIENT, 5)]);
            }
            assert!(!session.channels.are_forwarding(), "{cipher:?}");
        }
    }

    #[test]
    fn windows_that_open_and_close_carry_no_connection() {
        let mut session = Session::new(Cipher::CHACHA20_POLY1305);
        for _ in 0..50 {
            // x11, what a window says and asks, among which the answer to a request of 64 bytes is 8 long, and its end.
            session.say(&[(SERVER, 37), (CLIENT, 17), (SERVER, 9 + 48), (CLIENT, 9 + 8000)]);
            session.say(&[(CLIENT, 9 + 64), (SERVER, 9 + 8), (CLIENT, 1400), (SERVER, 9 + 32)]);
            session.channels.on_segment(CLIENT, Some(2 * session.cipher.size(5)));
            session.say(&[(SERVER, 5)]);
        }
        assert!(session.channels.of_client.connections >= Channels::CONNECTIONS_MIN);
        assert!(!session.channels.are_forwarding());
    }

    #[test]
    fn ends_that_are_sent_one_by_one_count_where_no_key_is_as_short() {
        for cipher in Cipher::ALL {
            let mut session = Session::new(cipher);
            for _ in 0..Channels::CONNECTIONS_MIN {
                session.say(&[(CLIENT, 66), (SERVER, 17), (CLIENT, 526), (SERVER, 1400)]);
                session.say(&[(SERVER, 5), (CLIENT, 5), (SERVER, 5), (CLIENT, 5)]);
            }
            assert_eq!(session.channels.are_forwarding(), cipher.is_length_padded, "{cipher:?}");
        }
    }

    #[test]
    fn a_connection_may_begin_while_the_one_before_it_ends() {
        let mut session = Session::new(Cipher::CHACHA20_POLY1305);
        session.say(&[(CLIENT, 66), (SERVER, 17)]);
        for _ in 0..Channels::CONNECTIONS_MIN {
            assert!(!session.channels.are_forwarding());
            session.say(&[(CLIENT, 526), (SERVER, 1400), (CLIENT, 5), (CLIENT, 66)]);
            session.channels.on_segment(SERVER, Some(2 * session.cipher.size(5)));
            session.say(&[(CLIENT, 5), (SERVER, 17)]);
        }
        assert!(session.channels.are_forwarding());
    }

    #[test]
    fn connections_that_the_server_opens_are_a_reversed_session() {
        let mut session = Session::new(Cipher::CHACHA20_POLY1305);
        for _ in 0..Channels::CONNECTIONS_MIN {
            session.connection(SERVER, 48 + 9 + 9);
        }
        assert!(session.channels.are_reversed() && !session.channels.are_forwarding());
    }

    #[test]
    fn channels_of_shells_windows_and_agents_carry_no_connection() {
        for cipher in Cipher::ALL {
            let mut session = Session::new(cipher);
            for _ in 0..20 {
                session.connection(CLIENT, 24); // session
                session.connection(SERVER, 28 + 9); // x11
                session.connection(SERVER, 39); // auth-agent@openssh.com
            }
            assert!(!session.channels.are_forwarding() && !session.channels.are_reversed(), "{cipher:?}");
        }
    }

    #[test]
    fn commands_with_short_answers_are_an_ordinary_session() {
        for cipher in Cipher::ALL {
            let mut session = Session::new(cipher);
            for _ in 0..100 {
                session.say(&[(CLIENT, 9 + 55), (SERVER, 9 + 8)]);
            }
            // Keys and their echoes, a line that is pasted, and what it says.
            for _ in 0..100 {
                session.say(&[(CLIENT, 10), (SERVER, 10), (CLIENT, 9 + 55), (SERVER, 9 + 55), (SERVER, 9 + 300)]);
            }
            assert!(!session.channels.are_forwarding(), "{cipher:?}");
        }
    }

    #[test]
    fn files_beside_a_shell_carry_no_connection() {
        for cipher in Cipher::ALL {
            let mut session = Session::new(cipher);
            for _ in 0..100 {
                // SSH_FXP_OPEN, SSH_FXP_HANDLE, SSH_FXP_WRITE, SSH_FXP_STATUS, SSH_FXP_CLOSE, SSH_FXP_STATUS; keys.
                session.say(&[(CLIENT, 9 + 58), (SERVER, 9 + 17), (CLIENT, 9 + 900), (SERVER, 9 + 33)]);
                session.say(&[(CLIENT, 9 + 17), (SERVER, 9 + 33), (CLIENT, 10), (SERVER, 10)]);
            }
            assert!(!session.channels.are_forwarding() && !session.channels.are_reversed(), "{cipher:?}");
        }
    }

    #[test]
    fn packets_that_are_sent_together_and_parts_of_segments_tell_nothing() {
        let mut session = Session::new(Cipher::CHACHA20_POLY1305);
        let size = |payload: u32| Cipher::CHACHA20_POLY1305.size(payload);
        for _ in 0..10 {
            // An opening behind other payload.
            session.channels.on_segment(CLIENT, Some(size(5) + size(66)));
            session.say(&[(SERVER, 17), (CLIENT, 526), (SERVER, 1400), (CLIENT, 5)]);
            session.channels.on_segment(SERVER, Some(2 * size(5)));
            session.say(&[(CLIENT, 66)]);
            session.channels.on_segment(SERVER, None);
            session.say(&[(SERVER, 17), (CLIENT, 526), (SERVER, 1400), (CLIENT, 5)]);
            session.channels.on_segment(SERVER, Some(2 * size(5)));
        }
        assert!(!session.channels.are_forwarding());
    }

    #[test]
    fn the_last_packet_in_clear_may_come_with_the_first_encrypted_one() {
        let mut session = Session { cipher: Cipher::ALL[3], channels: Channels::default() };
        let asked = Channels::NEWKEYS_SIZE + session.cipher.size(17);
        session.channels.on_segment(CLIENT, Some(asked));
        session.say(&[(SERVER, 17)]);
        for _ in 0..Channels::CONNECTIONS_MIN {
            session.connection(CLIENT, 66);
        }
        assert!(session.channels.are_forwarding());
    }

    #[test]
    fn echoes_of_a_session_whose_service_was_not_seen_are_no_measure() {
        let mut session = Session { cipher: Cipher::CHACHA20_POLY1305, channels: Channels::default() };
        for _ in 0..Channels::HANDSHAKE_SEGMENTS_MAX {
            session.say(&[(SERVER, 300)]);
        }
        session.say(&[(CLIENT, 17), (SERVER, 17)]);
        assert_eq!(session.channels.confirmation, None);
    }
}
