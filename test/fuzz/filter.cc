// A rule of the packet filter: any text is a rule or refused, and a rule's own text says the same rule.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "control/filter_rule.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t count) {
    using namespace torii::control;
    const std::string_view text{reinterpret_cast<const char*>(octets), count};
    (void)parse_hook(text);
    (void)parse_filter_action(text);
    (void)parse_rule_number(text);
    const auto rule = parse_filter_rule(text);
    if (!rule) return 0;
    const auto again = parse_filter_rule(rule->text());
    if (!again || *again != *rule) std::abort();
    return 0;
}
