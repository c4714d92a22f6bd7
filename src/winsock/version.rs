//! Windows versions.
//!
//! Owns their order, their names and what of keepalives each of them has. Uses nothing.

use std::fmt;
use std::str::FromStr;

macro_rules! versions {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $product:literal, $build:literal;)*) => {
        /// A version of Windows, client or server, in the order of their build numbers. Client and server
        /// of the same build differ in nothing that concerns keepalives.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum WindowsVersion {
            $($(#[$doc])* $variant,)*
        }

        impl WindowsVersion {
            /// All of them, oldest first.
            pub const ALL: &[WindowsVersion] = &[$(WindowsVersion::$variant),*];

            /// The name that it is written and read as.
            pub const fn name(self) -> &'static str {
                match self {
                    $(WindowsVersion::$variant => $text,)*
                }
            }

            /// The name of the product.
            pub const fn product(self) -> &'static str {
                match self {
                    $(WindowsVersion::$variant => $product,)*
                }
            }

            /// Its build number.
            pub const fn build(self) -> u32 {
                match self {
                    $(WindowsVersion::$variant => $build,)*
                }
            }
        }
    };
}

versions! {
    /// Windows 2000 Professional and Server, the oldest with `SO_KEEPALIVE`.
    Windows2000 = "2000", "Windows 2000", 2195;
    /// Windows XP.
    Xp = "xp", "Windows XP", 2600;
    /// Windows Server 2003.
    Server2003 = "2003", "Windows Server 2003", 3790;
    /// Windows Vista.
    Vista = "vista", "Windows Vista", 6000;
    /// Windows Server 2008.
    Server2008 = "2008", "Windows Server 2008", 6001;
    /// Windows 7.
    Windows7 = "7", "Windows 7", 7600;
    /// Windows Server 2008 R2.
    Server2008R2 = "2008r2", "Windows Server 2008 R2", 7600;
    /// Windows 8.
    Windows8 = "8", "Windows 8", 9200;
    /// Windows Server 2012.
    Server2012 = "2012", "Windows Server 2012", 9200;
    /// Windows 8.1.
    Windows8_1 = "8.1", "Windows 8.1", 9600;
    /// Windows Server 2012 R2.
    Server2012R2 = "2012r2", "Windows Server 2012 R2", 9600;
    /// Windows 10 version 1507.
    Windows10V1507 = "10-1507", "Windows 10 version 1507", 10240;
    /// Windows 10 version 1511.
    Windows10V1511 = "10-1511", "Windows 10 version 1511", 10586;
    /// Windows 10 version 1607.
    Windows10V1607 = "10-1607", "Windows 10 version 1607", 14393;
    /// Windows Server 2016.
    Server2016 = "2016", "Windows Server 2016", 14393;
    /// Windows 10 version 1703, the first with `TCP_KEEPCNT`.
    Windows10V1703 = "10-1703", "Windows 10 version 1703", 15063;
    /// Windows 10 version 1709, the first with `TCP_KEEPIDLE` and `TCP_KEEPINTVL`.
    Windows10V1709 = "10-1709", "Windows 10 version 1709", 16299;
    /// Windows 10 version 1803.
    Windows10V1803 = "10-1803", "Windows 10 version 1803", 17134;
    /// Windows 10 version 1809.
    Windows10V1809 = "10-1809", "Windows 10 version 1809", 17763;
    /// Windows Server 2019.
    Server2019 = "2019", "Windows Server 2019", 17763;
    /// Windows 10 version 1903.
    Windows10V1903 = "10-1903", "Windows 10 version 1903", 18362;
    /// Windows 10 version 1909.
    Windows10V1909 = "10-1909", "Windows 10 version 1909", 18363;
    /// Windows 10 version 2004.
    Windows10V2004 = "10-2004", "Windows 10 version 2004", 19041;
    /// Windows 10 version 20H2.
    Windows10V20H2 = "10-20h2", "Windows 10 version 20H2", 19042;
    /// Windows 10 version 21H1.
    Windows10V21H1 = "10-21h1", "Windows 10 version 21H1", 19043;
    /// Windows 10 version 21H2.
    Windows10V21H2 = "10-21h2", "Windows 10 version 21H2", 19044;
    /// Windows 10 version 22H2.
    Windows10V22H2 = "10-22h2", "Windows 10 version 22H2", 19045;
    /// Windows Server 2022.
    Server2022 = "2022", "Windows Server 2022", 20348;
    /// Windows 11 version 21H2.
    Windows11V21H2 = "11-21h2", "Windows 11 version 21H2", 22000;
    /// Windows 11 version 22H2.
    Windows11V22H2 = "11-22h2", "Windows 11 version 22H2", 22621;
    /// Windows 11 version 23H2.
    Windows11V23H2 = "11-23h2", "Windows 11 version 23H2", 22631;
    /// Windows 11 version 24H2.
    Windows11V24H2 = "11-24h2", "Windows 11 version 24H2", 26100;
    /// Windows Server 2025.
    Server2025 = "2025", "Windows Server 2025", 26100;
}

impl WindowsVersion {
    /// Whether the rules of Windows Vista hold: options cannot be set during a connect, 10 probes.
    pub fn is_vista_or_later(self) -> bool {
        self >= WindowsVersion::Vista
    }

    /// Whether `ConnectEx` and `SO_UPDATE_CONNECT_CONTEXT` exist.
    pub fn has_connect_ex(self) -> bool {
        self >= WindowsVersion::Xp
    }

    /// Whether `TCP_KEEPCNT` exists.
    pub fn has_tcp_keepcnt(self) -> bool {
        self >= WindowsVersion::Windows10V1703
    }

    /// Whether `TCP_KEEPIDLE` and `TCP_KEEPINTVL` exist.
    pub fn has_tcp_keepidle(self) -> bool {
        self >= WindowsVersion::Windows10V1709
    }
}

impl fmt::Display for WindowsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no version of Windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownVersion(String);

impl fmt::Display for UnknownVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = WindowsVersion::ALL.iter().map(|version| version.name()).collect();
        write!(f, "{:?} is no Windows version; there are {}", self.0, names.join(", "))
    }
}

impl std::error::Error for UnknownVersion {}

impl FromStr for WindowsVersion {
    type Err = UnknownVersion;

    /// Reads a short name or the name of a product, in any case. "10" is refused, as its versions differ;
    /// those of "11" do not.
    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        if text == "11" {
            return Ok(WindowsVersion::Windows11V21H2);
        }
        WindowsVersion::ALL
            .iter()
            .copied()
            .find(|version| {
                version.name().eq_ignore_ascii_case(text) || version.product().eq_ignore_ascii_case(text)
            })
            .ok_or_else(|| UnknownVersion(text.to_owned()))
    }
}
