// The setkey language: any text is parsed or refused with its place, and never anything else.
#include <cstdint>
#include <cstdlib>

#include "app/setkey/setkey.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t count) {
    const std::string_view text{reinterpret_cast<const char*>(octets), count};
    const auto program = torii::setkey::parse(text, "fuzz");
    if (!program && !program.error().text().starts_with("fuzz:")) std::abort();
    return 0;
}
