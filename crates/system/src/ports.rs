//! Ports that users have chosen, for firewalls.
//!
//! Responsible for trying the ports behind one that is taken, as Spark does
//! (`spark.port.maxRetries`), for every listener of the driver, of executors and of pages.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// Ports that follow each other, of which one is listened on; with 0 it is any that is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    first: u16,
    last: u16,
}

impl Ports {
    /// Any port that is free.
    pub const ANY: Self = Self { first: 0, last: 0 };

    /// This one, and no other; any that is free if it is 0.
    pub const fn one(port: u16) -> Self {
        Self {
            first: port,
            last: port,
        }
    }

    /// This one and so many behind it, as far as there are ports; any that is free if it is 0.
    pub fn of(first: u32, retries: u32) -> Self {
        let port = |it| u16::try_from(it).unwrap_or(u16::MAX);
        match first {
            0 => Self::ANY,
            first => Self {
                first: port(first),
                last: port(first.saturating_add(retries)),
            },
        }
    }

    /// Listens by `bind` on the first one that is free.
    ///
    /// # Errors
    /// The host is unknown, all of them are taken, or the system does not allow it; says
    /// where, for people.
    pub fn listen<T>(
        self,
        host: &str,
        mut bind: impl FnMut(SocketAddr) -> io::Result<T>,
    ) -> io::Result<T> {
        let failed = |error: &io::Error| {
            io::Error::new(error.kind(), format!("cannot listen on {host}: {error}"))
        };
        for port in self.first..=self.last {
            let at = (host, port).to_socket_addrs().map_err(|it| failed(&it))?;
            for at in at {
                match bind(at) {
                    Ok(bound) => return Ok(bound),
                    Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                    Err(error) => return Err(failed(&error)),
                }
            }
        }
        let taken = match self.first == self.last {
            true => format!("port {} is taken", self.first),
            false => format!("ports {} to {} are taken", self.first, self.last),
        };
        Err(failed(&io::Error::new(ErrorKind::AddrInUse, taken)))
    }
}

/// As one process tells another one.
impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl FromStr for Ports {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = || {
            let (first, last) = text.split_once('-')?;
            let (first, last) = (first.parse().ok()?, last.parse().ok()?);
            (first <= last).then_some(Self { first, last })
        };
        read().ok_or("a first and a last port, such as 7000-7016")
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_ports_behind_one_that_is_taken_are_tried() {
        assert_eq!(Ports::of(4040, 16).to_string(), "4040-4056");
        assert_eq!(Ports::of(65_530, 16).to_string(), "65530-65535");
        assert_eq!(Ports::of(0, 16), Ports::ANY);
        let tried = |ports: Ports, taken: u16| {
            ports.listen("127.0.0.1", |at| match at.port() <= taken {
                true => Err(ErrorKind::AddrInUse.into()),
                false => Ok(at.port()),
            })
        };
        assert_eq!(tried(Ports::of(7000, 2), 7001).expect("one is free"), 7002);
        let why = tried(Ports::of(7000, 2), 7002).expect_err("none is free");
        assert_eq!(
            why.to_string(),
            "cannot listen on 127.0.0.1: ports 7000 to 7002 are taken"
        );
    }

    #[test]
    fn a_port_that_another_has_is_said_to_be_taken() {
        let taken = Ports::ANY.listen("127.0.0.1", TcpListener::bind);
        let taken = taken.expect("a free port");
        let port = taken.local_addr().expect("bound").port();
        let why = Ports::one(port).listen("127.0.0.1", TcpListener::bind);
        let why = why.expect_err("it is taken").to_string();
        assert!(why.ends_with(&format!("port {port} is taken")), "{why}");
    }

    #[test]
    fn what_is_told_to_another_process_is_read_again() {
        for ports in [Ports::ANY, Ports::one(1), Ports::of(65_535, 9)] {
            assert_eq!(ports.to_string().parse(), Ok(ports));
        }
        for bad in ["", "7", "7-", "9-7", "1-70000", "a-b"] {
            assert!(bad.parse::<Ports>().is_err(), "{bad}");
        }
    }
}
