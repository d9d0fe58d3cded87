// One hostile frame of each kind, and the one name it must be dropped under.
#pragma once

#include "corpus.h"

namespace torii::test {

struct Expectation {
    std::string title;
    Recipe recipe;
    Drop drop;
};
std::vector<Expectation> expectations(Peers& peers);
/// Those of IPv6.
std::vector<Expectation> expectations6(Peers& peers);

}  // namespace torii::test
