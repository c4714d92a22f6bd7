//! What the model does where Microsoft's documentation is silent, or was not seen confirmed on a real system.
//!
//! Owns the list of these points. Uses nothing.

macro_rules! points {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $explanation:literal;)*) => {
        /// Something that the model does and nobody has verified on Windows.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Unverified {
            $($(#[$doc])* $variant,)*
        }

        impl Unverified {
            /// All of them.
            pub const ALL: &[Unverified] = &[$(Unverified::$variant),*];

            /// The name used in output.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Unverified::$variant => $name,)*
                }
            }

            /// What the model does, and what is not known.
            pub const fn explanation(self) -> &'static str {
                match self {
                    $(Unverified::$variant => $explanation,)*
                }
            }
        }
    };
}

points! {
    /// The order in which errors take precedence.
    Precedence = "precedence",
        "when several errors apply, the one that comes first in PRECEDENCE is returned; the documents list \
         the errors and give no order";
    /// `SIO_KEEPALIVE_VALS` and `TCP_KEEPIDLE` or `TCP_KEEPINTVL` on one socket.
    LaterCallWins = "later_call_wins",
        "SIO_KEEPALIVE_VALS and TCP_KEEPIDLE or TCP_KEEPINTVL set the same values, and the later call wins";
    /// The `onoff` of `SIO_KEEPALIVE_VALS` and `SO_KEEPALIVE` are one switch.
    ValsSwitchSoKeepalive = "vals_switch_so_keepalive",
        "onoff of SIO_KEEPALIVE_VALS and SO_KEEPALIVE are one switch: the later call wins and getsockopt with \
         SO_KEEPALIVE shows it; documented is that either turns keepalives on or off and that getsockopt \
         tells their state, tried was neither";
    /// `SO_KEEPALIVE` after `SIO_KEEPALIVE_VALS`.
    TimesOutliveSwitch = "times_outlive_switch",
        "times set by SIO_KEEPALIVE_VALS stay set when keepalives are turned off and on again, by whichever \
         call; the documents say only that SO_KEEPALIVE uses the default times unless SIO_KEEPALIVE_VALS \
         changed them";
    /// When the registry is read.
    RegistryReadAtStart = "registry_read_at_start",
        "the registry is read when the system starts: a change holds after the next start, for all sockets \
         alike";
    /// Registry entries outside of their range.
    RegistryOutOfRange = "registry_out_of_range",
        "an entry of another type than REG_DWORD, and a KeepAliveTime or KeepAliveInterval of 0 (documented \
         from 1), count as absent";
    /// Registry entries on Vista and later.
    RegistrySinceVista = "registry_since_vista",
        "KeepAliveTime and KeepAliveInterval hold on every version; their own pages speak of Windows 2000 \
         and Server 2003, that of SO_KEEPALIVE of no version";
    /// One of the two entries for the number of probes alone.
    AbsentRetransmissions = "absent_retransmissions",
        "before Vista the larger of TcpMaxDataRetransmissions and PPTPTcpMaxDataRetransmissions counts among \
         those that are there, and 5 if none is; an absent one might count as its default of 5";
    /// `SIO_KEEPALIVE_VALS` and `TCP_KEEP*` during a connect.
    TransitionOfOtherCalls = "transition_of_other_calls",
        "SIO_KEEPALIVE_VALS and the TCP_KEEP* options fail with WSAEINVAL during a connect as SO_KEEPALIVE \
         does, on Vista and later; documented for SO_KEEPALIVE alone";
    /// `getsockopt` during a connect.
    GetInTransition = "get_in_transition",
        "getsockopt works during a connect; the table of errors of SO_KEEPALIVE can be read otherwise, its \
         remarks speak of setsockopt alone";
    /// What sockets accepted by `accept` have.
    AcceptInheritsTimes = "accept_inherits_times",
        "a socket from accept has the times and the number of probes of the listener as well as its \
         SO_KEEPALIVE; documented is that it has the same properties, without a list";
    /// Options set before `ConnectEx`.
    ConnectExForgets = "connect_ex_forgets",
        "after ConnectEx the options set before do not hold until SO_UPDATE_CONNECT_CONTEXT, as documented \
         for properties and options in general, while getsockopt shows them all the time; not tried for \
         SO_KEEPALIVE";
    /// Zeros for times.
    ZeroTimes = "zero_times",
        "a time of 0 in SIO_KEEPALIVE_VALS (with onoff), TCP_KEEPIDLE or TCP_KEEPINTVL and a TCP_KEEPCNT of 0 \
         fail with WSAEINVAL; no document gives their ranges";
    /// `TCP_KEEPCNT` above 255.
    KeepcntAbove255 = "keepcnt_above_255",
        "TCP_KEEPCNT above 255 fails with WSAEINVAL; documented is that it is illegal, not the error";
    /// `TCP_KEEPIDLE` of a time that is no whole number of seconds.
    SecondsRoundedDown = "seconds_rounded_down",
        "getsockopt with TCP_KEEPIDLE or TCP_KEEPINTVL gives whole seconds, rounded down, and the system's \
         value if nothing was set";
    /// The option number 3 before Windows 10 1709.
    KeepaliveNumberBefore1709 = "keepalive_number_before_1709",
        "option 3 of IPPROTO_TCP is unknown before Windows 10 1709, though headers called it TCP_KEEPALIVE";
    /// Options that the model does not have.
    OtherOptions = "other_options",
        "options that have nothing to do with keepalives fail with WSAENOPROTOOPT at a level that exists; \
         real systems have many of them";
    /// Buffers smaller than a DWORD.
    ShortBuffer = "short_buffer",
        "an optlen below 4 fails with WSAEFAULT as documented; real providers may accept a single octet for \
         a boolean option, and getsockopt may then return a length of 1";
    /// `setsockopt` before `bind`.
    ChecksBeforeBind = "checks_before_bind",
        "setsockopt is checked at once; documented is that TCP/IP options set before bind are checked by \
         bind";
    /// The last error after a success.
    LastErrorAfterSuccess = "last_error_after_success",
        "a call that succeeds leaves the last error of its thread as it was, and WSAStartup never sets it";
    /// `setsockopt` after the connection was lost.
    LostConnection = "lost_connection",
        "setsockopt fails with WSAENETRESET after keepalives gave the connection up and with WSAENOTCONN \
         after a reset, if SO_KEEPALIVE is set; documented for setsockopt in general, not for this option";
    /// When an unanswered connection is given up.
    GiveUpTime = "give_up_time",
        "a connection is given up one interval after the last probe; it might be at the last probe";
    /// Keepalives on connections that are not TCP.
    OtherConnections = "other_connections",
        "a SOCK_SEQPACKET socket of another connection-oriented protocol has SO_KEEPALIVE, no TCP_KEEP* and \
         no SIO_KEEPALIVE_VALS (WSAEOPNOTSUPP)";
}
