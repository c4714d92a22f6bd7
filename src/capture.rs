//! Capture files in: pcap and pcapng, plain or compressed, from files or standard input.
