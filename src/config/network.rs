//! A network of addresses, for `trusted_proxies`. Asked once a connection by whoever adds
//! X-Forwarded-For; does no I/O.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An address block in CIDR notation (RFC 4632, RFC 4291 section 2.3); a lone address is a block
/// of one. IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2) counts as the IPv4 that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether the address lies in the block. A dual-stack listener sees IPv4 peers as mapped ones.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && masked(address, self.prefix) == self.first
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let shape = || format!("\"{text}\" is not an address or network such as \"10.0.0.0/8\"");
        let written: IpAddr = address.parse().map_err(|_| shape())?;
        let first = written.to_canonical();
        let bits = |address: &IpAddr| if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits(&first),
            Some(digits) => {
                let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
                let prefix = digits.parse::<u8>().ok().filter(|_| plain).ok_or_else(shape)?;
                // A mapped network counts its prefix in 128 bits, of which 96 are the mapping.
                let (least, most) = (bits(&written) - bits(&first), bits(&written));
                let fits = (least..=most).contains(&prefix);
                let range = format!("use {least} to {most}");
                let far = || format!("\"{text}\": the prefix is out of range; {range}");
                fits.then(|| prefix - least).ok_or_else(far)?
            }
        };
        match masked(first, prefix) {
            base if base == first => Ok(Self { first, prefix }),
            base => {
                Err(format!("\"{text}\" has bits beyond its prefix; write \"{base}/{prefix}\""))
            }
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

/// The address with all bits beyond the prefix cleared.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_contains_its_addresses_and_no_others() {
        assert!(contains("10.0.0.0/8", "10.255.0.1"));
        assert!(!contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("192.0.2.1", "192.0.2.1"));
        assert!(!contains("192.0.2.1", "192.0.2.2"));
        assert!(contains("0.0.0.0/0", "255.255.255.255"));
        assert!(!contains("0.0.0.0/0", "::1"));
        assert!(contains("2001:db8::/32", "2001:db8:ffff::1"));
        assert!(!contains("2001:db8::/32", "2001:db9::1"));
        assert!(contains("::/0", "::1"));
        assert!(!contains("::/0", "10.0.0.1"));
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_address_it_stands_for() {
        assert!(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(contains("::ffff:10.0.0.0/104", "10.1.2.3"));
        assert!(contains("::ffff:10.0.0.1", "10.0.0.1"));
    }

    #[test]
    fn a_network_is_written_as_it_is_read() {
        for text in ["10.0.0.0/8", "192.0.2.1/32", "0.0.0.0/0", "2001:db8::/32", "::1/128"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_network_is_refused_with_a_remedy() {
        let shape = "is not an address or network such as \"10.0.0.0/8\"";
        for text in ["localhost", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/x", "10.0.0/8", ""] {
            assert_eq!(text.parse::<Network>(), Err(format!("\"{text}\" {shape}")));
        }
        let cases = [
            ("10.0.0.0/33", "\"10.0.0.0/33\": the prefix is out of range; use 0 to 32"),
            ("::1/129", "\"::1/129\": the prefix is out of range; use 0 to 128"),
            ("::ffff:0:0/8", "\"::ffff:0:0/8\": the prefix is out of range; use 96 to 128"),
            ("10.0.0.1/8", "\"10.0.0.1/8\" has bits beyond its prefix; write \"10.0.0.0/8\""),
        ];
        for (text, message) in cases {
            assert_eq!(text.parse::<Network>(), Err(message.to_string()));
        }
    }
}
