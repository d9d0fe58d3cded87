#include "ipcomp/deflate.h"

#include <algorithm>
#include <new>

namespace torii {

namespace {

constexpr int raw = -15;   // no zlib header, and the window of 32 KiB that RFC 2394 2.3 expects
constexpr int level = 1;   // packets are short: higher levels cost several times as much and save a few octets
constexpr int memory = 8;  // zlib's default
constexpr std::size_t longest = 65536;

Bytef* octets(std::span<const std::byte> from) {
    return reinterpret_cast<Bytef*>(const_cast<std::byte*>(from.data()));  // zlib only reads its input
}

void give(z_stream& stream, std::span<const std::byte> in, std::span<std::byte> out) {
    stream.next_in = octets(in);
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
}

}  // namespace

Deflate::Deflate() : out_(longest) {
    if (deflateInit2(&compressor_, level, Z_DEFLATED, raw, memory, Z_DEFAULT_STRATEGY) != Z_OK) throw std::bad_alloc{};
    if (inflateInit2(&decompressor_, raw) == Z_OK) return;
    deflateEnd(&compressor_);
    throw std::bad_alloc{};
}

Deflate::~Deflate() {
    deflateEnd(&compressor_);
    inflateEnd(&decompressor_);
}

std::optional<std::span<const std::byte>> Deflate::compress(std::span<const std::byte> text, std::size_t limit) {
    if (limit == 0) return std::nullopt;
    deflateReset(&compressor_);
    give(compressor_, text, std::span{out_}.first(std::min(limit - 1, out_.size())));
    if (deflate(&compressor_, Z_FINISH) != Z_STREAM_END) return std::nullopt;
    return std::span<const std::byte>{out_}.first(compressor_.total_out);
}

Deflate::Text Deflate::decompress(std::span<const std::byte> packed, std::size_t limit) {
    inflateReset(&decompressor_);
    const std::size_t room = std::min(limit, out_.size());
    give(decompressor_, packed, std::span{out_}.first(room));
    const int result = inflate(&decompressor_, Z_FINISH);
    if (result == Z_STREAM_END && decompressor_.avail_in == 0)
        return {std::span<const std::byte>{out_}.first(decompressor_.total_out), false};
    return {{}, decompressor_.total_out == room && (result == Z_OK || result == Z_BUF_ERROR)};
}

}  // namespace torii
