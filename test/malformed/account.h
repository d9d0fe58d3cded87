// The books of a gateway under attack: what went in, what came out and what was dropped under which name, and whether
// that adds up. What comes out is looked at too: it must be well formed, and allowed out.
#pragma once

#include <map>

#include "corpus.h"

namespace torii::test {

/// What a gateway did between two moments.
struct Outcome {
    std::uint64_t forwarded = 0, echo_replies = 0, icmp_errors = 0, arp_frames = 0;
    std::uint64_t dropped = 0;      // whatever the name
    std::uint64_t reported = 0;     // of these, under names whose packet's sender is sent an ICMP error
    std::uint64_t arp_refused = 0;  // of these, ARP
};

class Account {
public:
    explicit Account(Wires& gateway) : gateway_(gateway) { settle(); }

    /// Sends `frame` and lets the gateway come to rest; what became of it.
    Outcome send(const Recipe& recipe, const Octets& frame);
    bool offer(const Recipe& recipe, const Octets& frame, unsigned queue) {
        return gateway_.send(recipe.port, frame, queue, recipe.room);
    }
    /// Lets time pass until no fragment waits for others.
    Outcome wait_out();
    /// Turns until no buffer is in the gateway's hands, letting ARP time out where a packet waits for it.
    Outcome settle();
    /// The office's packets to itself owe no policy anything, whatever source they claim: they leaked nothing.
    void excuse_the_office() {
        std::erase_if(leaked_, [](const std::string& line) { return line.starts_with("to the office"); });
    }
    /// By name, since the gateway was made.
    std::map<std::string, std::uint64_t> drops() const;
    /// What came out and should not have: a line each.
    const std::vector<std::string>& malformed() const { return malformed_; }
    const std::vector<std::string>& leaked() const { return leaked_; }
    std::uint64_t forwarded() const { return forwarded_; }

private:
    void look_at(std::size_t port, const Octets& frame, Outcome& outcome);
    void look_at_ipv6(std::size_t port, const Octets& frame, Outcome& outcome);

    Wires& gateway_;
    std::array<std::uint64_t, drop_count> seen_{};
    std::vector<std::string> malformed_, leaked_;
    std::uint64_t forwarded_ = 0;
    std::uint32_t cut_ = 0, cut_source_ = 0;  // identification and source of the packet that left last
    std::uint32_t cut6_ = 0;                  // identification of our own IPv6 fragments that left last
};

/// Whether a frame is one the gateway takes for ARP.
bool is_arp(const Recipe& recipe, const Octets& frame);
/// Whether it is ARP or neighbour discovery, which may be taken without a word.
bool may_be_taken(const Recipe& recipe, const Octets& frame);
/// Empty when a single frame met exactly one fate: a forward, an answer, or a drop under one name (whose ICMP error may
/// have left, encrypted where a policy says so, or been dropped by name as well). Else what happened to it.
std::string wrong_fate(bool arp, const Outcome& outcome);

}  // namespace torii::test
