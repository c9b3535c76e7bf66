//! Which addresses are not on the public internet, after IANA's registries of
//! special-purpose addresses (RFC 6890). The standard library's methods for them are
//! mostly unstable, and know no cloud's metadata service.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Who may allow requests to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Whoever configures the service: services of one's own are there.
    Private,
    /// Nobody: no service that we talk to is there.
    Never,
}

/// A block of addresses that are not on the public internet.
#[derive(Debug)]
pub(crate) struct Block {
    network: IpNet,
    /// What one of its addresses is, with its article.
    pub(crate) kind: &'static str,
    pub(crate) reach: Reach,
}

/// The IPv4 blocks. The first that contains an address counts.
const V4: [Block; 19] = [
    // Metadata services outside of link-local: Alibaba, Azure, Oracle.
    v4(Ipv4Addr::new(100, 100, 100, 200), 32, "a cloud's metadata", Reach::Never),
    v4(Ipv4Addr::new(168, 63, 129, 16), 32, "a cloud's metadata", Reach::Never),
    v4(Ipv4Addr::new(192, 0, 0, 192), 32, "a cloud's metadata", Reach::Never),
    v4(Ipv4Addr::new(10, 0, 0, 0), 8, "a private", Reach::Private),
    v4(Ipv4Addr::new(172, 16, 0, 0), 12, "a private", Reach::Private),
    v4(Ipv4Addr::new(192, 168, 0, 0), 16, "a private", Reach::Private),
    v4(Ipv4Addr::new(127, 0, 0, 0), 8, "a loopback", Reach::Private),
    // Pods of some clusters, and overlay networks.
    v4(Ipv4Addr::new(100, 64, 0, 0), 10, "a shared", Reach::Private),
    // Proxies and service meshes hand these out for names that they intercept.
    v4(Ipv4Addr::new(198, 18, 0, 0), 15, "a benchmarking", Reach::Private),
    v4(Ipv4Addr::BROADCAST, 32, "the broadcast", Reach::Never),
    v4(Ipv4Addr::new(240, 0, 0, 0), 4, "a reserved", Reach::Private),
    // AWS, Google and Azure serve metadata here.
    v4(Ipv4Addr::new(169, 254, 0, 0), 16, "a link-local", Reach::Never),
    // Linux connects to itself at 0.0.0.0.
    v4(Ipv4Addr::UNSPECIFIED, 8, "an unspecified", Reach::Never),
    v4(Ipv4Addr::new(192, 0, 0, 0), 24, "a reserved", Reach::Never),
    v4(Ipv4Addr::new(192, 0, 2, 0), 24, "a documentation", Reach::Never),
    v4(Ipv4Addr::new(198, 51, 100, 0), 24, "a documentation", Reach::Never),
    v4(Ipv4Addr::new(203, 0, 113, 0), 24, "a documentation", Reach::Never),
    v4(Ipv4Addr::new(192, 88, 99, 0), 24, "a 6to4 relay", Reach::Never),
    v4(Ipv4Addr::new(224, 0, 0, 0), 4, "a multicast", Reach::Never),
];

/// The IPv6 blocks, likewise.
const V6: [Block; 16] = [
    // Metadata services among the unique local addresses: AWS, Google.
    v6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0), 32, "a cloud's metadata", Reach::Never),
    v6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0), 32, "a cloud's metadata", Reach::Never),
    v6(Ipv6Addr::LOCALHOST, 128, "a loopback", Reach::Private),
    v6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "a unique local", Reach::Private),
    // Like 198.18.0.0/15.
    v6(Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0), 48, "a benchmarking", Reach::Private),
    v6(Ipv6Addr::UNSPECIFIED, 128, "the unspecified", Reach::Never),
    v6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "a link-local", Reach::Never),
    v6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "a multicast", Reach::Never),
    v6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "a documentation", Reach::Never),
    v6(Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "a documentation", Reach::Never),
    // These carry an IPv4 address in a way that nobody should need any more.
    v6(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "a 6to4", Reach::Never),
    v6(Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, "a Teredo", Reach::Never),
    v6(Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "a reserved", Reach::Never),
    // Everything that is not global unicast, 2000::/3, in three parts.
    v6(Ipv6Addr::UNSPECIFIED, 3, "a reserved", Reach::Never),
    v6(Ipv6Addr::new(0x4000, 0, 0, 0, 0, 0, 0, 0), 2, "a reserved", Reach::Never),
    v6(Ipv6Addr::new(0x8000, 0, 0, 0, 0, 0, 0, 0), 1, "a reserved", Reach::Never),
];

/// NAT64's prefix: what follows is an IPv4 address, and in a network that has only IPv6
/// every host of the IPv4 internet is reached by it.
const NAT64: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// The block of an address that is not on the public internet. Where an IPv6 address
/// stands for an IPv4 one, that one counts.
pub(crate) fn block_of(address: IpAddr) -> Option<&'static Block> {
    static BLOCKS: [&[Block]; 2] = [&V4, &V6];
    let address = match address {
        IpAddr::V6(address) => embedded(address).map_or(IpAddr::V6(address), IpAddr::V4),
        IpAddr::V4(_) => address,
    };
    BLOCKS.into_iter().flatten().find(|block| block.network.contains(&address))
}

fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    address.to_ipv4_mapped().or_else(|| {
        let [.., a, b, c, d] = address.octets();
        NAT64.contains(&address).then(|| Ipv4Addr::new(a, b, c, d))
    })
}

const fn v4(address: Ipv4Addr, prefix: u8, kind: &'static str, reach: Reach) -> Block {
    Block { network: IpNet::V4(Ipv4Net::new_assert(address, prefix)), kind, reach }
}

const fn v6(address: Ipv6Addr, prefix: u8, kind: &'static str, reach: Reach) -> Block {
    Block { network: IpNet::V6(Ipv6Net::new_assert(address, prefix)), kind, reach }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(address: &str) -> Option<Reach> {
        block_of(address.parse().unwrap()).map(|block| block.reach)
    }

    #[test]
    fn hosts_of_the_internet_are_in_no_block() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450:4001:81b::200e",
            "2001:200::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            assert_eq!(reach(address), None, "{address}");
        }
    }

    #[test]
    fn private_networks_and_this_machine_may_be_allowed() {
        for address in [
            "10.0.0.0",
            "10.255.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.168.0.0",
            "192.168.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "240.0.0.0",
            "255.255.255.254",
            "::1",
            "fc00::",
            "fd12:3456::1",
            "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
            "2001:2::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "64:ff9b::192.168.0.1",
        ] {
            assert_eq!(reach(address), Some(Reach::Private), "{address}");
        }
    }

    #[test]
    fn what_no_service_lives_at_is_never_asked() {
        for address in [
            // Metadata services.
            "169.254.169.254",
            "169.254.170.2",
            "fd00:ec2::254",
            "fd20:ce::254",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "::ffff:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "::ffff:100.100.100.200",
            // Link-local, unspecified, multicast, broadcast.
            "169.254.0.0",
            "169.254.255.255",
            "fe80::1",
            "febf::1",
            "0.0.0.0",
            "0.255.255.255",
            "::",
            "224.0.0.1",
            "239.255.255.255",
            "ff02::1",
            "255.255.255.255",
            // Documentation and other reserved blocks.
            "192.0.0.1",
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.1",
            "192.88.99.1",
            "2001:db8::1",
            "3fff::1",
            "2001:10::1",
            // IPv4 in other clothes: compatible, translated, 6to4, Teredo, local NAT64.
            "::127.0.0.1",
            "::ffff:0:127.0.0.1",
            "2002:7f00:1::",
            "2001::7f00:1",
            "64:ff9b:1::127.0.0.1",
            // Site-local, discard, segment routing, unassigned.
            "fec0::1",
            "100::1",
            "5f00::1",
            "4000::1",
            "8000::1",
        ] {
            assert_eq!(reach(address), Some(Reach::Never), "{address}");
        }
    }
}
