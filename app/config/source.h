// The configuration text before libconfig sees it: its tokens are walked once to guard against what libconfig 1.5
// would do silently, and to learn what it does not tell. One thread; values only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/config/problems.h"

namespace torii::config {

struct Source {
    /// The text with an L behind every integer: without it libconfig wraps 5000000000 to 705032704, with it the number
    /// arrives whole and its setting's own range refuses it. What even 64 bits do not hold becomes their greatest
    /// number. Lines are those of the original.
    std::string text;
    /// The line on which each string value begins, in the order of the text: libconfig looks for a continuation
    /// first, and then gives the line where it found none.
    std::vector<unsigned> string_lines;
};

/// Problems: strings and comments without end, octets that are 0 (libconfig would take the first for the end of the
/// file), nesting that no setting needs, and @include, which is not offered: errors name one file.
Source scan(std::string_view text, Problems& problems);

}  // namespace torii::config
