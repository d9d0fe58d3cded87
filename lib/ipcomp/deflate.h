// Raw DEFLATE (RFC 1951, as RFC 2394 uses it) over zlib, with streams and output made once. One thread at a time.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace torii {

class Deflate {
public:
    Deflate();  // throws std::bad_alloc
    ~Deflate();
    Deflate(const Deflate&) = delete;
    Deflate& operator=(const Deflate&) = delete;

    /// `text` compressed, valid until the next call; none when that needs `limit` octets or more.
    std::optional<std::span<const std::byte>> compress(std::span<const std::byte> text, std::size_t limit);

    struct Text {
        std::span<const std::byte> octets;  // valid until the next call; empty when it could not be had
        bool too_long = false;              // because there would be more than `limit`
    };
    /// What `packed` was before. Octets behind the end of its DEFLATE stream make it wrong.
    Text decompress(std::span<const std::byte> packed, std::size_t limit);

private:
    z_stream compressor_{}, decompressor_{};
    std::vector<std::byte> out_;
};

}  // namespace torii
