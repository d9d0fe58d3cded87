// A configuration file that has every setting once, for the tests that read it whole or spoil it.
#pragma once

#include <string>

inline const std::string every_setting = R"(# a gateway with every setting
gateway = { name = "tokyo"; workers = 1; cores = [0, 1]; polling = "busy"; burst = 32; memory_megabytes = 512; mbufs = 0x8000; };
ports = (
    { name = "office"; device = "net_af_packet0,iface=office0"; addresses = ["10.0.1.1/24", "2001:db8:1::1/64"];
      mtu = 9000; role = "protected"; queues = 1; },
    { name = "wan"; device = "0000:03:00.0"; addresses = ["20.0.0.1/24"]; },
    { name = "host"; device = "net_tap0,iface=torii0"; role = "host"; }
);
routes = (
    { destination = "10.0.2.0/24"; via = "20.0.0.2"; },
    { destination = "0.0.0.0/0"; via = "203.0.113.1"; port = "wan"; }
);
neighbours = ( { address = "20.0.0.2"; mac = "02:00:5e:10:00:02"; } );
filter = { wire = [ "pass in on wan proto esp", "block in on wan" ]; clear = ( "block fragments" );
           wire_default = "pass"; clear_default = "block"; };
ipsec = {
    setkey_file = "keys/tokyo.setkey"; def_policy = "none"; prefered_oldsa = true;
    legacy = true; readable_keys = "refuse"; dscp_map = ["46:34", "0:1"]; tunnel_ttl = 0; tunnel_flowlabel = "copy";
    esp_trans_deflev = "require"; esp_net_deflev = "require"; ah_trans_deflev = "require"; ah_net_deflev = "use";
};
control = { socket = "tokyo.sock"; };
log = { file = "/var/log/torii.log"; level = "debug"; };
crypto = { only_kernels = "openssl"; time_kernels = false; };
ike = { psk_file = "psk.txt"; ppk_file = "ppk.txt"; authorities = ["ca.pem"]; revocations = ["ca.crl"]; key_log = "keys.txt";
    log_messages = "full"; tell_invalid_selectors = false;
    retransmit_milliseconds = 500; retransmissions = 4; half_open = 5000;
    half_open_per_source = 5; cookies_from = 0;
    connections = ( { name = "newyork"; local = "20.0.0.1"; remote = "20.0.0.2"; local_id = "tokyo"; remote_id = "*";
        auth = "certificate"; remote_auth = "raw_key"; certificate = "a.pem"; key = "a.key"; key_passphrase_file = "pass";
        peers_key = "b.pub"; ppk = "required"; ppk_id = "offices-2026"; proposals = ["aes128gcm16-prfsha256-x25519"]; rekey_seconds = 3600; reauth_seconds = 86400;
        dpd_seconds = 10; uniqueness = "keep"; fragmentation = false; childless = true; pool = ["10.9.0.0/24"]; dns = ["10.0.1.53"];
        request_address = true; mobike = true; other_locals = ["30.0.0.1"]; legacy = true; sha1_signatures = true;
        children = ( { name = "offices"; mode = "tunnel"; protocol = "esp"; proposals = ["aes128gcm16-x25519"];
            local = ["10.0.1.0/24"]; remote = ["10.0.2.0/24"]; ip_protocol = "tcp"; local_ports = "1024-65535";
            remote_ports = "110"; ipcomp = true; start = "trap"; policies = false; rekey_seconds = 1200;
            rekey_octets = 1000000000000; rekey_packets = 7; life_seconds = 1500; replay_packets = 64; } ); } ); };
)";
