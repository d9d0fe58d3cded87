// The configuration file: any text becomes checked settings or an error, and what was taken is within its bounds.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "app/config/read.h"

/// libconfig 1.5 loses 64 octets on some texts that it refuses: theirs, once per refused file.
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t count) {
    const std::string text{reinterpret_cast<const char*>(octets), count};
    if (text.find("@include") != text.npos) return 0;  // reads other files, and is not this text's affair
    const auto read = torii::config::from_text(text, "fuzz.conf", 4);
    if (read && (read->workers < 1 || read->workers > 16 || read->burst < 1 || read->burst > 256)) std::abort();
    return 0;
}
