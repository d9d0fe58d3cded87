#include "cli/output.h"

#include <cstdio>
#include <span>

#include "base/secret_bytes.h"
#include "cli/text.h"

namespace torii::cli {

namespace {

std::string_view speaker = "torii";

}  // namespace

void speak_as(std::string_view name) { speaker = name; }

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void complain(std::string_view text) {
    std::fflush(stdout);
    const std::string line = std::string{speaker} + ": " + printable(text, true) + '\n';
    std::fwrite(line.data(), 1, line.size(), stderr);
}

void wipe_text(std::string& text) { wipe(std::as_writable_bytes(std::span{text})); }

}  // namespace torii::cli
