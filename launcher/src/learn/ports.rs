//! PURE: where a server may connect to while it is learnt about: public hosts alone, on the ports that servers use.

use std::collections::BTreeSet;

use stockade_policy::document::profile::{AddressClass, NetGrant};
use stockade_sandbox::Doors;

/// Ports of services that people have in public places: the web, mail, databases, queues, version control.
const USUAL: [u16; 52] = [
    21, 22, 25, 80, 110, 143, 389, 443, 465, 563, 587, 636, 853, 989, 990, 993, 995, 1433, 1521, 1883, 2222,
    2525, 3000, 3306, 3389, 4317, 4318, 5000, 5222, 5432, 5439, 5671, 5672, 6333, 6334, 6379, 6380, 7687,
    8000, 8080, 8123, 8443, 8883, 8888, 9000, 9092, 9200, 9243, 9418, 9440, 19530, 27017,
];

/// Networks that hold every public address and not those that the broker itself gives out for names (198.18.0.0/15).
const EVERYWHERE: [&str; 15] = [
    "0.0.0.0/1",
    "128.0.0.0/2",
    "192.0.0.0/6",
    "196.0.0.0/7",
    "198.0.0.0/12",
    "198.16.0.0/15",
    "198.20.0.0/14",
    "198.24.0.0/13",
    "198.32.0.0/11",
    "198.64.0.0/10",
    "198.128.0.0/9",
    "199.0.0.0/8",
    "200.0.0.0/5",
    "208.0.0.0/4",
    "2000::/3",
];

/// Why, in the plan.
const REASON: &str = "any public host, while learning";

/// The ports that are open while learning: the usual ones, and those that were tried in earlier runs. `taken` are opened
/// by the profile in force or by flags.
pub(super) fn open(tried: &BTreeSet<u16>, taken: &BTreeSet<u16>) -> Vec<u16> {
    let room = Doors::PORTS_MAX.saturating_sub(taken.len());
    let mut ports: Vec<u16> = tried.iter().copied().filter(|port| *port != 0 && *port != 53).collect();
    ports.truncate(room.saturating_sub(USUAL.len()));
    let more: Vec<u16> = USUAL.into_iter().filter(|port| !ports.contains(port)).collect();
    ports.extend(more);
    ports.truncate(room);
    ports
}

/// Public addresses on these ports, by any name and by number. What a profile grants more narrowly stands before it.
pub(super) fn everywhere(ports: &[u16]) -> Vec<NetGrant> {
    let grant = |host: &'static str, port: u16| NetGrant {
        host: host.into(),
        port,
        addresses: vec![AddressClass::Public].into(),
        upload_bytes: None,
        reason: REASON.into(),
    };
    let hosts = || ["*"].into_iter().chain(EVERYWHERE);
    ports.iter().flat_map(|port| hosts().map(|host| grant(host, *port))).collect()
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use stockade_policy::egress::Judge;

    use super::*;

    fn judge() -> Judge {
        Judge::new(everywhere(&open(&BTreeSet::new(), &BTreeSet::new())), Vec::new(), None)
    }

    #[test]
    fn public_addresses_are_open_and_all_others_stay_closed() {
        let cases = [
            ("1.1.1.1:443", true),
            ("198.51.101.1:80", true),
            ("203.0.114.1:5432", true),
            ("[2606:4700::1111]:443", true),
            ("1.1.1.1:4444", false),
            ("10.0.0.1:443", false),
            ("100.64.0.1:443", false),
            ("127.0.0.1:80", false),
            ("169.254.169.254:80", false),
            ("172.16.0.1:443", false),
            ("192.168.1.1:443", false),
            ("198.18.0.1:443", false),
            ("[::1]:443", false),
            ("[::ffff:10.0.0.1]:443", false),
            ("[64:ff9b::a00:1]:443", false),
            ("[2002:a00:1::1]:443", false),
            ("[fd00::1]:443", false),
            ("[fe80::1]:443", false),
        ];
        for (to, expected) in cases {
            let to: SocketAddr = to.parse().unwrap();
            assert_eq!(judge().connection(to).is_ok(), expected, "{to}");
        }
    }

    #[test]
    fn a_name_leads_to_public_addresses_alone() {
        let mut judge = judge();
        let public: IpAddr = "1.1.1.1".parse().unwrap();
        let told = judge.resolved("api.example.org", &[public]).unwrap();
        assert_eq!(judge.connection((told[0], 443).into()).unwrap().name.as_deref(), Some("api.example.org"));
        assert!(judge.resolved("rebinding.example.org", &["10.0.0.1".parse().unwrap()]).is_err());
        assert!(!judge.unresolved("by.proxy.example").unwrap().is_empty(), "synthetic addresses are left");
    }

    #[test]
    fn what_was_tried_before_is_open_within_what_a_jail_can_have() {
        let tried: BTreeSet<u16> = (20_000..20_500).collect();
        let taken = BTreeSet::from([1, 2, 3]);
        let ports = open(&tried, &taken);
        assert_eq!(ports.len(), Doors::PORTS_MAX - 3);
        assert!(ports.contains(&20_000) && ports.contains(&443) && !ports.contains(&53));
    }
}
